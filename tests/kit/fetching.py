"""One download of a test, without a queue: what it told of itself, and what it asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers import fetching as fetching_module
from sonoteca_desktop.transfers import segments as segments_module
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.connections import Connections
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.download import Download, Landed, Wanted
from sonoteca_desktop.transfers.segments import Segments
from sonoteca_shared import digests
from sonoteca_shared.models import Sound
from tests.kit.faults import FaultyServer


@dataclass
class Fetching:
    """One download into a folder, run as often as is needed, and what it told of itself."""

    server: FaultyServer
    sound: Sound
    folder: Path
    segments: Segments = field(init=False)
    positions: list[int] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    bandwidth: Bandwidth = field(default_factory=Bandwidth)
    check: bool = True
    several: bool = False

    def __post_init__(self) -> None:
        self.segments = Segments.begin(self.sound.size)
        self.connections = Connections(several=self.several)
        self.wanted = Wanted(
            url=self.sound.links.file,
            size=self.sound.size,
            etag=digests.etag(self.sound.sha256),
            sha256=self.sound.sha256,
            path=self.folder / self.sound.name,
            part=self.folder / f"{self.sound.name}.0123abcd.part",
        )
        self.control = self._new_control()

    def _new_control(self) -> Control:
        return Control(
            self.bandwidth,
            progressed=self.positions.append,
            committed=lambda _: None,
            stepping=lambda _: self.check,
        )

    @property
    def durable(self) -> int:
        """How many bytes the journal would count."""
        return self.segments.safe

    @durable.setter
    def durable(self, count: int) -> None:
        self.segments = Segments.read("", size=self.sound.size, safe=count)

    def _remember(self, segments: Segments) -> None:
        self.commits.append(segments.safe)
        # As the journal keeps it.
        self.segments = Segments.read(segments.text, size=self.sound.size, safe=segments.safe)

    def run(self) -> Landed:
        client = Client(self.server.url)
        try:
            return Download(
                client,
                self.wanted,
                self.segments,
                self.control,
                remember=self._remember,
                connections=self.connections,
            ).run()
        finally:
            client.close()
            self.control = self._new_control()

    @property
    def names(self) -> list[str]:
        return sorted(each.name for each in self.folder.iterdir())

    @property
    def ranges(self) -> list[str | None]:
        return [each.headers.get("Range") for each in self.server.asked]


def share_small_files(monkeypatch: pytest.MonkeyPatch, big: int = 100_000) -> None:
    """Let files of this size count as big, so that tests need not move gigabytes."""
    monkeypatch.setattr(segments_module, "BIG", big)
    monkeypatch.setattr(segments_module, "LEAST", big // 5)
    monkeypatch.setattr(fetching_module, "BLOCK", big // 10)  # always less than the least
    monkeypatch.setattr(fetching_module, "ROOM", big)
