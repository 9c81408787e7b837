"""The clock when there is no device: sound passes in real time, unheard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sonoteca_desktop.playback.reader import Reader

_TICK_S = 0.02
# After the computer slept, or the process stood still, the sound goes on where it was.
_LONGEST_STEP_S = 0.2


class SilentOutput:
    """Pulls frames as fast as a device would play them, and drops them."""

    def __init__(self, reader: Reader, ended: Callable[[SilentOutput], None]) -> None:
        self._reader = reader
        self._ended = ended
        self._stopped = threading.Event()
        self._clock = (0.0, 0.0)  # seconds played, and when that was so

    def start(self) -> None:
        threading.Thread(target=self._run, name="silence", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._reader.abandon()

    def set_volume(self, volume: float) -> None:
        """Nothing is heard at any volume."""

    def heard(self) -> int:
        """How many frames have passed."""
        played, at = self._clock
        past = min(time.monotonic() - at, _LONGEST_STEP_S) if at else 0.0
        return int((played + past) * self._reader.rate)

    def _run(self) -> None:
        self._clock = (0.0, time.monotonic())
        pulled = 0
        while not self._stopped.wait(_TICK_S):
            played, at = self._clock
            now = time.monotonic()
            played += min(now - at, _LONGEST_STEP_S)
            self._clock = (played, now)
            due = int(played * self._reader.rate) - pulled
            pulled += due
            if len(self._reader.pull(due)) < due * self._reader.source.frame_bytes:
                break
        if not self._stopped.is_set():
            self._ended(self)
