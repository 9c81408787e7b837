"""The panel of transfers over a real queue: buttons, keys, speed limit, and words when empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QHelpEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QToolTip,
    QWidget,
)
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Where
from sonoteca_desktop.models.transfers import Action, LineRole
from sonoteca_desktop.transfers import orders
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.views.commands import Command
from tests.kit.panel import choose, click, menu_of, names, states
from tests.kit.window import Parts, opened, sound

RAIN, WIND = sound("Rain.wav", number=1), sound("Wind.wav", number=2)
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path, [RAIN, WIND]) as parts:
        yield parts


@pytest.fixture
def busy(parts: Parts, tmp_path: Path) -> Parts:
    """The window with two downloads that wait for their turn."""
    parts.queue.download_all([RAIN, WIND], tmp_path)
    parts.transfers.poll()
    return parts


def button(parts: Parts, name: str) -> QAbstractButton:
    found = parts.window.findChild(QAbstractButton, name)
    assert isinstance(found, QAbstractButton), name
    return found


def test_an_empty_panel_says_how_transfers_begin(parts: Parts) -> None:
    label = parts.window.findChild(QLabel, "transfersEmpty")
    assert isinstance(label, QLabel)
    assert label.isVisible()
    for name in ("pauseAllButton", "resumeAllButton", "clearFinishedButton"):
        assert not button(parts, name).isEnabled()


def test_pause_and_resume_of_one_row(busy: Parts, qtbot: QtBot) -> None:
    click(busy, qtbot, 0, Action.PAUSE)
    assert states(busy) == [State.PAUSED, State.QUEUED]
    assert busy.window.transfers.list.button_rect(0, Action.PAUSE).isEmpty()
    click(busy, qtbot, 0, Action.RESUME)
    assert states(busy) == [State.QUEUED, State.QUEUED]


def test_cancel_takes_the_row_away(busy: Parts, qtbot: QtBot) -> None:
    click(busy, qtbot, 0, Action.CANCEL)
    assert states(busy) == [State.QUEUED]


def test_a_click_beside_the_buttons_does_nothing(busy: Parts, qtbot: QtBot) -> None:
    rows = busy.window.transfers.list
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(30, 20))
    assert states(busy) == [State.QUEUED, State.QUEUED]


def test_the_keyboard_does_what_the_buttons_do(busy: Parts, qtbot: QtBot) -> None:
    rows = busy.window.transfers.list
    rows.setFocus()
    rows.setCurrentIndex(busy.transfers.index(1))
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert states(busy) == [State.QUEUED, State.PAUSED]
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert states(busy) == [State.QUEUED, State.QUEUED]
    qtbot.keyClick(rows, Qt.Key.Key_Delete)
    assert states(busy) == [State.QUEUED]


def test_the_buttons_for_all(busy: Parts, qtbot: QtBot) -> None:
    qtbot.mouseClick(button(busy, "pauseAllButton"), Qt.MouseButton.LeftButton)
    assert states(busy) == [State.PAUSED, State.PAUSED]
    assert not busy.window.commands[Command.PAUSE_ALL].isEnabled()
    qtbot.mouseClick(button(busy, "resumeAllButton"), Qt.MouseButton.LeftButton)
    assert states(busy) == [State.QUEUED, State.QUEUED]


def test_a_row_has_a_menu_and_its_buttons_have_names(busy: Parts) -> None:
    rows = busy.window.transfers.list
    place = rows.button_rect(0, Action.PAUSE).center()
    asked = QHelpEvent(QHelpEvent.Type.ToolTip, place, rows.viewport().mapToGlobal(place))
    QApplication.sendEvent(rows.viewport(), asked)
    assert QToolTip.text() == "Pause"
    QToolTip.hideText()
    menu = menu_of(busy, 0)
    assert [action.text().partition("\t")[0] for action in menu.actions() if action.text()] == [
        "Pause",
        "Cancel",
        "Move to the top",
        "Move up",
        "Move down",
        "Move to the bottom",
        "Show in folder",
        "Copy address",
    ]
    choose(menu, "Pause")
    assert states(busy) == [State.PAUSED, State.QUEUED]


# ---- many at once


def test_many_are_paused_resumed_and_cancelled_together(busy: Parts, qtbot: QtBot) -> None:
    rows = busy.window.transfers.list
    rows.setFocus()
    rows.selectAll()
    qtbot.keyClick(rows, Qt.Key.Key_Space)
    assert states(busy) == [State.PAUSED, State.PAUSED]
    assert busy.player.played == []  # in the rest of the window Space plays
    qtbot.keyClick(rows, Qt.Key.Key_Space)
    assert states(busy) == [State.QUEUED, State.QUEUED]
    choose(menu_of(busy, 1), "Pause")
    assert states(busy) == [State.PAUSED, State.PAUSED]
    qtbot.keyClick(rows, Qt.Key.Key_Delete)
    assert states(busy) == []


def test_a_click_selects_and_a_button_does_not(busy: Parts, qtbot: QtBot) -> None:
    rows = busy.window.transfers.list
    middle = rows.visualRect(busy.transfers.index(1)).center()
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=middle)
    click(busy, qtbot, 0, Action.PAUSE)
    assert [each.name for each in rows.selected()] == ["Wind.wav"]


def test_keys_and_menu_change_the_order(busy: Parts, qtbot: QtBot) -> None:
    rows = busy.window.transfers.list
    rows.setFocus()
    rows.setCurrentIndex(busy.transfers.index(1))
    qtbot.keyClick(rows, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    assert names(busy) == ["Wind.wav", "Rain.wav"]
    assert [each.name for each in rows.selected()] == ["Wind.wav"]  # it is still in hand
    choose(menu_of(busy, 0), "Move to the bottom")
    assert names(busy) == ["Rain.wav", "Wind.wav"]
    qtbot.keyClick(rows, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    assert names(busy) == ["Wind.wav", "Rain.wav"]


def test_a_row_dragged_above_another_goes_there(busy: Parts) -> None:
    rows = busy.window.transfers.list
    dragged = busy.transfers.mimeData([busy.transfers.index(1)])
    top = rows.visualRect(busy.transfers.index(0)).topLeft() + QPoint(40, 5)
    drop(rows.viewport(), dragged, top, Qt.DropAction.MoveAction)
    assert names(busy) == ["Wind.wav", "Rain.wav"]


def drop(viewport: QWidget, mime: QMimeData, place: QPoint, action: Qt.DropAction) -> None:
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for event in (QDragEnterEvent, QDragMoveEvent):
        asked = event(place, action, mime, left, none)
        QApplication.sendEvent(viewport, asked)
        assert asked.isAccepted()
    QApplication.sendEvent(viewport, QDropEvent(place, action, mime, left, none))


def test_files_dropped_on_the_list_are_uploads(busy: Parts, qtbot: QtBot, tmp_path: Path) -> None:
    viewport = busy.window.transfers.list.viewport()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    with qtbot.waitSignal(busy.window.filesDropped) as dropped:
        drop(viewport, mime, QPoint(40, 20), Qt.DropAction.CopyAction)
    assert dropped.args == [[tmp_path]]
    assert names(busy) == ["Rain.wav", "Wind.wav"]


# ---- the file of a transfer, and what is known of it


def test_the_address_is_copied(busy: Parts) -> None:
    choose(menu_of(busy, 0), "Copy address")
    assert QApplication.clipboard().text() == f"http://studio:8282/data/main/{RAIN.sha256}"


def test_a_failure_is_copied_with_file_reason_and_way_out(
    parts: Parts, qtbot: QtBot, tmp_path: Path
) -> None:
    parts.queue.upload(tmp_path / "gone.wav", "")
    parts.queue.start()
    qtbot.waitUntil(lambda: states(parts) == [State.FAILED])
    parts.queue.stop()
    choose(menu_of(parts, 0), "Copy error")
    path = tmp_path / "gone.wav"
    assert QApplication.clipboard().text() == (
        f"Failed: gone.wav ({path})\n{path} is not there any more. Put the file back and try again."
    )
    assert "gone.wav is not there any more" in str(parts.transfers.index(0).data(LineRole))


def test_an_empty_file_is_mended_and_not_just_tried_again(
    parts: Parts, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "empty.wav").touch()
    parts.queue.upload(tmp_path / "empty.wav", "")
    parts.queue.start()
    qtbot.waitUntil(lambda: states(parts) == [State.FAILED])
    parts.queue.stop()
    said = "The file is empty. Put a good file there, then try again."
    assert parts.transfers.index(0).data(LineRole) == said


@pytest.mark.parametrize(("words", "opened"), [("Open", "take.wav"), ("Show in folder", "")])
def test_the_file_is_opened_and_its_folder_shown(
    parts: Parts, tmp_path: Path, opened_files: list[Path], words: str, opened: str
) -> None:
    (tmp_path / "take.wav").write_bytes(b"RIFF")
    parts.queue.upload(tmp_path / "take.wav", "")
    parts.transfers.poll()
    choose(menu_of(parts, 0), words)
    assert opened_files == [tmp_path / opened]


def test_a_file_that_is_gone_is_not_opened_but_told(
    parts: Parts, tmp_path: Path, opened_files: list[Path]
) -> None:
    parts.queue.upload(tmp_path / "gone.wav", "")
    parts.transfers.poll()
    choose(menu_of(parts, 0), "Open")
    assert opened_files == []
    notice = parts.window.library.notice
    assert notice.accessibleName() == f"“gone.wav” is no longer in {tmp_path}."


@pytest.fixture
def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What the programs of this desktop were asked to open."""
    paths: list[Path] = []

    def open_url(url: QUrl) -> bool:
        paths.append(Path(url.toLocalFile()))
        return True

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    return paths


