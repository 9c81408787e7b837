"""What the window says of what is kept on this computer, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Column, Where, WhereRole
from sonoteca_desktop.models.transfers import Action, actions
from sonoteca_desktop.sync.keeping import Pin
from sonoteca_desktop.sync.mirror import Scope
from sonoteca_desktop.transfers.plan import State
from sonoteca_desktop.views.commands import Command
from tests.kit.window import Parts, opened, sound

RAIN = sound("Rain.wav", number=1, folder="weather")
WIND = sound("Wind.wav", number=2, folder="weather", repository="Film")
DOOR = sound("Door.wav", number=3)
SAID = Qt.ItemDataRole.AccessibleTextRole


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path, [RAIN, WIND, DOOR]) as parts:
        yield parts


def text(parts: Parts, command: Command) -> str:
    return parts.window.commands[command].text()


def choose(parts: Parts, *rows: int) -> None:
    table = parts.window.library.table
    table.clearSelection()
    for row in rows:
        index = parts.sounds.index(row, Column.NAME)
        flag = table.selectionModel().SelectionFlag
        table.selectionModel().select(index, flag.Select | flag.Rows)
        table.selectionModel().setCurrentIndex(index, flag.NoUpdate)


def find(parts: Parts, qtbot: QtBot, words: str) -> None:
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.window.top.search.setText(words)


def test_the_row_says_what_is_kept(parts: Parts, qtbot: QtBot, qtmodeltester: ModelTester) -> None:
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.sounds.set_local([DOOR.sha256, WIND.sha256])
    parts.sounds.set_pinned([WIND.sha256, RAIN.sha256])
    cells = [parts.sounds.index(row, Column.STATE) for row in range(3)]
    assert [cell.data(WhereRole) for cell in cells] == [Where.LOCAL, Where.KEPT, Where.KEEPING]
    assert [cell.data(SAID) for cell in cells] == [
        "On this computer",
        "Kept on this computer",
        "Waiting to be kept on this computer",
    ]
    assert [cell.data(Qt.ItemDataRole.ToolTipRole) for cell in cells] == [
        cell.data(SAID) for cell in cells
    ]
    table = parts.window.library.table
    shown = [table.viewport().grab(table.visualRect(cell)).toImage() for cell in cells]
    assert shown[0] != shown[1] != shown[2] != shown[0]
    qtmodeltester.check(parts.sounds)


def test_sounds_are_kept_and_freed_together(parts: Parts, qtbot: QtBot) -> None:
    keep = parts.window.commands[Command.KEEP]
    assert not keep.isEnabled()
    choose(parts, 0, 1)
    parts.sounds.set_pinned([DOOR.sha256])
    assert (keep.isEnabled(), keep.text()) == (True, "Keep on this computer")
    pins = [Pin("sound", DOOR.id), Pin("sound", WIND.id)]
    with qtbot.waitSignal(parts.window.pinRequested) as asked:
        keep.trigger()
    assert asked.args == [pins]
    parts.sounds.set_pinned([DOOR.sha256, WIND.sha256])
    assert keep.text() == "Free from this computer"
    with qtbot.waitSignal(parts.window.freeRequested) as asked:
        keep.trigger()
    assert asked.args == [pins, [DOOR, WIND]]


def test_a_search_is_kept_as_it_was_understood(parts: Parts, qtbot: QtBot) -> None:
    keep = parts.window.commands[Command.KEEP_SEARCH]
    assert not keep.isEnabled()
    find(parts, qtbot, "rain OR wind colour:red sort:name is:pinned")
    with qtbot.waitSignal(parts.window.pinRequested) as asked:
        keep.trigger()
    assert asked.args == [[Pin("search", "rain OR wind")]]
    parts.window.show_pins([Pin("search", "rain OR wind")])
    assert keep.text() == "Free this search from this computer"
    with qtbot.waitSignal(parts.window.freeRequested) as asked:
        keep.trigger()
    assert asked.args == [[Pin("search", "rain OR wind")], []]


def test_a_folder_is_kept_with_what_is_searched_in_it(parts: Parts, qtbot: QtBot) -> None:
    find(parts, qtbot, "rain")
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.window.sidebar.choose(Scope("folder", "weather"))
    with qtbot.waitSignal(parts.window.pinRequested) as asked:
        parts.window.commands[Command.KEEP_SEARCH].trigger()
    assert asked.args == [[Pin("search", "folder:weather rain")]]
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.window.sidebar.choose(Scope("local"))
    assert not parts.window.commands[Command.KEEP_SEARCH].isEnabled()


def test_the_repository_of_a_sound_is_kept_by_its_name(parts: Parts, qtbot: QtBot) -> None:
    choose(parts, 1)
    assert text(parts, Command.KEEP_REPOSITORY) == "Keep repository Film on this computer"
    with qtbot.waitSignal(parts.window.pinRequested) as asked:
        parts.window.commands[Command.KEEP_REPOSITORY].trigger()
    assert asked.args == [[Pin("search", "repo:Film")]]


def test_kept_searches_are_places_below_this_computer(parts: Parts, qtbot: QtBot) -> None:
    sidebar = parts.window.sidebar
    before = sidebar.count()
    parts.window.show_pins([Pin("search", "rain"), Pin("search", "repo:Film"), Pin("sound", "x")])
    assert [sidebar.item(row).text() for row in (3, 4)] == ["rain", "Film"]
    assert "all of rain" in sidebar.item(3).data(SAID)
    with qtbot.waitSignal(parts.sounds.swapped):
        sidebar.setCurrentRow(3)
    qtbot.waitUntil(lambda: parts.sounds.rowCount() == 1)
    assert parts.window.top.search.text() == "rain"
    assert sidebar.title == "rain"
    find(parts, qtbot, "rain OR wind")  # what is typed stays, and is no longer that place
    assert (sidebar.title, parts.window.top.search.text()) == ("All sounds", "rain OR wind")
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.window.show_pins([])
        sidebar.choose(Scope("folder", "weather"))
    assert sidebar.count() == before


def test_what_is_kept_is_paused_but_not_cancelled(parts: Parts) -> None:
    parts.queue.kept.fetch([(RAIN, Pin("search", "rain"))], Path("/kept"))
    parts.queue.download(DOOR, Path("/sounds"))
    kept, asked = parts.queue.snapshot()
    assert (kept.state, asked.state) == (State.QUEUED, State.QUEUED)
    assert actions(kept) == (Action.PAUSE,)
    assert Action.CANCEL in actions(asked)


def test_a_typed_order_takes_the_arrow_from_the_header(parts: Parts, qtbot: QtBot) -> None:
    header = parts.window.library.table.horizontalHeader()
    assert header.isSortIndicatorShown()
    find(parts, qtbot, "sort:size")
    assert not header.isSortIndicatorShown()
    find(parts, qtbot, "")
    assert header.isSortIndicatorShown()
