"""The panel of transfers, as hands and eyes use it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.transfers import Action, TransferRole
from sonoteca_desktop.transfers.queue import State, Transfer
from tests.kit.window import Parts


def states(parts: Parts) -> list[State]:
    """How the rows stand, from top to bottom."""
    model = parts.transfers
    rows: list[Transfer] = [model.index(row).data(TransferRole) for row in range(model.rowCount())]
    return [row.state for row in rows]


def names(parts: Parts) -> list[str]:
    """What the rows are called, from top to bottom."""
    model = parts.transfers
    return [str(model.index(row).data()) for row in range(model.rowCount())]


def click(parts: Parts, qtbot: QtBot, row: int, action: Action) -> None:
    """Click a button of a row."""
    rows = parts.window.transfers.list
    place = rows.button_rect(row, action)
    assert not place.isEmpty(), f"no button {action} in row {row}"
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=place.center())


def menu_of(parts: Parts, row: int) -> QMenu:
    """The menu of a row, opened as the right button does."""
    rows = parts.window.transfers.list
    place = rows.visualRect(parts.transfers.index(row)).center()
    asked = QContextMenuEvent(
        QContextMenuEvent.Reason.Mouse, place, rows.viewport().mapToGlobal(place)
    )
    QApplication.sendEvent(rows.viewport(), asked)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def choose(menu: QMenu, words: str) -> None:
    """Choose what a menu offers in these words."""
    [action] = [each for each in menu.actions() if each.text().partition("\t")[0] == words]
    action.trigger()
    menu.close()
