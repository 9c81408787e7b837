"""The table as one uses it: keys, mouse, search, order, and what stands there when it is empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Column
from sonoteca_desktop.views.buttons import TextButton
from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.connection import Connection, Reach
from tests.kit.table import TAKES, cell, press, words
from tests.kit.window import Parts, fill, opened, sound

_Q = Qt.Key

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path, TAKES) as parts:
        yield parts


@pytest.fixture
def empty(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path) as parts:
        yield parts


# ---- playing


def test_arrows_step_and_play_and_space_pauses(parts: Parts, qtbot: QtBot) -> None:
    table = parts.window.library.table
    assert table.hasFocus()
    press(qtbot, table, _Q.Key_Down, _Q.Key_Down, _Q.Key_Up)
    assert [played[0] for played in parts.player.played] == ["Rain.wav", "take1.wav", "Rain.wav"]
    press(qtbot, table, _Q.Key_Space)
    assert parts.player.paused
    assert words(parts, "playingName") == "Rain.wav"
    press(qtbot, table, _Q.Key_Space)
    assert parts.player.playing


def test_space_begins_again_what_has_ended(parts: Parts, qtbot: QtBot) -> None:
    table = parts.window.library.table
    table.select_row(0)
    parts.player.end()
    assert words(parts, "playingName") == "Rain.wav"
    press(qtbot, table, _Q.Key_Space)
    assert parts.player.played == [("Rain.wav", 0.0)] * 2


def test_space_plays_the_selected_row_rather_than_the_paused_one(
    parts: Parts, qtbot: QtBot
) -> None:
    table = parts.window.library.table
    table.select_row(0)
    press(qtbot, table, _Q.Key_Space)
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.RightButton, pos=cell(parts, 2, Column.NAME))
    assert len(parts.player.played) == 1  # opening a menu makes no noise
    press(qtbot, table, _Q.Key_Space)
    assert parts.player.played[-1] == ("take1.wav", 0.0)
    assert parts.player.sound == TAKES[1]


def test_several_rows_are_selected_in_silence(parts: Parts, qtbot: QtBot) -> None:
    table = parts.window.library.table
    table.select_row(0)
    qtbot.keyClick(table, _Q.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(table, _Q.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(parts.player.played) == 1
    assert words(parts, "countLabel") == "4 selected · 4 sounds"


def test_the_play_button_of_a_row_pauses_it(parts: Parts, qtbot: QtBot) -> None:
    view = parts.window.library.table.viewport()
    for expected in (True, False, True):
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=cell(parts, 1, Column.PLAY))
        assert parts.player.playing is expected
    assert parts.player.sound == TAKES[2]


def test_a_refresh_plays_nothing_and_keeps_the_place(parts: Parts, qtbot: QtBot) -> None:
    fill(parts.mirror, [sound(f"{n:03}.wav", number=n) for n in range(100, 200)])
    refresh(parts, qtbot)
    table = parts.window.library.table
    table.select_row(50)
    played, shown = len(parts.player.played), table.rowAt(0)
    kept = parts.sounds.sound(shown)
    fill(parts.mirror, [sound(f"{n:03}.wav", number=n) for n in range(200, 210)])
    refresh(parts, qtbot)
    assert len(parts.player.played) == played
    assert table.current_sound() == parts.sounds.sound(60)
    assert [found.name for found in table.chosen_sounds()] == ["149.wav"]
    assert parts.sounds.sound(table.rowAt(0)) == kept


def refresh(parts: Parts, qtbot: QtBot) -> None:
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.sounds.refresh()


# ---- search and order


def test_search_as_one_types_and_escape_clears(parts: Parts, qtbot: QtBot) -> None:
    field = parts.window.top.search
    qtbot.keyClick(parts.window, _Q.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert field.hasFocus()
    with qtbot.waitSignal(parts.sounds.swapped):
        qtbot.keyClicks(field, "tin ro")  # the space is typed, and starts nothing
    assert words(parts, "countLabel") == "1 of 4 sounds"
    assert parts.player.played == []
    with qtbot.waitSignal(parts.sounds.swapped):
        press(qtbot, field, _Q.Key_Escape)
    assert words(parts, "countLabel") == "4 sounds"
    press(qtbot, field, _Q.Key_Down)
    table = parts.window.library.table
    assert table.hasFocus()
    assert parts.player.played == [("Rain.wav", 0.0)]
    field.setText("xyz")
    press(qtbot, table, _Q.Key_Escape)
    assert field.text() == ""


def test_the_rows_of_before_are_not_played_when_one_types_fast(parts: Parts, qtbot: QtBot) -> None:
    table, field = parts.window.library.table, parts.window.top.search
    field.setFocus()
    with qtbot.waitSignal(parts.sounds.swapped):
        qtbot.keyClicks(field, "take1")
        press(qtbot, field, _Q.Key_Return)
        assert parts.player.played == []
    assert parts.player.sound == TAKES[2]
    assert table.hasFocus()
    refresh(parts, qtbot)
    assert len(parts.player.played) == 1


def test_a_pasted_book_is_no_trouble(parts: Parts, qtbot: QtBot) -> None:
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.window.top.search.setText("rain " * 5000)
    assert words(parts, "countLabel") == "1 of 4 sounds"


def test_what_makes_no_sense_is_told_in_the_field_and_the_rest_is_found(
    parts: Parts, qtbot: QtBot
) -> None:
    field = parts.window.top.search
    with qtbot.waitSignal(parts.sounds.swapped):
        field.setText("rain colour:red")
    assert words(parts, "countLabel") == "1 of 4 sounds"
    assert "colour:red" in field.toolTip()
    assert "colour:red" in field.accessibleDescription()
    shown = field.grab().toImage()
    with qtbot.waitSignal(parts.sounds.swapped):
        field.setText("rain")
    assert (field.toolTip(), field.accessibleDescription()) == ("", "")
    field.setText("rain colour:red")  # not told yet: it was not searched for yet
    assert field.grab().toImage() != shown


def test_the_order_can_be_typed(parts: Parts, qtbot: QtBot) -> None:
    for text, first in (("sort:size", TAKES[0]), ("sort:-size", TAKES[3])):
        with qtbot.waitSignal(parts.sounds.swapped):
            parts.window.top.search.setText(text)
        assert parts.sounds.sound(0) == first


def test_an_empty_search_says_so_and_offers_to_clear_it(parts: Parts, qtbot: QtBot) -> None:
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.window.top.search.setText("xyz")
    assert words(parts, "emptyTitle") == "Nothing matches “xyz”"
    button = parts.window.findChild(TextButton, "wayClearSearch")
    assert isinstance(button, TextButton)
    with qtbot.waitSignal(parts.sounds.swapped):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert parts.window.library.table.isVisible()
    assert parts.window.top.search.hasFocus()


def test_a_click_on_the_header_orders_and_another_turns_it(parts: Parts, qtbot: QtBot) -> None:
    header = parts.window.library.table.horizontalHeader()
    middle = header.sectionViewportPosition(Column.SIZE) + header.sectionSize(Column.SIZE) // 2
    for first in (TAKES[0], TAKES[3]):
        with qtbot.waitSignal(parts.sounds.swapped):
            qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(middle, 10))
        assert parts.sounds.sound(0) == first
    middle = header.sectionViewportPosition(Column.WAVEFORM) + 20
    qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(middle, 10))
    assert header.sortIndicatorSection() == Column.SIZE


def test_the_menu_orders_too(parts: Parts, qtbot: QtBot) -> None:
    by_name = next(each for each in parts.window.commands.order.actions() if each.text() == "Name")
    with qtbot.waitSignal(parts.sounds.swapped):
        by_name.trigger()
    assert parts.sounds.sound(0) == TAKES[3]
    assert by_name.isChecked()


# ---- places


def test_folders_are_a_tree_and_show_what_is_in_them(parts: Parts, qtbot: QtBot) -> None:
    sidebar = parts.window.sidebar
    places = [sidebar.item(row).text() for row in range(sidebar.count())]
    assert places == [
        "Library", "All sounds", "On this computer", "Folders", "day 1", "day 2", "day 3",
    ]  # fmt: skip
    with qtbot.waitSignal(parts.sounds.swapped):
        sidebar.setCurrentRow(5)
    assert words(parts, "libraryTitle") == "day 2"
    assert parts.sounds.sound(0) == TAKES[1]
    fill(parts.mirror, [sound("a.wav", folder="day 0/noon", number=9)])
    refresh(parts, qtbot)
    assert sidebar.title == "day 2"  # the choice stays while others come before it


def test_folders_are_ordered_as_people_count(parts: Parts, qtbot: QtBot) -> None:
    fill(parts.mirror, [sound("a.wav", folder=f"day {day}", number=9 + day) for day in (10, 20)])
    refresh(parts, qtbot)
    sidebar = parts.window.sidebar
    places = [sidebar.item(row).text() for row in range(4, sidebar.count())]
    assert places == ["day 1", "day 2", "day 3", "day 10", "day 20"]


def test_an_empty_place_leads_back(parts: Parts, qtbot: QtBot) -> None:
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.window.sidebar.setCurrentRow(2)
    assert words(parts, "emptyTitle") == "Nothing is on this computer yet"
    button = parts.window.findChild(TextButton, "wayShowAll")
    assert isinstance(button, TextButton)
    with qtbot.waitSignal(parts.sounds.swapped):
        button.click()
    assert parts.window.library.table.isVisible()


# ---- downloads


def test_enter_asks_for_the_folder_once(parts: Parts, qtbot: QtBot, tmp_path: Path) -> None:
    table = parts.window.library.table
    table.select_row(1)
    press(qtbot, table, _Q.Key_Return)
    question = parts.window.findChild(QFileDialog, "folderQuestion")
    assert isinstance(question, QFileDialog)
    with (
        qtbot.waitSignal(parts.window.downloadRequested) as wanted,
        qtbot.waitSignal(parts.window.downloadFolderChosen),
    ):
        question.fileSelected.emit(str(tmp_path))
    question.close()
    assert wanted.args == [[TAKES[2]], tmp_path]
    with qtbot.waitSignal(parts.window.downloadRequested) as wanted:
        press(qtbot, table, _Q.Key_Enter)
    assert wanted.args == [[TAKES[2]], tmp_path]


def test_the_cloud_of_a_row_downloads_it(parts: Parts, qtbot: QtBot) -> None:
    table = parts.window.library.table
    with qtbot.waitSignal(table.downloadRequested) as wanted:
        qtbot.mouseClick(
            table.viewport(), Qt.MouseButton.LeftButton, pos=cell(parts, 3, Column.STATE)
        )
    assert wanted.args == [[TAKES[0]]]
    assert parts.player.played == []


def test_links_and_folders_of_the_selected(parts: Parts, qtbot: QtBot) -> None:
    commands = parts.window.commands
    assert not commands[Command.DOWNLOAD].isEnabled()
    parts.window.library.table.select_row(0)
    assert commands[Command.DOWNLOAD].isEnabled()
    assert not commands[Command.SHOW_IN_FOLDER].isEnabled()
    commands[Command.COPY_LINK].trigger()
    link = f"http://studio:8282/data/main/{TAKES[3].sha256}"
    assert QGuiApplication.clipboard().text() == link
    with qtbot.waitSignal(parts.sounds.swapped):
        parts.sounds.set_local([TAKES[3].sha256])
    with qtbot.waitSignal(parts.window.showInFolderRequested) as shown:
        commands[Command.SHOW_IN_FOLDER].trigger()
    assert shown.args == [TAKES[3]]


# ---- nothing to show, and nobody to ask


def test_an_empty_library_says_how_to_fill_it(empty: Parts, qtbot: QtBot) -> None:
    assert words(empty, "emptyTitle") == "Drop WAV files or folders here"
    button = empty.window.findChild(TextButton, "wayUploadFiles")
    assert isinstance(button, TextButton)
    button.click()
    question = empty.window.findChild(QFileDialog, "uploadQuestion")
    assert isinstance(question, QFileDialog)
    with qtbot.waitSignal(empty.window.filesDropped) as files:
        question.filesSelected.emit(["a.wav", "b.wav"])
    question.close()
    assert files.args == [[Path("a.wav"), Path("b.wav")]]
    assert not isinstance(button, QPushButton)


def test_a_first_start_without_server_says_what_to_do(empty: Parts, qtbot: QtBot) -> None:
    empty.window.show_connection(Connection(Reach.OFFLINE, "studio", 30))
    assert words(empty, "emptyTitle") == "The library on studio cannot be reached"
    assert "Trying again in 30 s." in words(empty, "emptyText")
    assert not empty.window.library.banner.isVisible()
    button = empty.window.findChild(TextButton, "wayRetry")
    assert isinstance(button, TextButton)
    with qtbot.waitSignal(empty.window.retryRequested):
        button.click()


def test_away_from_the_server_the_table_stays_and_a_banner_tells(
    parts: Parts, qtbot: QtBot
) -> None:
    parts.window.show_connection(Connection(Reach.OFFLINE, "studio", 12))
    assert parts.window.library.table.isVisible()
    assert words(parts, "offlineText") == (
        "The library on studio cannot be reached. You can browse and play what is on this "
        "computer. Trying again in 12 s."
    )
    assert parts.window.top.server.accessibleName() == "Server studio: cannot be reached"
    button = parts.window.findChild(TextButton, "retryButton")
    assert isinstance(button, TextButton)
    with qtbot.waitSignal(parts.window.retryRequested):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    parts.window.show_connection(Connection(Reach.ONLINE, "studio"))
    assert not parts.window.library.banner.isVisible()


def test_trouble_of_this_computer_is_not_told_as_the_server_s(parts: Parts) -> None:
    trouble = "The copy of the library on this computer cannot be written: disk is full"
    parts.window.show_connection(Connection(Reach.STUCK, "studio", 4, trouble))
    assert parts.window.library.banner.isVisible()
    assert words(parts, "offlineText") == (
        f"What is shown is no longer up to date. {trouble}. Trying again in 4 s."
    )
    assert trouble in parts.window.top.server.toolTip()
    parts.window.show_connection(Connection(Reach.ONLINE, "studio"))
    assert not parts.window.library.banner.isVisible()


def test_a_notice_stays_until_it_is_sent_away(parts: Parts, qtbot: QtBot) -> None:
    parts.window.show_notice("notes.txt is no WAV, and was left out.")
    assert words(parts, "noticeText") == "notes.txt is no WAV, and was left out."
    dismiss = parts.window.findChild(QWidget, "dismissNotice")
    assert isinstance(dismiss, QWidget)
    qtbot.mouseClick(dismiss, Qt.MouseButton.LeftButton)
    assert not parts.window.library.notice.isVisible()


def test_a_library_that_cannot_be_read_says_why(parts: Parts, qtbot: QtBot) -> None:
    parts.mirror.close()
    with qtbot.waitSignal(parts.sounds.failed):
        parts.sounds.refresh()
    assert words(parts, "emptyTitle") == "The library cannot be shown"
    assert words(parts, "emptyText").startswith("The library on this computer cannot be read")
