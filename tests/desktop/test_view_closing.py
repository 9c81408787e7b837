"""Closing and quitting over transfers, what is chosen for good, and the icon in the tray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QDialog, QSystemTrayIcon
from pytestqt.qtbot import QtBot

from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.dialogs import ClosingAnswer, ClosingQuestion, QuitQuestion
from sonoteca_desktop.views.tray import Tray, tray_pixmap
from tests.kit.window import Parts, opened, sound

RAIN = sound("Rain.wav", number=1)
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path, [RAIN]) as parts:
        yield parts


@pytest.fixture
def busy(parts: Parts, tmp_path: Path) -> Parts:
    """The window with a download that waits for its turn."""
    parts.queue.download(RAIN, tmp_path)
    parts.transfers.poll()
    return parts


def click(qtbot: QtBot, dialog: QDialog, name: str) -> None:
    button = dialog.findChild(QAbstractButton, name)
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def asked(parts: Parts, kind: type[QDialog]) -> QDialog:
    [question] = [each for each in parts.window.findChildren(kind) if each.isVisible()]
    return question


def close_and_keep(parts: Parts, qtbot: QtBot, *, always: bool) -> None:
    parts.window.close()
    question = asked(parts, ClosingQuestion)
    if always:
        box = question.findChild(QCheckBox, "closingAlways")
        assert box is not None
        qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    click(qtbot, question, "closingKeep")


def test_what_was_chosen_for_good_is_not_asked_again(busy: Parts, qtbot: QtBot) -> None:
    window = busy.window
    with qtbot.waitSignal(window.leaving.chosen) as chosen:
        close_and_keep(busy, qtbot, always=True)
    assert chosen.args == [ClosingAnswer.KEEP]
    assert window.commands[Command.KEEP_RUNNING].isChecked()
    window.showNormal()
    with qtbot.assertNotEmitted(window.closing):
        window.close()
    assert window.isMinimized()
    window.commands[Command.KEEP_RUNNING].trigger()  # the way back
    window.close()
    asked(busy, ClosingQuestion).reject()


def test_chosen_for_once_it_is_asked_again(busy: Parts, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(busy.window.leaving.chosen):
        close_and_keep(busy, qtbot, always=False)
    busy.window.close()
    asked(busy, ClosingQuestion).reject()


def test_with_a_tray_the_window_goes_away_and_comes_back(busy: Parts, qtbot: QtBot) -> None:
    busy.window.leaving.has_tray = True
    close_and_keep(busy, qtbot, always=True)
    assert not busy.window.isVisible()
    busy.window.commands[Command.QUIT].trigger()
    question = asked(busy, QuitQuestion)  # it has a window to be asked in
    assert question.accessibleName() == "Quit with 1 transfer running?"
    with qtbot.waitSignal(busy.window.closing):
        click(qtbot, question, "quitNow")


@pytest.mark.parametrize("has_tray", [True, False])
def test_nothing_plays_on_where_nobody_could_stop_it(
    busy: Parts, qtbot: QtBot, has_tray: bool
) -> None:
    window = busy.window
    window.leaving.has_tray = has_tray
    window.library.table.select_row(0)
    assert busy.player.playing
    window.close()
    question = asked(busy, ClosingQuestion)
    assert busy.player.playing  # the window may stay
    assert "starting Sonoteca again" in question.accessibleDescription()
    click(qtbot, question, "closingKeep")
    assert busy.player.paused
    window.showNormal()
    window.leaving.set_choice(ClosingAnswer.KEEP)
    window.close()
    assert busy.player.paused  # and does not begin anew
    window.showNormal()
    qtbot.keyClick(window.library.table, Qt.Key.Key_Space)
    assert busy.player.playing


def test_who_always_stops_is_never_asked(busy: Parts, qtbot: QtBot) -> None:
    busy.window.leaving.set_choice(ClosingAnswer.STOP)
    assert not busy.window.commands[Command.KEEP_RUNNING].isChecked()
    with qtbot.waitSignal(busy.window.closing):
        busy.window.close()


def test_quitting_asks_once_and_can_be_cancelled(busy: Parts, qtbot: QtBot) -> None:
    busy.window.leaving.set_choice(ClosingAnswer.KEEP)  # that is for closing, not for quitting
    quit_action = busy.window.commands[Command.QUIT]
    quit_action.trigger()
    quit_action.trigger()
    with qtbot.assertNotEmitted(busy.window.closing):
        click(qtbot, asked(busy, QuitQuestion), "quitCancel")
    quit_action.trigger()
    asked(busy, QuitQuestion).reject()


def test_quitting_with_nothing_under_way_just_quits(parts: Parts, qtbot: QtBot) -> None:
    with qtbot.waitSignal(parts.window.closing):
        parts.window.commands[Command.QUIT].trigger()


# ---- the tray


def ring(parts: Parts, share: float | None) -> int:
    """How many pixels of the outermost line have the colour of what is done."""
    image = tray_pixmap(parts.theme, share).toImage()
    accent = parts.theme.color("accent")
    middle, radius = image.width() / 2, image.width() / 2 - 4
    colors = [
        QColor(image.pixelColor(x, y))
        for x in range(image.width())
        for y in range(image.height())
        if abs(((x - middle) ** 2 + (y - middle) ** 2) ** 0.5 - radius) < 1
    ]
    return sum(color.rgb() == accent.rgb() for color in colors)


def test_the_ring_closes_as_transfers_go_on(parts: Parts) -> None:
    lengths = [ring(parts, share) for share in (0.0, 0.25, 0.5, 1.0)]
    assert lengths == sorted(set(lengths))
    assert ring(parts, 0.5) == pytest.approx(ring(parts, 1.0) / 2, rel=0.1)


@pytest.mark.qt_log_ignore("No such signal QPlatformNativeInterface", extend=True)
def test_the_icon_says_what_is_going_on_and_brings_the_window_back(
    busy: Parts, qtbot: QtBot, tmp_path: Path
) -> None:
    commands = busy.window.commands
    tray = Tray(busy.theme, busy.transfers, [commands[Command.PAUSE_ALL]], busy.window)
    assert tray.icon.toolTip() == "Sonoteca\n1 to come\n0 of 1.0 KB"
    before = tray.icon.icon().pixmap(64).toImage()
    menu = tray.icon.contextMenu()
    assert [each.text() for each in menu.actions()] == ["Show Sonoteca", "Pause all transfers"]
    menu.actions()[1].trigger()
    assert tray.icon.toolTip().startswith("Sonoteca\n1 paused")
    assert tray.icon.icon().pixmap(64).toImage() != before  # without its ring
    with qtbot.waitSignal(tray.showRequested):
        tray.icon.activated.emit(QSystemTrayIcon.ActivationReason.Trigger)
    with qtbot.waitSignal(tray.showRequested):
        menu.actions()[0].trigger()
    with qtbot.assertNotEmitted(tray.showRequested):
        tray.icon.activated.emit(QSystemTrayIcon.ActivationReason.Context)
    tray.close()
    assert not tray.icon.isVisible()
    del tmp_path
