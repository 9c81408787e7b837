"""How long the window thread is away while four downloads run as fast as they can.

Example: QT_QPA_PLATFORM=offscreen .venv/bin/python -m tests.bench.window_gap [FOLDER ON TMPFS]

A timer of 5 ms in the real window tells the time between its ticks; the server is its own process.
`--many COUNT` takes so many small files in place of the four large ones.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import requests
from PySide6.QtCore import QEventLoop, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.background import Sweeper
from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.views.theme import Theme
from tests.kit.http import server_process
from tests.kit.wavs import write_wav

TICK_MS = 5
AT_ONCE = 4
FRAMES = 100_000_000  # 400 MB
IDLE_SECONDS = 5


class Ticks(QObject):
    """When a timer of the window thread ticked."""

    def __init__(self) -> None:
        super().__init__()
        self._times: list[float] = []
        self._timer = QTimer(self, interval=TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._watch = QTimer(self, interval=100)
        self._watch.timeout.connect(self._look)
        self._over: Callable[[], bool] = bool
        self._loop = QEventLoop(self)

    def during(self, over: Callable[[], bool]) -> list[float]:
        """The milliseconds between ticks until something is so."""
        self._times, self._over = [], over
        self._timer.start()
        self._watch.start()
        self._loop.exec()
        self._timer.stop()
        self._watch.stop()
        return [1000 * (after - before) for before, after in pairwise(self._times)]

    def _tick(self) -> None:
        self._times.append(time.monotonic())

    def _look(self) -> None:
        if self._over():
            self._loop.quit()


def resident() -> int:
    """Bytes of this process in memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("VmRSS:")[2].split()[0])


def waited() -> float:
    """Seconds for which the window's thread could have run and had no core."""
    status = Path("/proc/self/task", str(threading.get_native_id()), "schedstat")
    return int(status.read_text(encoding="ascii").split()[1]) / 1e9


def say(name: str, gaps: list[float]) -> None:
    """The middle, the 99th in 100, the worst, and how many were over 40 ms."""
    cuts = statistics.quantiles(gaps, n=100)
    late = sum(gap > 40 for gap in gaps)
    print(
        f"{name}: median {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, most {max(gaps):.0f} ms,"
        f" {late} of {len(gaps)} over 40 ms",
        flush=True,
    )


def put_files(url: str, folder: Path, count: int, frames: int) -> None:
    """Fill the library."""
    for number in range(count):
        path = write_wav(folder / "a.wav", frames=frames, seed=number)
        with path.open("rb") as file:
            answer = requests.post(f"{url}/post?name={number}.wav", data=file, timeout=120)
        answer.raise_for_status()
        path.unlink()


def measure(client: Desktop, folder: Path, count: int) -> None:
    """At rest, then while everything is downloaded."""
    ticks = Ticks()
    ticks.during(lambda: client.sounds.rowCount() == count)
    began = time.monotonic()
    say("at rest", ticks.during(lambda: time.monotonic() - began > IDLE_SECONDS))
    before, waited_before = resident(), waited()
    client.queue.arrangement.set_at_once(AT_ONCE)
    sounds = [client.sounds.sound(row) for row in range(client.sounds.rowCount())]
    wanted = [sound for sound in sounds if sound is not None]
    began = time.monotonic()
    client.queue.download_all(wanted, folder)
    gaps = ticks.during(lambda: not client.queue.busy)
    seconds = time.monotonic() - began
    states = [each.state for each in client.queue.snapshot()]
    assert states == [State.DONE] * count, states
    size = sum(sound.size for sound in wanted)
    say(f"{count} downloads", gaps)
    print(
        f"{size / 1e6 / seconds:.0f} MB/s, {count / seconds:.0f} files a second; memory before "
        f"{before >> 20} MiB, after {resident() >> 20} MiB; {threading.active_count()} threads;"
        f" the window waited {waited() - waited_before:.1f} s of {seconds:.1f} s for a core"
    )


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--many", type=int, default=0)
    given = parser.parse_args()
    application = QApplication([])
    theme = Theme()
    theme.apply(application)
    sweeper = Sweeper(application)
    with (
        tempfile.TemporaryDirectory(dir=given.folder) as name,
        server_process(Path(name) / "library") as server,
    ):
        folder = Path(name)
        count, frames = (given.many, 1000) if given.many else (AT_ONCE, FRAMES)
        put_files(server.url, folder, count, frames)
        client = Desktop(server.url, folder / "client", theme=theme)
        client.start()
        (folder / "sounds").mkdir()
        try:
            measure(client, folder / "sounds", count)
        finally:
            client.close()
    sweeper.deleteLater()
    return 0


if __name__ == "__main__":
    sys.exit(main())
