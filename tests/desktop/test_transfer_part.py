"""The part file: what the journal is told, and when, while several write into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import pytest

from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.part import Part
from sonoteca_desktop.transfers.segments import Segments
from tests.kit.fetching import share_small_files

SIZE = 400_000


@dataclass
class Told:
    """A part file of one segment, and what it told the journal."""

    part: Part
    journal: list[Segments]
    file: FileIO

    def begin(self) -> int:
        segment = self.part.take()
        assert segment is not None
        return segment.start


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    share_small_files(monkeypatch)
    journal: list[Segments] = []
    with target.open_part(tmp_path / "a.wav.part") as file:
        part = Part(file, Segments.begin(SIZE), remember=journal.append, progressed=lambda _: None)
        yield Told(part, journal, file)


def test_the_journal_knows_of_a_new_segment_before_it_has_bytes(told: Told) -> None:
    told.begin()
    assert told.journal == []
    start = told.begin()
    assert start == SIZE // 2
    assert [each.start for each in told.journal[-1]] == [0, start]
    assert told.file.seek(0, 2) == 0


def test_what_comes_while_the_disk_is_busy_is_not_counted_as_safe(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = told.begin()
    other = told.begin()
    real = target.sync

    def sync(file: FileIO) -> None:
        real(file)
        told.part.keep(other, b"x" * 500)  # after all that was there went to the disk

    told.part.keep(start, b"x" * 1000)
    monkeypatch.setattr(target, "sync", sync)
    told.part.sync()
    assert told.journal[-1].safe == 1000
    monkeypatch.undo()
    told.part.sync()
    assert told.journal[-1].safe == 1500
    assert told.journal[-1].text == f"[[0,{other},1000],[{other},{SIZE},{other + 500}]]"
