"""What was heard is kept, and given up oldest first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_shared.ranges import ByteRange

BLOCK = bytes(range(256)) * 256  # 64 KiB
SIZE = 10 * len(BLOCK)


def hear(cache: SoundCache, name: str, at: int = 0, *, age: int = 0) -> None:
    """Listen to one block of a sound, so many seconds ago."""
    heard = cache.open(name, SIZE)
    heard.write(at, BLOCK)
    heard.keep()
    if age:
        note = heard.path.with_suffix(".ranges")
        past = note.stat().st_mtime - age
        os.utime(note, (past, past))


def kept(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.heard"))


def test_what_was_heard_is_there_after_a_restart(tmp_path: Path) -> None:
    hear(SoundCache(tmp_path), "rain", at=3 * len(BLOCK))
    again = SoundCache(tmp_path).open("rain", SIZE)
    assert again.present == [ByteRange(3 * len(BLOCK), 4 * len(BLOCK))]
    assert again.read(3 * len(BLOCK), SIZE) == BLOCK


@pytest.mark.parametrize("harm", ["cut", "no note", "bad note", "other size"])
def test_what_may_not_be_whole_is_not_believed(tmp_path: Path, harm: str) -> None:
    hear(SoundCache(tmp_path), "rain")
    size = SIZE
    if harm == "cut":
        os.truncate(tmp_path / "rain.heard", 100)
    elif harm == "no note":
        (tmp_path / "rain.ranges").unlink()
    elif harm == "bad note":
        (tmp_path / "rain.ranges").write_bytes(b"\0" * 40)
    else:
        size = SIZE + 1
    assert SoundCache(tmp_path).open("rain", size).present == []


def test_the_oldest_goes_first_when_there_is_too_much(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path, budget=2 * len(BLOCK) + 8192)
    for age, name in ((300, "a"), (100, "b"), (200, "c")):
        hear(cache, name, age=age)
    hear(cache, "d")
    assert kept(tmp_path) == ["b", "d"]


def test_what_is_heard_now_stays_whatever_it_takes(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path, budget=len(BLOCK))
    playing = cache.open("long", SIZE)
    for number in range(10):
        playing.write(number * len(BLOCK), BLOCK)
    playing.keep()
    os.utime(tmp_path / "long.ranges", (0, 0))
    hear(cache, "other")
    assert playing.read(0, SIZE) == BLOCK * 10
    assert "long" in kept(tmp_path)
    del playing
    hear(cache, "another")
    assert "long" not in kept(tmp_path)


def test_a_smaller_budget_counts_from_the_next_start(tmp_path: Path) -> None:
    hear(SoundCache(tmp_path), "rain")
    SoundCache(tmp_path, budget=0)
    assert kept(tmp_path) == []


def test_what_lies_here_as_a_file_is_not_kept_twice(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    playing = cache.open("rain", SIZE)
    playing.write(0, BLOCK)
    playing.keep()
    cache.drop("rain")
    assert list(tmp_path.iterdir()) == []
    assert playing.read(0, 10) == BLOCK[:10]  # who reads it now goes on
    playing.keep()
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_stands_still_lends_what_it_has(tmp_path: Path) -> None:
    part = tmp_path / "rain.wav.part"
    part.write_bytes(BLOCK + b"not safe yet")
    cache = SoundCache(tmp_path / "heard")
    safe = [ByteRange(0, len(BLOCK))]
    cache.lend_from(lambda sha256: (part, safe) if sha256 == "rain" else None)
    heard = cache.open("rain", SIZE)
    part.unlink()
    assert heard.available(0) == len(BLOCK)
    heard.write(len(BLOCK), b"more")
    assert heard.read(len(BLOCK) - 2, 100) == BLOCK[-2:] + b"more"
    assert heard.gap(10) == ByteRange(len(BLOCK) + 4, SIZE)
