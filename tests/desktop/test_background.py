"""Garbage is collected in the window thread alone."""

from __future__ import annotations

import gc
import threading
import weakref

from pytestqt.qtbot import QtBot

from sonoteca_desktop.background import Sweeper


class Ring:
    """Something that only the collector can free; says in which thread that was."""

    def __init__(self, freed: list[str]) -> None:
        self.me = self
        weakref.finalize(self, lambda: freed.append(threading.current_thread().name))


def test_a_worker_never_collects_but_the_window_does(qtbot: QtBot) -> None:
    sweeper = Sweeper()
    freed: list[str] = []
    Ring(freed)

    def allocate() -> None:
        kept: list[list[int]] = [[] for _ in range(100_000)]
        assert kept

    worker = threading.Thread(target=allocate, name="worker")
    worker.start()
    worker.join()
    assert freed == []
    assert not gc.isenabled()
    qtbot.waitUntil(lambda: freed == ["MainThread"], timeout=8_000)
    sweeper.deleteLater()
