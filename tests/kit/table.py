"""The table of a window with four sounds: where its cells are, keys for it, and what labels say."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Column
from tests.kit.window import Parts, sound

TAKES = [
    sound("take1.wav", folder="day 1", number=1),
    sound("take1.wav", folder="day 2", number=2),
    sound("take1.wav", folder="day 3", number=3),
    sound("Rain.wav", number=4, description="on a tin roof"),
]


def press(qtbot: QtBot, widget: QWidget, *keys: Qt.Key) -> None:
    """Press and release keys, one after the other."""
    for key in keys:
        qtbot.keyClick(widget, key)


def words(parts: Parts, name: str) -> str:
    """What the label of this name says."""
    label = parts.window.findChild(QLabel, name)
    assert isinstance(label, QLabel)
    return label.text()


def cell(parts: Parts, row: int, column: Column) -> QPoint:
    """The middle of a cell, in the table's own coordinates."""
    table = parts.window.library.table
    return table.visualRect(parts.sounds.index(row, column)).center()
