"""The walk over a file's chunks, and everything that may be odd about them."""

from __future__ import annotations

import io
import struct

import pytest

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.wav import riff
from tests.kit import wavs
from tests.kit.wavs import chunk, fmt_chunk

DATA = chunk(b"data", bytes(range(64)))


def reader_of(content: bytes) -> wavs.Reader:
    return wavs.Reader(io.BytesIO(content))


def walk(content: bytes) -> tuple[list[tuple[bytes, int, int]], list[tuple[str, int | None]]]:
    """The chunks as (id, offset, size), the findings as (code, offset)."""
    walked = riff.walk(reader_of(content), len(content))
    chunks = [(each.id, each.offset, each.size) for each in walked]
    return chunks, [(finding.code, finding.offset) for finding in walked.findings]


def test_tells_every_chunk_with_its_place() -> None:
    content = wavs.riff(chunk(b"bext", b"abc"), fmt_chunk(), DATA, chunk(b"LIST", b"INFO"))
    assert walk(content) == (
        [(b"bext", 12, 3), (b"fmt ", 24, 16), (b"data", 48, 64), (b"LIST", 120, 4)],
        [],
    )


def test_a_chunk_knows_where_its_payload_lies() -> None:
    content = wavs.riff(chunk(b"bext", b"abc"), DATA)
    first, _ = riff.walk(reader_of(content), len(content))
    assert content[first.start : first.end] == b"abc"


@pytest.mark.parametrize(("container", "order"), [("RIFF", "<"), ("RIFX", ">"), ("RF64", "<")])
def test_numbers_are_read_in_the_order_of_the_container(
    container: wavs.Container, order: str
) -> None:
    content = wavs.build_wav(wavs.Plan(container=container, frames=500))
    walked = riff.walk(reader_of(content), len(content))
    assert [each.size for each in walked if each.id == b"data"] == [2000]
    assert (walked.container, walked.order, walked.findings) == (container, order, [])


@pytest.mark.parametrize(
    ("content", "reason", "offset"),
    [
        (b"", "the file is empty", 0),
        (b"RIFF\x04\0\0\0", "the file ends after 8 bytes", 8),
        (b"RIFF\x04\0\0\0AVI ", "it is a RIFF file of kind 'AVI ', not WAVE", 8),
        (b"RIF", "it is text, not a WAV", 0),
        (b"Hello, world\n", "it is text, not a WAV", 0),
        (b"fLaC\0\0\0\x22\x10\0\x10\0", "it is a FLAC file, not a WAV", 0),
        (b"ID3\x04\0\0\0\0\0\0\0\0", "it is an MP3 file, not a WAV", 0),
        (b"\0\0\0\x20ftypM4A ", "it is an MP4 file, not a WAV", 0),
        (b"\0" * 100, "it does not begin with RIFF, RIFX, RF64 or BW64, as a WAV does", 0),
    ],
)
def test_refuses_what_is_no_wave_and_says_what_it_is(
    content: bytes, reason: str, offset: int
) -> None:
    with pytest.raises(NotAWavError) as refused:
        riff.walk(reader_of(content), len(content))
    assert (refused.value.reason, refused.value.offset) == (reason, offset)


def test_takes_data_of_untold_length_to_the_end() -> None:
    for told in (0, 0xFFFFFF00, 0xFFFFFFFF):
        content = wavs.riff(fmt_chunk(), chunk(b"data", b"\1" * 1001, size=told, pad=False))
        chunks, findings = walk(content)
        assert chunks[-1] == (b"data", 36, 1001)
        assert findings == [("wav.size-unknown", 40)]


def test_takes_data_of_untold_length_to_the_chunks_behind_it() -> None:
    behind = chunk(b"LIST", b"INFO") + chunk(b"cue ", b"abc") + chunk(b"junk")
    content = wavs.riff(
        fmt_chunk(), chunk(b"data", b"LIST\1\1\1\1" * 9000, size=0xFFFFFFFF), behind
    )
    chunks, _ = walk(content)
    assert chunks[1:] == [
        (b"data", 36, 72_000),
        (b"LIST", 72_044, 4),
        (b"cue ", 72_056, 3),
        (b"junk", 72_068, 0),
    ]


