"""A journal whose disk takes nothing for a while: the window goes on, and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.transfers import Action
from sonoteca_desktop.transfers import orders
from sonoteca_desktop.transfers.journal import Journal, Row
from sonoteca_desktop.transfers.plan import State
from sonoteca_desktop.transfers.ranking import Move
from tests.kit.panel import click, names, states
from tests.kit.slow_disk import SlowDisk, slow_disk
from tests.kit.window import Parts, opened, sound

SOUNDS = [sound(f"{number}.wav", number=number) for number in range(4)]
HERE = orders.server_name("http://127.0.0.1:9")
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SlowDisk]:
    with slow_disk(tmp_path / "disk") as disk:
        yield disk


def known(disk: SlowDisk) -> list[Row]:
    journal = Journal(disk.folder / "journal.sqlite")
    rows = journal.rows(HERE)
    journal.close()
    return rows


def is_alive(qtbot: QtBot) -> bool:
    """Whether an event of the window happens."""
    ticked: list[bool] = []
    QTimer.singleShot(0, lambda: ticked.append(True))
    qtbot.waitUntil(lambda: bool(ticked))
    return True


def test_the_window_goes_on_and_all_that_was_asked_for_is_kept(
    disk: SlowDisk, qtbot: QtBot
) -> None:
    with opened(qtbot, disk.folder, SOUNDS) as parts:
        parts.queue.download_all(SOUNDS[:3], disk.folder)
        parts.transfers.poll()
        with disk.frozen():
            ask_for_much(parts, qtbot, disk)
            assert is_alive(qtbot)
            assert disk.is_frozen
            assert names(parts) == ["2.wav", "1.wav", "3.wav"]
            assert states(parts) == [State.PAUSED] * 3
    assert [(row.name, row.state) for row in known(disk) if not row.removed] == [
        ("2.wav", State.PAUSED),
        ("1.wav", State.PAUSED),
        ("3.wav", State.PAUSED),
    ]
    journal = Journal(disk.folder / "journal.sqlite")
    assert (journal.limit(), journal.at_once(), journal.several()) == (50_000, 5, True)
    journal.close()


def ask_for_much(parts: Parts, qtbot: QtBot, disk: SlowDisk) -> None:
    """One of each kind of what a hand can do with the panel."""
    model = parts.transfers
    model.pause_all()
    click(parts, qtbot, 0, Action.RESUME)
    click(parts, qtbot, 0, Action.CANCEL)
    parts.queue.download_all(SOUNDS[3:], disk.folder)
    model.pause_all()
    [two] = [each.key for each in parts.queue.snapshot() if each.name == "2.wav"]
    model.move([two], Move.TOP)
    model.set_limit(50_000)
    model.set_at_once(5)
    model.set_several(several=True)
