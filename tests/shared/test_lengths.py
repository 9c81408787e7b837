"""What files of other formats promise of their length, also those that lie or end too soon."""

from __future__ import annotations

import struct

import pytest

from sonoteca_shared.lengths import Promise, read_promise


def promise(data: bytes) -> Promise:
    return read_promise(lambda at, count: data[at : at + count], len(data))


def flac(frames: int) -> bytes:
    packed = (48_000 << 44) | (1 << 41) | (15 << 36) | frames
    return b"fLaC\0\0\0\x22" + bytes(10) + packed.to_bytes(8, "big") + bytes(16)


def ogg(*, last: bool, body: int = 100, cut: int = 0) -> bytes:
    page = b"OggS\0" + bytes([4 if last else 0]) + bytes(20) + bytes([1, body]) + bytes(body)
    return page[: len(page) - cut]


def aiff(frames: int, size: int, there: int) -> bytes:
    common = b"COMM" + struct.pack(">IHIH10s", 18, 1, frames, 16, bytes(10))
    return b"FORM\0\0\0\0AIFF" + common + b"SSND" + struct.pack(">I", size) + bytes(there)


def mp3(count: int, length: int, there: int, *, tag: bytes = b"Xing") -> bytes:
    head = b"\xff\xfb\x90\x00" + bytes(32) + tag + struct.pack(">III", 3, count, length)
    return b"ID3\x04\0\0\0\0\x01\x02" + bytes(130) + head.ljust(there, b"\0")


def w64(size: int, there: int) -> bytes:
    riff = bytes.fromhex("726966662e91cf11a5d628db04c10000")
    data = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
    return riff + bytes(24) + data + struct.pack("<Q", size) + bytes(there)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (flac(123_456), Promise(123_456)),
        (flac(0), Promise()),
        (flac(5)[:20], Promise(is_cut=True)),
        (ogg(last=True), Promise()),
        (ogg(last=False), Promise(is_cut=True)),
        (ogg(last=True, cut=1), Promise(is_cut=True)),
        (b"OggS", Promise(is_cut=True)),
        (aiff(50, 100, 100), Promise(50)),
        (aiff(50, 100, 99), Promise(50, is_cut=True)),
        (b"FORM\0\0\0\0AIFF", Promise()),
        (b".snd" + struct.pack(">II", 24, 10) + bytes(22), Promise()),
        (b".snd" + struct.pack(">II", 24, 10) + bytes(21), Promise(is_cut=True)),
        (b".snd" + struct.pack(">II", 24, 0xFFFFFFFF), Promise()),
        (b"caff\0\1\0\0data" + struct.pack(">q", 10) + bytes(10), Promise()),
        (b"caff\0\1\0\0data" + struct.pack(">q", 10) + bytes(9), Promise(is_cut=True)),
        (b"caff\0\1\0\0data" + struct.pack(">q", -1) + bytes(9), Promise()),
        (w64(24 + 8, 8), Promise()),
        (w64(24 + 8, 7), Promise(is_cut=True)),
        (w64(0, 8), Promise()),
        (mp3(10, 500, 500), Promise(7 * 1152)),
        (mp3(10, 500, 499), Promise(7 * 1152, is_cut=True)),
        (mp3(10, 500, 100, tag=b"none"), Promise()),
        (mp3(10, 500, 0)[:-4], Promise()),
        (b"", Promise()),
        (b"ID3", Promise()),
    ],
)
def test_a_promise_is_what_the_head_says(data: bytes, expected: Promise) -> None:
    assert promise(data) == expected


@pytest.mark.parametrize(
    ("head", "chunk", "sound"),
    [
        (b"FORM\0\0\0\0AIFF", b"junk" + bytes(4), b"SSND" + struct.pack(">I", 10)),
        (b"caff\0\1\0\0", b"junk" + bytes(8), b"data" + struct.pack(">q", 10)),
        (w64(34, 0)[:40], bytes(16) + struct.pack("<Q", 24), w64(34, 0)[40:]),
    ],
    ids=["AIFF", "CAF", "W64"],
)
def test_chunks_without_end_are_not_followed(head: bytes, chunk: bytes, sound: bytes) -> None:
    """A sound that is cut is seen behind a few of them, and not looked for behind very many."""
    assert promise(head + 3 * chunk + sound).is_cut
    assert promise(head + 100_000 * chunk + sound) == Promise()