def test_data_that_says_it_is_empty_and_is_followed_by_a_chunk_is_empty() -> None:
    content = wavs.riff(fmt_chunk(), chunk(b"data"), chunk(b"LIST", b"INFO"))
    assert walk(content) == ([(b"fmt ", 12, 16), (b"data", 36, 0), (b"LIST", 44, 4)], [])


def test_many_chunk_names_in_untold_data_are_looked_at_once_each() -> None:
    # Chains of names that lead almost to the end, each from the next: looking from the front
    # would follow every chain anew.
    content = wavs.riff(
        fmt_chunk(), chunk(b"data", b"LIST\0\0\0\0" * 100_000 + b"???", size=0xFFFFFFFF, pad=False)
    )
    reader = reader_of(content)
    assert [each.size for each in riff.walk(reader, len(content))] == [16, 800_003]
    assert reader.count < 66_000


@pytest.mark.parametrize("container", ["RF64", "BW64"])
def test_long_lengths_come_from_ds64(container: wavs.Container) -> None:
    table = [(b"bext", struct.pack("<Q", 3)), (b"bext", struct.pack("<Q", 9))]
    body = (
        fmt_chunk(),
        chunk(b"bext", b"abc", size=wavs.IN_DS64),
        chunk(b"data", bytes(64), size=wavs.IN_DS64),
    )
    size = 4 + 36 + 24 + sum(map(len, body))
    content = wavs.riff(
        wavs.ds64(size, 64, 16, table), *body, container=container, size=wavs.IN_DS64
    )
    chunks, findings = walk(content)
    assert chunks[2:] == [(b"bext", 96, 3), (b"data", 108, 64)]
    assert findings == []


@pytest.mark.parametrize(
    ("data_size", "told", "findings"),
    [
        (0, wavs.IN_DS64, [("wav.size-unknown", 76), ("wav.riff-size", 20)]),
        (1 << 63, wavs.IN_DS64, [("wav.size-unknown", 76), ("wav.riff-size", 20)]),
        (1 << 40, wavs.IN_DS64, [("wav.truncated", 72), ("wav.riff-size", 20)]),
        (1 << 40, 64, [("wav.riff-size", 20)]),
    ],
)
def test_believes_ds64_no_more_than_any_length(
    data_size: int, told: int, findings: list[tuple[str, int]]
) -> None:
    content = wavs.riff(
        wavs.ds64(0, data_size),
        fmt_chunk(),
        chunk(b"data", b"\1" * 64, size=told),
        container="RF64",
        size=wavs.IN_DS64,
    )
    chunks, found = walk(content)
    assert (chunks[-1], found) == ((b"data", 72, 64), findings)


def test_a_short_or_missing_ds64_is_told() -> None:
    data = chunk(b"data", b"\1" * 64, size=wavs.IN_DS64)
    missing = wavs.riff(fmt_chunk(), data, container="RF64", size=wavs.IN_DS64)
    short = wavs.riff(
        chunk(b"ds64", bytes(20)), fmt_chunk(), data, container="RF64", size=wavs.IN_DS64
    )
    assert walk(missing)[1] == [("wav.size-unknown", 40), ("wav.ds64-missing", 12)]
    assert walk(short)[1] == [
        ("wav.ds64-short", 12),
        ("wav.size-unknown", 68),
        ("wav.ds64-missing", 12),
    ]


def test_a_ds64_table_of_billions_costs_nothing() -> None:
    lengths = struct.pack("<QQQI", 0, 64, 0, 0xFFFFFFFF)
    content = wavs.riff(
        chunk(b"ds64", lengths + b"abcd\1\0\0\0\0\0\0\0" * 5000),
        fmt_chunk(),
        DATA,
        container="RF64",
    )
    reader = reader_of(content)
    assert [each.size for each in riff.walk(reader, len(content))] == [60_028, 16, 64]
    assert reader.count < 1000


def test_a_missing_padding_byte_is_told_at_the_end_and_between_chunks() -> None:
    end = wavs.riff(fmt_chunk(), chunk(b"data", b"abc", pad=False))
    assert walk(end) == ([(b"fmt ", 12, 16), (b"data", 36, 3)], [("wav.pad-missing", 46)])
    counted = wavs.riff(fmt_chunk(), chunk(b"data", b"abc", pad=False), size=40)
    assert walk(counted)[1] == [("wav.pad-missing", 46)]
    between = wavs.riff(chunk(b"bext", b"abc", pad=False), fmt_chunk(), DATA)
    chunks, findings = walk(between)
    assert [name for name, _, _ in chunks] == [b"bext", b"fmt ", b"data"]
    assert findings == [("wav.pad-missing", 22)]


