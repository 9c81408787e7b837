"""The table under real clicks and keys: what plays, what does not, and where typed text goes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Column
from tests.kit.table import TAKES, cell, press, words
from tests.kit.window import Parts, opened

_Q = Qt.Key

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path, TAKES) as parts:
        yield parts


def left_click(parts: Parts, qtbot: QtBot, row: int) -> None:
    view = parts.window.library.table.viewport()
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=cell(parts, row, Column.NAME))


def test_a_row_whose_menu_was_left_plays_on_a_click(parts: Parts, qtbot: QtBot) -> None:
    view, place = parts.window.library.table.viewport(), cell(parts, 0, Column.NAME)
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=place)
    QApplication.sendEvent(
        view,
        QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, view.mapToGlobal(place)),
    )
    assert parts.window.row_menu.isVisible()
    press(qtbot, parts.window.row_menu, _Q.Key_Escape)
    assert parts.player.played == []
    left_click(parts, qtbot, 0)
    assert parts.player.played == [("Rain.wav", 0.0)]


def test_a_click_on_what_is_loaded_leaves_it_where_it_is(parts: Parts, qtbot: QtBot) -> None:
    for paused in (False, True):
        left_click(parts, qtbot, 0)
        assert len(parts.player.played) == 1
        parts.player.paused = paused
    left_click(parts, qtbot, 0)
    assert len(parts.player.played) == 1
    parts.player.end()
    left_click(parts, qtbot, 0)
    assert parts.player.played == [("Rain.wav", 0.0)] * 2


def test_the_way_back_to_what_is_loaded_leaves_it_where_it_is(parts: Parts, qtbot: QtBot) -> None:
    view = parts.window.library.table.viewport()
    left_click(parts, qtbot, 0)
    parts.player.at = 3.0
    other = cell(parts, 1, Column.NAME)
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=other)
    left_click(parts, qtbot, 0)
    assert parts.window.library.table.current_sound() == TAKES[3]
    assert (len(parts.player.played), parts.player.at) == (1, 3.0)
    qtbot.mouseClick(view, Qt.MouseButton.RightButton, pos=other)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=cell(parts, 0, Column.PLAY))
    assert parts.player.paused
    assert len(parts.player.played) == 1


def test_a_click_on_one_of_several_rows_plays_it_and_a_drag_does_not(
    parts: Parts, qtbot: QtBot
) -> None:
    table = parts.window.library.table
    table.select_row(0)
    qtbot.keyClick(table, _Q.Key_A, Qt.KeyboardModifier.ControlModifier)
    view, left, place = table.viewport(), Qt.MouseButton.LeftButton, cell(parts, 1, Column.NAME)
    away = place + QPoint(QApplication.startDragDistance() * 2, 0)
    qtbot.mousePress(view, left, pos=place)
    QApplication.sendEvent(
        view,
        QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(away),
            view.mapToGlobal(QPointF(away)),
            left,
            left,
            Qt.KeyboardModifier.NoModifier,
        ),
    )
    qtbot.mouseRelease(view, left, pos=away)
    assert len(parts.player.played) == 1
    qtbot.keyClick(table, _Q.Key_A, Qt.KeyboardModifier.ControlModifier)
    left_click(parts, qtbot, 2)
    assert len(parts.player.played) == 2
    assert parts.player.sound == TAKES[1]


# ---- typing


def type_where_the_keyboard_is(qtbot: QtBot, text: str) -> None:
    for character in text:
        focus = QApplication.focusWidget()
        assert focus is not None
        qtbot.keyClicks(focus, character)


def test_what_is_typed_in_the_list_is_searched_for(parts: Parts, qtbot: QtBot) -> None:
    table, field = parts.window.library.table, parts.window.top.search
    assert table.hasFocus()
    for text, found in (("Take1", "3 of 4 sounds"), ("tin ro", "1 of 4 sounds")):
        with qtbot.waitSignal(parts.sounds.swapped):
            type_where_the_keyboard_is(qtbot, text)
        assert field.hasFocus()
        assert field.text() == text  # a new search each time, and no character is lost
        assert words(parts, "countLabel") == found
        assert parts.player.played == []
        table.setFocus()
    press(qtbot, table, _Q.Key_Backspace, _Q.Key_Delete)
    assert table.hasFocus()
    press(qtbot, table, _Q.Key_Down, _Q.Key_Space)
    assert field.text() == "tin ro"
    assert parts.player.paused


@pytest.mark.parametrize("text", ["wav", "rain", "nothing like it"])
def test_escape_clears_the_search_wherever_it_left_the_keyboard(
    parts: Parts, qtbot: QtBot, text: str
) -> None:
    with qtbot.waitSignal(parts.sounds.swapped):
        type_where_the_keyboard_is(qtbot, text)
    press(qtbot, parts.window.top.search, _Q.Key_Return)
    with qtbot.waitSignal(parts.sounds.swapped):
        QTest.keyClick(parts.window.windowHandle(), _Q.Key_Escape)
    assert parts.window.top.search.text() == ""
    assert words(parts, "countLabel") == "4 sounds"