# ---- all together, and some of them


def test_the_heading_adds_up(busy: Parts) -> None:
    label = busy.window.findChild(QLabel, "transfersTogether")
    assert isinstance(label, QLabel)
    assert label.text() == "2 to come\n0 of 2.0 KB"


def test_filters_come_with_many_and_can_be_chosen(
    parts: Parts, qtbot: QtBot, tmp_path: Path
) -> None:
    keys = parts.queue.upload_all([(tmp_path / f"{number}.wav", "") for number in range(7)])
    parts.transfers.poll()
    assert not button(parts, "filterAll").isVisible()
    parts.queue.upload(tmp_path / "7.wav", "")
    parts.transfers.poll()
    chips = [button(parts, f"filter{each}") for each in ("All", "Open", "Failed", "Done")]
    assert [each.text() for each in chips] == ["All 8", "Open 8", "Failed 0", "Done 0"]
    qtbot.mouseClick(chips[2], Qt.MouseButton.LeftButton)
    assert names(parts) == []
    none = parts.window.findChild(QLabel, "transfersNone")
    assert isinstance(none, QLabel)
    assert none.isVisible()
    qtbot.keyClick(chips[1], Qt.Key.Key_Return)
    assert len(names(parts)) == 8
    parts.queue.cancel(*keys)
    parts.transfers.poll()
    assert chips[0].isVisible()  # or nobody could leave the filter
    qtbot.mouseClick(chips[0], Qt.MouseButton.LeftButton)
    assert not chips[0].isVisible()