@pytest.mark.parametrize("pad", [b"\0", b"x", b" "])
def test_a_padding_byte_may_have_any_value(pad: bytes) -> None:
    content = wavs.riff(chunk(b"bext", b"abc", pad=False) + pad, fmt_chunk(), DATA)
    chunks, findings = walk(content)
    assert [name for name, _, _ in chunks] == [b"bext", b"fmt ", b"data"]
    assert findings == []


@pytest.mark.parametrize(
    ("change", "found"), [(8, True), (-8, True), (1, True), (0, False)], ids=str
)
def test_a_wrong_length_in_the_head_is_told(change: int, *, found: bool) -> None:
    body = (fmt_chunk(), DATA)
    content = wavs.riff(*body, size=4 + sum(map(len, body)) + change)
    assert walk(content)[1] == ([("wav.riff-size", 4)] if found else [])


def test_data_that_is_cut_off_is_as_long_as_what_is_there() -> None:
    content = wavs.build_wav(wavs.Plan(frames=100))[:-100]
    assert walk(content) == (
        [(b"fmt ", 12, 16), (b"data", 36, 300)],
        [("wav.truncated", 36), ("wav.riff-size", 4)],
    )


def test_another_chunk_that_is_cut_off_is_told() -> None:
    content = wavs.riff(fmt_chunk(), DATA, chunk(b"LIST", b"INFO", size=1000))
    assert walk(content) == (
        [(b"fmt ", 12, 16), (b"data", 36, 64), (b"LIST", 108, 4)],
        [("wav.chunk-truncated", 108)],
    )


@pytest.mark.parametrize(
    "rubbish", [b"\0" * 512, b"TAGMy song" + b"\0" * 118, b"\xff" * 8, b"abc", b"\0"]
)
def test_what_follows_the_sound_and_is_no_chunk_is_told(rubbish: bytes) -> None:
    content = wavs.riff(fmt_chunk(), DATA) + rubbish
    assert walk(content) == (
        [(b"fmt ", 12, 16), (b"data", 36, 64)],
        [("wav.trailing-bytes", 108), ("wav.riff-size", 4)],
    )


def test_much_that_follows_is_a_warning() -> None:
    content = wavs.riff(fmt_chunk(), DATA) + b"\xff" * 70_000
    walked = riff.walk(reader_of(content), len(content))
    list(walked)
    assert walked.findings[0].severity == "warning"


def test_strange_names_in_front_of_the_sound_are_stepped_over() -> None:
    content = wavs.riff(b"\0" * 8, chunk(b"\1\2\3\4", b"ab"), fmt_chunk(), DATA)
    assert [name for name, _, _ in walk(content)[0]] == [
        b"\0\0\0\0",
        b"\1\2\3\4",
        b"fmt ",
        b"data",
    ]


def test_a_second_data_chunk_is_a_chunk_like_any_other() -> None:
    content = wavs.riff(fmt_chunk(), DATA, chunk(b"data", b"ab", size=0xFFFFFFFF))
    chunks, findings = walk(content)
    assert chunks[2] == (b"data", 108, 2)
    assert findings == [("wav.chunk-truncated", 108)]


def test_stops_after_a_hundred_thousand_chunks() -> None:
    content = wavs.riff(chunk(b"JUNK") * (riff.MAX_CHUNKS + 1), fmt_chunk(), DATA)
    reader = reader_of(content)
    walked = riff.walk(reader, len(content))
    assert sum(1 for _ in walked) == riff.MAX_CHUNKS
    assert [finding.code for finding in walked.findings] == ["wav.too-many-chunks"]
    assert reader.reads <= riff.MAX_CHUNKS + 1


def test_a_file_that_shrinks_meanwhile_ends_where_it_ends() -> None:
    content = wavs.riff(fmt_chunk(), DATA)
    walked = riff.walk(reader_of(content[:30]), len(content))
    assert [each.id for each in walked] == [b"fmt "]
