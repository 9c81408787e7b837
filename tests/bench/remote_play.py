"""How soon a sound that is not on this computer is heard, over a slow line.

Example: QT_QPA_PLATFORM=offscreen .venv/bin/python -m tests.bench.remote_play
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import requests
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication

from sonoteca_desktop.client import Client
from sonoteca_desktop.playback.engine import Player
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_shared.models import Sound
from tests.kit.audio import CapturingOutputs
from tests.kit.http import server_process
from tests.kit.throttle import line
from tests.kit.wavs import write_wav

ROUNDS = 5
RATE = 2_000_000


def wait(look: Callable[[], bool]) -> float:
    """Milliseconds until it is so."""
    began = time.monotonic()
    while not look():
        QCoreApplication.processEvents()
        time.sleep(0.001)
        if time.monotonic() - began > 20:
            raise TimeoutError
    return 1000 * (time.monotonic() - began)


def play_once(url: str, sound: Sound, cache: Path) -> tuple[float, float]:
    """Milliseconds to the first sound, and to sound after a seek to 90 %."""
    ears = CapturingOutputs()
    player = Player(Client(url), SoundCache(cache), ears)
    player.play(sound, local=None)
    start = wait(lambda: bool(ears.outputs and ears.last.captured.strip(b"\0")))
    wait(lambda: player.position() > 0.5)
    before = len(ears.last.captured)
    player.seek(0.9 * sound.duration)
    seek = wait(lambda: _goes_on(ears, before))
    player.shutdown()
    return start, seek


def main() -> int:
    """Measure, and print medians with their range."""
    application = QApplication([])
    figures: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory() as name, server_process(Path(name) / "library") as server:
        folder = Path(name)
        path = write_wav(
            folder / "a.wav", samplerate=96_000, bits=24, frames=36_000_000, container="RF64"
        )
        size = path.stat().st_size
        with path.open("rb") as file:
            requests.post(f"{server.url}/post?name=a.wav", data=file, timeout=60)
        sound = msgspec.convert(requests.get(f"{server.url}/info", timeout=10).json()[0], Sound)
        for number in range(ROUNDS):
            with line(server.url, rate=RATE) as slow:
                start, seek = play_once(slow.url, sound, folder / f"cache{number}")
                figures.append((start, seek, 100 * slow.sent / size))
    units = ("ms to the first sound", "ms to sound after a seek to 90 %", "% of the file fetched")
    for unit, values in zip(units, zip(*figures, strict=True), strict=True):
        print(f"{statistics.median(values):.1f} [{min(values):.1f} .. {max(values):.1f}] {unit}")
    del application
    return 0


def _goes_on(ears: CapturingOutputs, before: int) -> bool:
    """Whether sound came after the silence that a seek into the unknown begins with."""
    fresh = ears.last.captured[before:]
    gap = fresh.find(bytes(8 * 960))
    return gap >= 0 and bool(fresh[gap:].strip(b"\0"))


if __name__ == "__main__":
    sys.exit(main())
