"""Mouse and keyboard on the list of transfers: nothing goes that nobody meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.transfers import Action, TransferRole
from sonoteca_desktop.transfers import orders
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.transfers.ranking import Move
from tests.kit.panel import choose, click, menu_of, names, states
from tests.kit.window import Parts, opened, sound

RAIN, WIND = sound("Rain.wav", number=1), sound("Wind.wav", number=2)
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def busy(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    """The window with two downloads that wait for their turn."""
    with opened(qtbot, tmp_path, [RAIN, WIND]) as parts:
        parts.queue.download_all([RAIN, WIND], tmp_path)
        parts.transfers.poll()
        yield parts


def test_a_button_acts_only_where_it_was_pressed(busy: Parts, qtbot: QtBot) -> None:
    rows = busy.window.transfers.list
    left, viewport = Qt.MouseButton.LeftButton, rows.viewport()
    pause, cancel = (rows.button_rect(0, each).center() for each in (Action.PAUSE, Action.CANCEL))
    for elsewhere in (QPoint(30, 20), pause, rows.button_rect(1, Action.CANCEL).center()):
        qtbot.mousePress(viewport, left, pos=elsewhere)
        qtbot.mouseRelease(viewport, left, pos=cancel)
    qtbot.mousePress(viewport, left, pos=cancel)
    busy.transfers.move([busy.transfers.index(1).data(TransferRole).key], Move.TOP)
    qtbot.mouseRelease(viewport, left, pos=cancel)
    qtbot.mouseRelease(viewport, left, pos=cancel)
    assert sorted(names(busy)) == ["Rain.wav", "Wind.wav"]


def test_a_quick_second_click_does_not_take_the_next_row(busy: Parts, qtbot: QtBot) -> None:
    rows = busy.window.transfers.list
    cancel = rows.button_rect(0, Action.CANCEL).center()
    click(busy, qtbot, 0, Action.CANCEL)
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    where = rows.viewport().mapToGlobal(cancel)
    second = QMouseEvent(QMouseEvent.Type.MouseButtonDblClick, cancel, where, left, left, none)
    QApplication.sendEvent(rows.viewport(), second)
    qtbot.mouseRelease(rows.viewport(), left, pos=cancel)
    assert names(busy) == ["Wind.wav"]


@pytest.mark.parametrize("pin", ["", "repository main"])
def test_enter_takes_nothing_away(qtbot: QtBot, tmp_path: Path, pin: str) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    row = orders.download(orders.server_name("http://127.0.0.1:9"), RAIN, tmp_path)
    row.state, row.kept = State.VERIFYING, pin
    journal.add([row])
    journal.close()
    with opened(qtbot, tmp_path) as parts:
        rows = parts.window.transfers.list
        rows.setFocus()
        rows.selectAll()
        qtbot.keyClick(rows, Qt.Key.Key_Return)
        assert states(parts) == [State.VERIFYING]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("Remove from the list", [State.QUEUED, State.PAUSED]),
        ("Cancel", [State.FAILED, State.DONE]),
        (Qt.Key.Key_Delete, [State.FAILED, State.DONE]),
    ],
)
def test_of_a_mixed_selection_only_what_it_fits_goes(
    qtbot: QtBot, tmp_path: Path, words: str | Qt.Key, left: list[State]
) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    sounds = [sound(f"{number}.wav", number=number) for number in range(4)]
    server = orders.server_name("http://127.0.0.1:9")
    listed = [orders.download(server, each, tmp_path) for each in sounds]
    for row, state in zip(
        listed, (State.QUEUED, State.PAUSED, State.FAILED, State.DONE), strict=True
    ):
        row.state = state
    journal.add(listed)
    journal.close()
    with opened(qtbot, tmp_path) as parts:
        rows = parts.window.transfers.list
        rows.setFocus()
        rows.selectAll()
        if isinstance(words, str):
            choose(menu_of(parts, 0), words)
        else:
            qtbot.keyClick(rows, words)
        assert states(parts) == left
