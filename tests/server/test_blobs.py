"""What every store of blobs has to do, whichever it is; `STORES` names them."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sonoteca_server.storage import BlobMissingError, Blobs, Filed
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.errors import NoSpaceError
from sonoteca_shared.ids import is_id, new_id

DATA = bytes(range(256)) * 40
STORES: dict[str, Callable[[Path], Blobs]] = {"local": LocalBlobs}


@pytest.fixture(params=sorted(STORES))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Blobs]:
    """Opens the store; a second call finds what the first one left, as after a restart."""
    return lambda: STORES[request.param](tmp_path / "store")


@pytest.fixture
def blobs(make: Callable[[], Blobs]) -> Blobs:
    return make()


def kept(blobs: Blobs, data: bytes = DATA) -> str:
    part = blobs.begin()
    part.append(data)
    return blobs.keep(part)


def content(blobs: Blobs, key: str) -> bytes:
    blob = blobs.open(key)
    try:
        return blob.read_at(0, blob.size + 1)
    finally:
        blob.close()


def keys(blobs: Blobs, ending: str = "") -> set[str]:
    return {listed.key for listed in blobs.list_blobs(ending)}


@pytest.mark.parametrize("data", [DATA, b"", b"x"], ids=len)
def test_what_was_kept_is_there_under_a_key_of_its_own(
    make: Callable[[], Blobs], data: bytes
) -> None:
    blobs = make()
    first, second = kept(blobs, data), kept(blobs, data)
    assert first != second
    assert is_id(first)
    assert content(blobs, first) == content(blobs, second) == content(make(), first) == data


def test_a_part_knows_what_came_so_far(blobs: Blobs) -> None:
    part = blobs.begin()
    for start in range(0, len(DATA), 1000):
        part.append(memoryview(DATA)[start : start + 1000])
    assert part.size == len(DATA)
    assert part.sha256 == hashlib.sha256(DATA).hexdigest()
    assert part.crc32 == zlib.crc32(DATA)
    assert part.read_at(5, 10) == DATA[5:15]
    assert part.read_at(len(DATA) - 1, 10) == DATA[-1:]
    part.discard()
    assert keys(blobs) == set()


@pytest.mark.parametrize(("offset", "count"), [(0, 1), (100, 1000), (len(DATA) - 3, 10)])
def test_any_range_can_be_read(blobs: Blobs, offset: int, count: int) -> None:
    blob = blobs.open(kept(blobs))
    assert blob.read_at(offset, count) == DATA[offset : offset + count]
    assert blob.size == len(DATA)
    blob.close()
    blob.close()


def test_a_key_that_is_not_there_is_missing(blobs: Blobs) -> None:
    with pytest.raises(BlobMissingError):
        blobs.open(new_id())
    blobs.discard(new_id())


def test_what_is_discarded_is_gone_but_read_to_its_end(blobs: Blobs) -> None:
    key, other = kept(blobs), kept(blobs)
    blob = blobs.open(key)
    blobs.discard(key)
    blobs.discard(key)
    assert blob.read_at(0, len(DATA)) == DATA
    blob.close()
    with pytest.raises(BlobMissingError):
        blobs.open(key)
    assert keys(blobs) == {other}


def test_discarding_a_part_that_was_kept_changes_nothing(blobs: Blobs) -> None:
    part = blobs.begin()
    part.append(DATA)
    key = blobs.keep(part)
    part.discard()
    assert content(blobs, key) == DATA


def test_a_crash_before_keeping_leaves_no_blob_and_the_sweep_no_rubbish(
    make: Callable[[], Blobs], tmp_path: Path
) -> None:
    part = make().begin()
    part.append(DATA)
    after = make()
    assert keys(after) == set()
    after.sweep()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    part.discard()


def test_the_sweep_leaves_what_comes_in_now(blobs: Blobs) -> None:
    part = blobs.begin()
    part.append(DATA)
    blobs.sweep()
    part.append(DATA)
    assert content(blobs, blobs.keep(part)) == DATA * 2


@contextmanager
def full_disk(store: str, call: str) -> Iterator[None]:
    """The store has no room at this step."""

    def full(*_args: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert store == "local"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path if call == "rename" else os, call, full)
        yield


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
@pytest.mark.parametrize("store", sorted(STORES))
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, store: str, call: str) -> None:
    blobs = STORES[store](tmp_path)
    before = kept(blobs)
    part = blobs.begin()
    part.append(DATA)

    def finish() -> None:
        part.append(DATA)
        blobs.keep(part)

    with full_disk(store, call), pytest.raises(NoSpaceError):
        finish()
    part.discard()
    assert keys(blobs) == {before}
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    assert content(blobs, kept(blobs)) == DATA


def test_a_disk_that_fills_up_after_some_bytes_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, room = os.pwrite, [100]

    def little(fd: int, data: memoryview, at: int) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = pwrite(fd, data[: room[0]], at)
        room[0] -= written
        return written

    part = LocalBlobs(tmp_path).begin()
    monkeypatch.setattr(os, "pwrite", little)
    with pytest.raises(NoSpaceError):
        part.append(DATA)
    part.discard()
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_listing_has_keys_by_their_ending_and_when_they_were_kept(blobs: Blobs) -> None:
    made = {kept(blobs, b"x") for _ in range(40)}
    assert keys(blobs) == made
    by_digit = [keys(blobs, digit) for digit in "0123456789abcdef"]
    assert set().union(*by_digit) == made
    assert sum(len(each) for each in by_digit) == len(made)
    key = next(iter(made))
    assert keys(blobs, key[-4:]) == {each for each in made if each.endswith(key[-4:])}
    moments = {listed.kept for listed in blobs.list_blobs()}
    assert max(moments) - min(moments) < 10


def test_a_listing_while_others_write_misses_nothing_that_was_there(blobs: Blobs) -> None:
    before, doomed = (
        {kept(blobs, b"x") for _ in range(100)},
        {kept(blobs, b"y") for _ in range(100)},
    )
    stop = threading.Event()

    def churn() -> None:
        for key in doomed:
            blobs.discard(key)
        while not stop.is_set():
            blobs.discard(kept(blobs, b"z"))

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(20):
            assert before <= keys(blobs)
    finally:
        stop.set()
        thread.join()
    assert keys(blobs) == before


def test_a_folder_that_cannot_be_read_ends_the_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = LocalBlobs(tmp_path)
    kept(blobs)

    def broken(_path: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        keys(blobs)


def test_what_lies_between_the_blobs_and_is_none_of_ours_is_left_alone(tmp_path: Path) -> None:
    blobs: Blobs = LocalBlobs(tmp_path)
    key = kept(blobs)
    for stray in ("blobs/notes.txt", f"blobs/{key[-2:]}/notes.txt", "blobs/lost+found/x"):
        (tmp_path / stray).parent.mkdir(exist_ok=True)
        (tmp_path / stray).write_bytes(b"")
    assert keys(blobs) == {key}


def test_a_local_blob_is_a_file_of_its_own(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    filed: Filed = blobs
    assert filed.path(kept(blobs)).read_bytes() == DATA
    with pytest.raises(NoSpaceError):
        blobs.check_room(1, least=1 << 60)
