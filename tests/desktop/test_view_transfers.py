"""The panel of transfers over a real queue: buttons, keys, speed limit, and words when empty."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QSpinBox, QToolTip
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Where
from sonoteca_desktop.models.transfers import Action, TransferRole
from sonoteca_desktop.transfers.queue import State, Transfer
from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.dialogs import LimitDialog
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


def states(parts: Parts) -> list[State]:
    model = parts.transfers
    rows: list[Transfer] = [model.index(row).data(TransferRole) for row in range(model.rowCount())]
    return [row.state for row in rows]


def click(parts: Parts, qtbot: QtBot, row: int, action: Action) -> None:
    rows = parts.window.transfers.list
    place = rows.button_rect(row, action)
    assert not place.isEmpty(), f"no button {action} in row {row}"
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place.center())


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
    rows.customContextMenuRequested.emit(place)
    menu = QApplication.activePopupWidget()
    assert menu is not None
    assert [action.text() for action in menu.actions()] == ["Pause", "Cancel"]
    menu.actions()[0].trigger()
    menu.close()
    assert states(busy) == [State.PAUSED, State.QUEUED]


def test_the_table_shows_what_is_being_downloaded(busy: Parts, qtbot: QtBot) -> None:
    assert busy.sounds.where(RAIN) == Where.DOWNLOADING
    click(busy, qtbot, 0, Action.CANCEL)
    assert busy.sounds.where(RAIN) == Where.CLOUD
    assert not busy.window.grab().isNull()


# ---- speed limit


def limits(parts: Parts) -> list[str]:
    return [
        action.text() for action in parts.window.transfers.limit.menu.actions() if action.text()
    ]


def test_a_limit_is_chosen_from_the_menu_and_applies_at_once(parts: Parts) -> None:
    limit = parts.window.transfers.limit
    assert limits(parts) == ["Unlimited", "256 KB/s", "1 MB/s", "5 MB/s", "Custom…"]
    assert limit.text() == "No speed limit"
    limit.menu.actions()[2].trigger()
    assert parts.queue.limit == 1_000_000
    assert limit.accessibleName() == "Speed limit: Up to 1 MB/s"
    limit.menu.actions()[0].trigger()
    assert parts.queue.limit is None


def test_a_limit_of_ones_own(parts: Parts, qtbot: QtBot) -> None:
    limit = parts.window.transfers.limit
    limit.menu.actions()[-1].trigger()
    dialog = parts.window.findChild(LimitDialog, "limitDialog")
    assert isinstance(dialog, LimitDialog)
    field = dialog.findChild(QSpinBox, "limitField")
    assert isinstance(field, QSpinBox)
    field.setValue(1500)
    set_limit = dialog.findChild(QAbstractButton, "limitSet")
    qtbot.mouseClick(set_limit, Qt.MouseButton.LeftButton)
    assert parts.queue.limit == 1_500_000
    assert limit.text() == "Up to 1.5 MB/s"
    assert limit.menu.actions()[-1].isChecked()


def test_enter_sets_the_limit(parts: Parts, qtbot: QtBot) -> None:
    parts.window.transfers.limit.menu.actions()[-1].trigger()
    field = parts.window.findChild(QSpinBox, "limitField")
    assert isinstance(field, QSpinBox)
    qtbot.keyClicks(field, "1500")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert parts.queue.limit == 1_500_000


def test_a_cancelled_dialog_leaves_the_limit(parts: Parts) -> None:
    limit = parts.window.transfers.limit
    limit.menu.actions()[-1].trigger()
    dialog = parts.window.findChild(LimitDialog, "limitDialog")
    assert isinstance(dialog, LimitDialog)
    dialog.reject()
    assert parts.queue.limit is None
    assert limit.menu.actions()[0].isChecked()
    assert not limit.menu.actions()[-1].isChecked()