def test_the_table_shows_what_is_being_downloaded(busy: Parts, qtbot: QtBot) -> None:
    assert busy.sounds.where(RAIN) == Where.DOWNLOADING
    click(busy, qtbot, 0, Action.CANCEL)
    assert busy.sounds.where(RAIN) == Where.CLOUD
    assert not busy.window.grab().isNull()


def test_only_the_latest_of_what_is_done_stay_in_the_list(qtbot: QtBot, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    sounds = [sound(f"{number}.wav", number=number) for number in range(2_020)]
    server = orders.server_name("http://127.0.0.1:9")
    listed = [orders.download(server, each, tmp_path) for each in sounds]
    for row in listed[:2_010]:
        row.state = State.DONE
    for place, row in enumerate(listed):
        row.place = place
    journal.add(listed)
    journal.close()
    with opened(qtbot, tmp_path) as parts:
        assert parts.transfers.done_count == 2_010  # while there is something to do nothing goes
        parts.queue.pause_all()
        parts.transfers.poll()
        parts.transfers.poll()
        assert parts.transfers.done_count == 2_000
        assert names(parts)[10] == "2009.wav"
        assert names(parts)[-1] == "10.wav"
        assert parts.queue.local_digests() == {each.sha256 for each in sounds[:2_010]}
