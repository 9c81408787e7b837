"""A window over a real mirror and a real queue, with a player that plays on paper."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonoteca_desktop.client import Client
from sonoteca_desktop.models.sounds import SoundsModel
from sonoteca_desktop.models.transfers import TransfersModel
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import TransferQueue
from sonoteca_desktop.views.connection import Connection, Reach
from sonoteca_desktop.views.main_window import MainWindow
from sonoteca_desktop.views.theme import Theme
from sonoteca_shared.models import Change, ChangePage, Links, Sound
from sonoteca_shared.peaks import Peaks

_NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def sound(name: str, *, folder: str = "", number: int = 0, **facts: object) -> Sound:
    """A sound of the catalogue; `number` sets its id, its size and when it came."""
    sha256 = hashlib.sha256(f"{folder}/{name}/{number}".encode()).hexdigest()
    plain: dict[str, object] = {
        "id": f"id-{number}",
        "rev": 1,
        "repository": "main",
        "folder": folder,
        "name": name,
        "sha256": sha256,
        "size": 1000 + number,
        "duration": 10.0 + number,
        "samplerate": 48_000,
        "bitdepth": 24,
        "channels": 2,
        "frames": 480_000,
        "format": "pcm",
        "container": "RIFF",
        "created": _NOON + timedelta(minutes=number),
        "links": Links(file=f"/data/main/{sha256}"),
    }
    return Sound(**(plain | facts))  # type: ignore[arg-type]


def fill(mirror: Mirror, sounds: Sequence[Sound], *, gone: Sequence[Sound] = ()) -> None:
    """Let the mirror follow a feed that brings these sounds and takes those."""
    changes = [
        Change(type="sound.created", id=each.id, rev=each.rev, at=_NOON, sound=each)
        for each in sounds
    ]
    changes += [
        Change(type="sound.trashed", id=each.id, rev=each.rev, at=_NOON, sound=None)
        for each in gone
    ]
    mirror.apply(ChangePage(cursor="1", more=False, results=changes))


class PaperPlayer(QObject):
    """Does what the real player does, but for the sound."""

    started = Signal(str)
    stopped = Signal(str)
    finished = Signal(str)
    failed = Signal(str, str)
    deviceChanged = Signal(str)  # noqa: N815 - the real player's name

    def __init__(self) -> None:
        super().__init__()
        self.sound: Sound | None = None
        self.paused = False
        self.buffering = False
        self.volume = 1.0
        self.at = 0.0
        self.played: list[tuple[str, float]] = []

    @property
    def playing(self) -> bool:
        return self.sound is not None and not self.paused

    def play(self, sound: Sound, start: float) -> None:
        self.sound, self.paused, self.at = sound, False, start
        self.played.append((sound.name, start))
        self.started.emit(sound.id)

    def toggle(self) -> None:
        self.paused = not self.paused

    def seek(self, seconds: float) -> None:
        self.at = seconds

    def position(self) -> float:
        return self.at

    def set_volume(self, volume: float) -> None:
        self.volume = volume

    def end(self) -> None:
        """The end was heard."""
        assert self.sound is not None
        sound, self.sound, self.at = self.sound, None, 0.0
        self.finished.emit(sound.id)


class PaperPeaks(QObject):
    """A saw tooth for every sound, once it was told to arrive."""

    arrived = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.here = True

    def get(self, sound: Sound, points: int) -> Peaks | None:
        del sound
        if not self.here:
            return None
        values = array("h")
        for step in range(points * 2):
            height = 32_000 * (step % 50) // 50
            values.extend((-height, height))
        return Peaks(48_000, 256, 1, 16, values)


@dataclass
class Parts:
    """A window and all that it shows."""

    window: MainWindow
    mirror: Mirror
    sounds: SoundsModel
    queue: TransferQueue
    transfers: TransfersModel
    player: PaperPlayer
    peaks: PaperPeaks
    theme: Theme


@contextmanager
def opened(qtbot: QtBot, folder: Path, sounds: Sequence[Sound] = ()) -> Iterator[Parts]:
    """A window on the screen with these sounds; no worker is started: nothing is transferred."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme = Theme()
    theme.apply(application)
    mirror = Mirror(folder / "mirror.sqlite")
    fill(mirror, sounds)
    journal, client = Journal(folder / "journal.sqlite"), Client("http://127.0.0.1:9")
    queue = TransferQueue(journal, client, changed=_nothing)
    model, transfers = SoundsModel(mirror, debounce_ms=10), TransfersModel(queue)
    player, peaks = PaperPlayer(), PaperPeaks()
    window = MainWindow(
        model,
        transfers,
        player,
        peaks,
        theme=theme,
        server="studio",
        server_url="http://studio:8282/",
        volume=0.5,
    )
    window.playRequested.connect(player.play)
    with qtbot.waitSignal(model.swapped):
        model.refresh()
    window.show_connection(Connection(Reach.ONLINE, "studio"))
    window.show()
    qtbot.waitExposed(window)
    window.activateWindow()
    try:
        yield Parts(window, mirror, model, queue, transfers, player, peaks, theme)
    finally:
        transfers.stop()
        model.close()
        window.hide()
        window.deleteLater()
        mirror.close()
        journal.close()
        client.close()


def _nothing() -> None:
    """What the queue tells here: the tests look at the model themselves."""
