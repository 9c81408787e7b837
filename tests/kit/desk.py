"""A desktop's transfers in a test: they can be quit, started again and waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import State, Transfer, TransferQueue
from sonoteca_desktop.transfers.soundcache import SoundCache
from tests.kit.faults import FaultyServer


class Workplace:
    """A desktop: a queue on a journal, which can be quit and started again."""

    heard: SoundCache | None = None

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.home = folder / "home"
        self.home.mkdir()
        self.sounds = folder / "sounds"
        self.sounds.mkdir()
        self.changed = threading.Condition()
        self.changes = 0
        self.told: list[str] = []
        self.running = False
        self.open()

    def open(self, *, start: bool = True) -> None:
        self.journal = Journal(self.home / "transfers.db", self.told.append)
        self.client = Client(self.url)
        self.queue = TransferQueue(
            self.journal, self.client, changed=self.note_change, heard=self.heard
        )
        if start:
            self.queue.start()
        self.running = True

    def quit(self) -> None:
        if self.running:
            self.queue.stop()
            self.journal.close()
            self.client.close()
        self.running = False

    def restart(self) -> None:
        self.quit()
        self.open()

    def note_change(self) -> None:
        with self.changed:
            self.changes += 1
            self.changed.notify_all()

    def until(self, condition: Callable[[], bool], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        with self.changed:
            while not condition():
                assert time.monotonic() < deadline, self.queue.snapshot()
                self.changed.wait(0.01)  # progress is not told

    def until_state(self, key: int, state: State) -> Transfer:
        self.until(lambda: self[key].state is state)
        return self[key]

    def __getitem__(self, key: int) -> Transfer:
        return next(each for each in self.queue.snapshot() if each.key == key)

    @property
    def names(self) -> list[str]:
        return sorted(each.name for each in self.sounds.iterdir())


class Desk(Workplace):
    """A desktop whose server misbehaves."""

    def __init__(self, server: FaultyServer, folder: Path) -> None:
        self.server = server
        super().__init__(server.url, folder)

    def fetch(self, data: bytes, name: str = "a.wav") -> int:
        return self.queue.download(self.server.add(data, name, "field"), self.sounds)
