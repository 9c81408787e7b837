"""A part file that fills in any order."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoteca_desktop.transfers.rangecache import Loan, RangeCache
from sonoteca_shared.ranges import ByteRange

CONTENT = bytes(range(1, 251)) * 4


@pytest.fixture
def cache(tmp_path: Path) -> RangeCache:
    return RangeCache(tmp_path / "sound.part", len(CONTENT))


def fill(cache: RangeCache, start: int, end: int) -> None:
    cache.write(start, CONTENT[start:end])


def test_reads_only_what_is_there(cache: RangeCache) -> None:
    fill(cache, 100, 200)
    fill(cache, 300, 400)

    assert cache.read(150, 500) == CONTENT[150:200]
    assert cache.read(99, 10) == b""
    assert cache.read(200, 10) == b""
    assert cache.read(390, 5) == CONTENT[390:395]
    assert cache.gap(100) == ByteRange(200, 300)
    assert (cache.total, cache.complete) == (200, False)


def test_a_filled_cache_is_the_file(cache: RangeCache) -> None:
    for start in (500, 0, 750, 250):
        fill(cache, start, start + 250)
    assert cache.complete
    assert cache.gap(0) is None
    assert cache.path.read_bytes() == CONTENT


def test_goes_on_with_what_an_earlier_run_left(cache: RangeCache) -> None:
    fill(cache, 0, 300)
    cache.sync()
    again = RangeCache(cache.path, cache.size, cache.present)
    assert again.read(0, 1000) == CONTENT[:300]
    assert again.present == [ByteRange(0, 300)]


def test_wakes_who_waits_when_the_bytes_come(cache: RangeCache) -> None:
    writer = threading.Thread(target=fill, args=(cache, 0, 100))
    writer.start()
    assert cache.wait(10, 90, timeout=10)
    assert cache.read(10, 90) == CONTENT[10:100]
    writer.join()


def test_waiting_past_the_end_means_up_to_the_end(cache: RangeCache) -> None:
    fill(cache, 900, 1000)
    assert cache.wait(950, 4096, timeout=10)


def test_waiting_ends_in_time_or_when_it_is_in_vain(cache: RangeCache) -> None:
    assert not cache.wait(0, 1, timeout=0.01)
    assert not cache.wait(0, 1, unless=lambda: True)
    closer = threading.Thread(target=cache.close)
    closer.start()
    assert not cache.wait(0, 1, timeout=10)
    closer.join()


def test_a_discarded_cache_leaves_no_file_but_still_reads(cache: RangeCache) -> None:
    fill(cache, 0, 10)
    cache.discard()
    assert not cache.path.exists()
    assert cache.read(0, 10) == CONTENT[:10]


def test_gives_its_file_back_when_nobody_holds_it(tmp_path: Path) -> None:
    cache = RangeCache(tmp_path / "sound.part", 10)
    number = os.open(cache.path, os.O_RDONLY)  # the next free one after that of the cache
    os.close(number)
    del cache
    freed = os.open(tmp_path / "sound.part", os.O_RDONLY)
    os.close(freed)
    assert freed < number


def test_many_writers_and_readers_never_see_a_wrong_byte(cache: RangeCache) -> None:
    wrong: list[int] = []

    def write(first: int) -> None:
        for start in range(first, 1000, 40):
            fill(cache, start, start + 10)

    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 10, 20, 30)]
    for each in threads:
        each.start()
    while not cache.complete:
        for start in range(0, 1000, 70):
            got = cache.read(start, 70)
            if got != CONTENT[start : start + len(got)]:
                wrong.append(start)
    for each in threads:
        each.join()
    assert not wrong
    assert cache.path.read_bytes() == CONTENT


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 999), st.integers(1, 300)), max_size=12))
def test_any_order_of_writing_gives_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, int]]
) -> None:
    cache = RangeCache(tmp_path_factory.mktemp("cache") / "sound.part", len(CONTENT))
    for start, count in writes:
        fill(cache, start, min(start + count, 1000))
    for each in cache.present:
        assert cache.read(each.start, len(each)) == CONTENT[each.start : each.end]


def lend(cache: RangeCache, folder: Path, *parts: ByteRange, name: str = "lent.part") -> Loan:
    """Let a download in several segments lend these parts, of a file that has nothing else."""
    with (folder / name).open("w+b", buffering=0) as file:
        for part in parts:
            os.pwrite(file.fileno(), CONTENT[part.start : part.end], part.start)
        return cache.lend(file.fileno(), parts)


def test_what_a_download_lends_in_parts_is_read_with_what_was_heard(
    cache: RangeCache, tmp_path: Path
) -> None:
    lend(cache, tmp_path, ByteRange(0, 100), ByteRange(400, 500))
    fill(cache, 100, 250)
    fill(cache, 500, 510)
    assert cache.read(50, 1000) == CONTENT[50:250]
    assert cache.read(450, 1000) == CONTENT[450:510]
    assert cache.gap(0) == ByteRange(250, 400)
    assert cache.gap(400) == ByteRange(510, 1000)


def test_a_listener_knows_what_the_download_brings_next(cache: RangeCache, tmp_path: Path) -> None:
    loan = lend(cache, tmp_path, ByteRange(0, 10))
    cache.lent(loan, None, [10, 500])
    assert cache.is_coming(12, 5)
    assert cache.is_coming(500, 5)
    assert not cache.is_coming(16, 5)
    assert not cache.is_coming(499, 5)  # what lies before is fetched by nobody
    cache.lent(loan, None, [])
    assert not cache.is_coming(12, 5)


def test_two_downloads_lend_each_what_is_in_its_own_file(cache: RangeCache, tmp_path: Path) -> None:
    first = lend(cache, tmp_path, ByteRange(0, 100), name="first.part")
    lend(cache, tmp_path, ByteRange(300, 400), name="second.part")
    with (tmp_path / "first.part").open("r+b") as file:
        file.write(CONTENT[:200])
    cache.lent(first, ByteRange(100, 200), [200])
    assert cache.read(0, 1000) == CONTENT[:200]
    assert cache.gap(0) == ByteRange(200, 300)
    assert cache.read(300, 1000) == CONTENT[300:400]


def test_a_download_that_begins_again_lends_no_more_what_it_had(
    cache: RangeCache, tmp_path: Path
) -> None:
    lend(cache, tmp_path, ByteRange(0, 100))
    lend(cache, tmp_path, ByteRange(0, 10))
    assert cache.read(0, 1000) == CONTENT[:10]


def test_a_file_that_somebody_has_cut_is_a_gap(cache: RangeCache, tmp_path: Path) -> None:
    lend(cache, tmp_path, ByteRange(0, 200))
    fill(cache, 200, 300)
    os.truncate(tmp_path / "lent.part", 50)
    assert cache.read(0, 1000) == CONTENT[:50]
    assert cache.gap(0) == ByteRange(0, 200)
    assert cache.read(200, 1000) == CONTENT[200:300]


def test_what_the_disk_does_not_give_back_is_a_gap(
    cache: RangeCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: int) -> bytes:
        raise OSError(errno.EIO, "the disk is broken")

    fill(cache, 0, 200)
    monkeypatch.setattr(os, "pread", fail)
    assert cache.read(0, 100) == b""
    assert cache.gap(0) == ByteRange(0, 1000)


def test_only_the_segment_that_somebody_waits_for_is_in_a_hurry(cache: RangeCache) -> None:
    cache.hurry(ByteRange(500, 600))
    assert [cache.hurried(at, at + 250) for at in (0, 250, 500, 550, 600, 750)] == [
        False, False, True, True, False, False,
    ]  # fmt: skip
    cache.hurry(None)
    assert not cache.hurried(500, 750)
