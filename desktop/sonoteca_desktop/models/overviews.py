"""Waveform overviews: from memory, from this computer's cache, else fetched and announced."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.client import Client, ServerRefusedError, ServerUnreachableError
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound
from sonoteca_shared.peaks import Peaks, parse

_FINEST = 256  # samples per pixel, of which every other zoom is a multiple
_PIXELS = 1_500
_KEPT = 1_000
_WAITING = 200


class Overviews(QObject):
    """Gives the overview of a sound at once, or starts to fetch it.

    Signals:
        arrived(str): the overview of the sound with this SHA-256 is here now.
    """

    arrived = Signal(str)

    def __init__(self, client: Client, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client
        self._folder = folder
        self._kept: OrderedDict[str, Peaks | None] = OrderedDict()
        self._waiting: OrderedDict[str, Sound] = OrderedDict()
        self._news = threading.Condition()
        self._closing = False
        folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._fetch_all, name="overviews", daemon=True)
        self._thread.start()

    def get(self, sound: Sound, points: int) -> Peaks | None:
        """The overview where it is here; None until it has come. It has 1,500 points or more."""
        del points  # one zoom serves the table and the player: neither is 1,500 bars wide
        with self._news:
            if sound.sha256 in self._kept:
                self._kept.move_to_end(sound.sha256)
                return self._kept[sound.sha256]
            # What was painted last is what is looked at: it comes first.
            self._waiting[sound.sha256] = sound
            self._waiting.move_to_end(sound.sha256)
            while len(self._waiting) > _WAITING:
                self._waiting.popitem(last=False)
            self._news.notify()
        return None

    def forget_missing(self) -> None:
        """Ask again for what was not there: the server may have it now."""
        with self._news:
            for sha256 in [sha256 for sha256, peaks in self._kept.items() if peaks is None]:
                del self._kept[sha256]

    def close(self) -> None:
        """End the thread."""
        with self._news:
            self._closing = True
            self._news.notify()
        self._thread.join(timeout=2)

    def _fetch_all(self) -> None:
        while True:
            with self._news:
                while not self._waiting and not self._closing:
                    self._news.wait()
                if self._closing:
                    return
                sha256, sound = self._waiting.popitem()
            peaks = self._find(sound)
            with self._news:
                self._kept[sha256] = peaks
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
                closing = self._closing
            if peaks is not None and not closing:
                self.arrived.emit(sha256)

    def _find(self, sound: Sound) -> Peaks | None:
        spp = _FINEST * max(1, sound.frames // (_FINEST * _PIXELS))
        path = self._folder / f"{sound.sha256}-{spp}.dat"
        with contextlib.suppress(OSError, ValueError):
            return parse(path.read_bytes())
        if sound.links.peaks is None:
            return None
        try:
            data = self._client.peaks(sound, spp)
            peaks = parse(data)
        except (ServerUnreachableError, ServerRefusedError, SonotecaError, ValueError):
            return None
        with contextlib.suppress(OSError):  # without the cache it is only fetched again
            part = path.with_suffix(".part")
            part.write_bytes(data)
            part.replace(path)
        return peaks
