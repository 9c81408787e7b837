"""The button of the speed limit over a real queue: limits, hours, and how many run at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QTime
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QMenu, QSpinBox, QTimeEdit
from pytestqt.qtbot import QtBot

from sonoteca_desktop.transfers.schedule import Schedule
from sonoteca_desktop.views.dialogs import LimitDialog
from sonoteca_desktop.views.schedule import ScheduleDialog
from tests.kit.window import Parts, opened

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path) as parts:
        yield parts


def limits(parts: Parts) -> list[str]:
    return [
        action.text() for action in parts.window.transfers.limit.menu.actions() if action.text()
    ]


def custom(parts: Parts) -> QAction:
    actions = parts.window.transfers.limit.menu.actions()
    return next(action for action in actions if action.text() == "Custom…")


def test_a_limit_is_chosen_from_the_menu_and_applies_at_once(parts: Parts) -> None:
    limit = parts.window.transfers.limit
    assert limits(parts) == [
        *("Unlimited", "256 KB/s", "1 MB/s", "5 MB/s", "Custom…"),
        *("At certain hours…", "Transfers at once"),
    ]
    assert limit.text() == "No speed limit"
    limit.menu.actions()[2].trigger()
    assert parts.queue.limit == 1_000_000
    assert limit.accessibleName() == "Speed limit: Up to 1 MB/s"
    limit.menu.actions()[0].trigger()
    assert parts.queue.limit is None


def test_a_limit_of_ones_own(parts: Parts, qtbot: QtBot) -> None:
    limit = parts.window.transfers.limit
    custom(parts).trigger()
    dialog = parts.window.findChild(LimitDialog, "limitDialog")
    assert isinstance(dialog, LimitDialog)
    field = dialog.findChild(QSpinBox, "limitField")
    assert isinstance(field, QSpinBox)
    field.setValue(1500)
    set_limit = dialog.findChild(QAbstractButton, "limitSet")
    qtbot.mouseClick(set_limit, Qt.MouseButton.LeftButton)
    assert parts.queue.limit == 1_500_000
    assert limit.text() == "Up to 1.5 MB/s"
    assert custom(parts).isChecked()


def test_enter_sets_the_limit(parts: Parts, qtbot: QtBot) -> None:
    custom(parts).trigger()
    field = parts.window.findChild(QSpinBox, "limitField")
    assert isinstance(field, QSpinBox)
    qtbot.keyClicks(field, "1500")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert parts.queue.limit == 1_500_000


def test_a_cancelled_dialog_leaves_the_limit(parts: Parts) -> None:
    limit = parts.window.transfers.limit
    custom(parts).trigger()
    dialog = parts.window.findChild(LimitDialog, "limitDialog")
    assert isinstance(dialog, LimitDialog)
    dialog.reject()
    assert parts.queue.limit is None
    assert limit.menu.actions()[0].isChecked()
    assert not custom(parts).isChecked()


# ---- hours, and how many at once


def test_hours_with_a_limit_of_their_own(parts: Parts, qtbot: QtBot) -> None:
    limit = parts.window.transfers.limit
    [hours] = [each for each in limit.menu.actions() if each.text() == "At certain hours…"]
    for on, expected in ((True, Schedule(start=1350, end=405, limit=800_000)), (False, None)):
        hours.trigger()
        dialog = parts.window.findChildren(ScheduleDialog)[-1]
        check = dialog.findChild(QCheckBox, "scheduleOn")
        start, end = (
            dialog.findChild(QTimeEdit, "scheduleStart"),
            dialog.findChild(QTimeEdit, "scheduleEnd"),
        )
        field = dialog.findChild(QSpinBox, "scheduleLimit")
        assert check is not None
        assert start is not None
        assert end is not None
        assert isinstance(field, QSpinBox)
        assert check.isChecked() is not on  # as it was left
        qtbot.mouseClick(check, Qt.MouseButton.LeftButton, pos=QPoint(8, check.height() // 2))
        assert start.isEnabled() is on
        start.setTime(QTime(22, 30))
        end.setTime(QTime(6, 45))
        field.setValue(800)
        button_of = dialog.findChild(QAbstractButton, "scheduleSet")
        qtbot.mouseClick(button_of, Qt.MouseButton.LeftButton)
        assert parts.queue.arrangement.schedule == expected
        assert hours.isChecked() is on


def test_the_button_says_the_limit_of_the_hour(parts: Parts) -> None:
    parts.transfers.set_limit(1_000_000)
    parts.transfers.set_schedule(Schedule(start=0, end=0, limit=256_000))
    assert parts.window.transfers.limit.text() == "Up to 256 KB/s"


def test_how_many_run_at_once_is_chosen_and_shown(parts: Parts) -> None:
    menu = parts.window.transfers.limit.menu.actions()[-1].menu()
    assert isinstance(menu, QMenu)
    assert [each.text() for each in menu.actions()] == ["1", "2", "3", "4", "5", "6"]
    assert menu.actions()[2].isChecked()
    menu.actions()[4].trigger()
    assert parts.queue.arrangement.at_once == 5
    assert [each.isChecked() for each in menu.actions()].index(True) == 4
