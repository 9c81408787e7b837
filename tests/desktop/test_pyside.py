"""The Qt binding itself: a fault in it that kills the program before any other test shows it."""

import sys

from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot


def test_pyside_keeps_its_hands_off_none(qtbot: QtBot) -> None:
    # PySide6 6.12.0 drops one reference to None with each call that returns it. On Python 3.11 the
    # interpreter aborts after about 5,000 of them: one repaint of a waveform.
    label = QLabel()
    qtbot.addWidget(label)
    before = sys.getrefcount(None)
    for _ in range(500):
        label.setText("x")
    assert sys.getrefcount(None) > before - 100
