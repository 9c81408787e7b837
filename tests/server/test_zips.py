"""Zips as other programs read them, and any range of them against the whole."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_server.library.zips import Entry, Part, Zip, entry_of
from sonoteca_shared.ranges import ByteRange
from tests.kit import engines

GiB = 1 << 30
JUDGES = {
    "unzip": ("unzip", "-tqq"),
    "7z": ("7z", "t", "-bso0", "-bsp0"),
    "bsdtar": ("bsdtar", "-xOf"),
}


def stored(name: str, data: bytes) -> Entry:
    """A file whose blob is called like its bytes."""
    return Entry(name, len(data), zlib.crc32(data), data.hex())


def joined(zipped: Zip, part: ByteRange | None = None) -> bytes:
    """A range of a zip of such files."""
    pieces = []
    for piece in zipped.cut(part or ByteRange(0, zipped.size)):
        if isinstance(piece, Part):
            data = bytes.fromhex(piece.blob)
            assert len(data) == piece.size
            pieces.append(data[piece.start : piece.end])
        else:
            pieces.append(piece)
    return b"".join(pieces)


def judge(name: str, path: Path) -> None:
    """Have a program read all of a zip; what it says is shown when it finds fault."""
    engines.require(name)
    quiet, pipe = subprocess.DEVNULL, subprocess.PIPE
    done = subprocess.run([*JUDGES[name], str(path)], stdout=quiet, stderr=pipe, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def write_sparse(zipped: Zip, path: Path) -> None:
    """Write a zip in which every blob is zeroes, without writing those."""
    with path.open("wb") as file:
        for piece in zipped.cut(ByteRange(0, zipped.size)):
            if isinstance(piece, Part):
                file.seek(piece.end - piece.start, os.SEEK_CUR)
            else:
                file.write(piece)


def zeroes_crc32(size: int) -> int:
    """The CRC-32 of so many zeroes."""
    block, crc32 = bytes(1 << 24), 0
    for _ in range(size // len(block)):
        crc32 = zlib.crc32(block, crc32)
    return zlib.crc32(bytes(size % len(block)), crc32)


def test_python_reads_back_what_went_in() -> None:
    files = {"a.wav": b"RIFF" * 100, "Türe/雨 (2).wav": b"x", "empty": b"", "b/c/d.txt": b"hello"}
    zipped = Zip([*(stored(n, d) for n, d in files.items()), entry_of("MANIFEST.json", b"{}\n")])
    data = joined(zipped)
    assert len(data) == zipped.size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {info.filename: archive.read(info) for info in archive.infolist()} == (
            files | {"MANIFEST.json": b"{}\n"}
        )
        (first, *_) = archive.infolist()
    assert (first.compress_type, first.date_time) == (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0))
    assert (first.external_attr >> 16, first.flag_bits) == (0o100644, 0x800)


def test_the_same_files_make_the_same_bytes_whenever(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [stored("a.wav", b"abc"), stored("b.wav", b"de")]
    first = joined(Zip(files))
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert joined(Zip(iter(files))) == first
    assert joined(Zip(files[::-1])) != first


@pytest.mark.parametrize("name", JUDGES)
def test_others_find_no_fault(tmp_path: Path, name: str) -> None:
    rng = random.Random(1)
    names = ["a.wav", "Türe zu.wav", "雨/夜.wav", "sub/sub/c.wav", "empty.wav", "x" * 200 + ".wav"]
    files = [stored(n, b"" if n == "empty.wav" else rng.randbytes(5_000)) for n in names]
    (tmp_path / "a.zip").write_bytes(joined(Zip(files)))
    judge(name, tmp_path / "a.zip")


@pytest.mark.parametrize("name", JUDGES)
def test_the_judges_notice_a_flipped_bit(tmp_path: Path, name: str) -> None:
    data = bytearray(joined(Zip([stored("a.wav", bytes(5_000)), stored("b.wav", b"x")])))
    data[1_000] ^= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(AssertionError):
        judge(name, tmp_path / "a.zip")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of more files than 16 bits count."""
    path = tmp_path_factory.mktemp("many") / "many.zip"
    path.write_bytes(joined(Zip(entry_of(f"{n:05d}.txt", b"%d" % n) for n in range(70_000))))
    return path


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip with a file of more than 4 GiB and one behind it, without room for the zeroes."""
    path = tmp_path_factory.mktemp("huge") / "huge.zip"
    size = 4 * GiB + 12_345
    large = Entry("large.wav", size, zeroes_crc32(size), "zeroes")
    write_sparse(Zip([entry_of("a.txt", b"first"), large, entry_of("b.txt", b"last")]), path)
    return path


@pytest.mark.parametrize("name", JUDGES)
def test_others_read_seventy_thousand_files(many: Path, name: str) -> None:
    judge(name, many)


def test_python_reads_seventy_thousand_files(many: Path) -> None:
    with zipfile.ZipFile(many) as archive:
        assert len(archive.namelist()) == 70_000
        assert archive.read("69999.txt") == b"69999"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "name",
    ["7z", "bsdtar", pytest.param("unzip", marks=pytest.mark.long)],
)
def test_others_read_a_file_of_more_than_4_gib(huge: Path, name: str) -> None:
    judge(name, huge)


def test_others_find_the_file_behind_4_gib(huge: Path) -> None:
    for program in (("unzip", "-p"), ("7z", "e", "-so")):
        engines.require(program[0])
        done = subprocess.run([*program, str(huge), "b.txt"], capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (0, b"last")


@pytest.mark.timeout(120)
def test_python_reads_a_file_of_more_than_4_gib(huge: Path) -> None:
    with zipfile.ZipFile(huge) as archive:
        assert archive.getinfo("large.wav").file_size == 4 * GiB + 12_345
        assert archive.getinfo("b.txt").header_offset > 4 * GiB
        assert (archive.read("a.txt"), archive.read("b.txt")) == (b"first", b"last")


_FILES = st.lists(
    st.tuples(st.text("abö/", min_size=1, max_size=9), st.binary(max_size=40), st.booleans()),
    max_size=40,
)


@given(_FILES, st.data())
def test_any_range_is_that_part_of_the_whole(
    files: list[tuple[str, bytes, bool]], data: st.DataObject
) -> None:
    zipped = Zip(stored(n, d) if apart else entry_of(n, d) for n, d, apart in files)
    whole = joined(zipped)
    assert len(whole) == zipped.size
    start = data.draw(st.integers(0, zipped.size - 1))
    end = data.draw(st.integers(start + 1, zipped.size))
    assert joined(zipped, ByteRange(start, end)) == whole[start:end]


def test_any_range_of_many_files_is_that_part_of_the_whole(many: Path) -> None:
    whole = many.read_bytes()
    zipped = Zip(entry_of(f"{n:05d}.txt", b"%d" % n) for n in range(70_000))
    rng = random.Random(2)
    for _ in range(300):
        start = rng.randrange(zipped.size)
        end = min(zipped.size, start + rng.choice([1, 50, 5_000]))
        assert joined(zipped, ByteRange(start, end)) == whole[start:end]


def numbered(count: int) -> Iterable[Entry]:
    """Files as a library has them."""
    for n in range(count):
        yield Entry(f"AMB/Harbour/Day 3/water {n:05d}.wav", 10**7, n, f"{n:036d}")


def test_many_files_take_little_memory() -> None:
    tracemalloc.start()
    zipped = Zip(numbered(70_000))
    held, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert zipped.size > 70_000 * 10**7
    assert held < 70_000 * 200


def steps(zipped: Zip, part: ByteRange) -> int:
    """How many calls it takes to have a range."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    list(zipped.cut(part))
    sys.setprofile(None)
    return calls


def test_a_range_far_in_costs_no_more_than_one_in_front() -> None:
    zipped = Zip(numbered(70_000))
    middle = zipped.size // 2
    assert steps(zipped, ByteRange(middle, middle + 10)) <= steps(zipped, ByteRange(500, 510)) + 5
