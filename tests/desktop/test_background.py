"""What the window thread does alone, how often it is told, and who leaves it the cores."""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from sonoteca_desktop.background import Sweeper, Throttle
from tests.kit.desktop import desktop


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


def test_news_told_a_thousand_times_are_passed_on_once(qtbot: QtBot) -> None:
    throttle = Throttle(60_000)
    heard: list[str] = []
    throttle.news.connect(lambda: heard.append(threading.current_thread().name))

    def tell() -> None:
        for _ in range(1000):
            throttle.tell()

    worker = threading.Thread(target=tell, name="worker")
    worker.start()
    worker.join()
    qtbot.waitUntil(lambda: heard == ["MainThread"])
    with qtbot.assertNotEmitted(throttle.news, wait=50):
        throttle.tell()


def test_news_told_while_news_are_heard_are_not_lost(qtbot: QtBot) -> None:
    throttle = Throttle(1)
    heard: list[int] = []

    def hear() -> None:
        heard.append(1)
        if len(heard) < 5:
            throttle.tell()

    throttle.news.connect(hear)
    throttle.tell()
    qtbot.waitUntil(lambda: len(heard) == 5)


def priority(thread: threading.Thread) -> int:
    """How far a thread stands back behind others."""
    assert thread.native_id is not None
    return os.getpriority(os.PRIO_PROCESS, thread.native_id)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of single threads")
def test_transfers_leave_the_cores_to_the_window(qtbot: QtBot, tmp_path: Path) -> None:
    window = threading.main_thread()
    before = priority(window)
    with desktop(qtbot, "http://127.0.0.1:9", tmp_path):
        workers = [each for each in threading.enumerate() if each.name.startswith("transfer-")]
        assert workers
        qtbot.waitUntil(lambda: all(priority(each) > before for each in workers))
        assert priority(window) == before
