"""How long a sound of another format than WAV is by its own word, so that a cut one is noticed.

Decoders take what is there and say nothing. So each container is asked here what it promises:
frames, which the decoder has to come up with, or bytes, which have to be there.

Sources: RFC 9639 (FLAC), RFC 3533 (Ogg), Apple's AIFF-C (1991) and Core Audio Format 1.0, the
headers of Sun audio, Sony's Wave64, and the Xing header as LAME writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

ReadAt = Callable[[int, int], bytes]

_MOST_CHUNKS = 10_000
_UNKNOWN_32 = 0xFFFFFFFF
_OGG_TAIL = 66_000  # a page has 65,307 bytes at most
_OGG_END = 0x04
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")
_W64_HEAD = 40
_ID3_HEAD = 10
_MP3_FRAME = {3: 1152, 2: 576, 0: 576}
_MP3_LOOK = 4096
# Decoders leave out what an encoder put before and behind the sound: three frames at most.
_MP3_SLACK = 3


@dataclass(frozen=True, slots=True)
class Promise:
    """What a file says of its own length; nothing where it does not."""

    frames: int | None = None
    """At least so many are in it."""
    is_cut: bool = False
    """It has fewer bytes than it says."""


def read_promise(read: ReadAt, size: int) -> Promise:
    """What a file of `size` bytes promises, by its head; of an unknown format nothing."""
    head = read(0, 16)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _aiff(read, size)
    if head == _W64_RIFF:
        return _w64(read, size)
    for magic, reader in _READERS.items():
        if head.startswith(magic):
            return reader(read, size)
    return _mp3(read, size)


def _flac(read: ReadAt, _size: int) -> Promise:
    info = read(8, 18)
    if len(info) < 18:
        return Promise(is_cut=True)
    # 36 bits behind rate, channels and depth; 0 is for "not known".
    total = int.from_bytes(info[13:18], "big") & ((1 << 36) - 1)
    return Promise(total or None)


def _ogg(read: ReadAt, size: int) -> Promise:
    tail = read(max(0, size - _OGG_TAIL), _OGG_TAIL)
    at = tail.rfind(b"OggS")
    header = tail[at : at + 27]
    if at < 0 or len(header) < 27:
        return Promise(is_cut=True)
    segments = tail[at + 27 : at + 27 + header[26]]
    ends = at + 27 + header[26] + sum(segments)
    return Promise(is_cut=ends > len(tail) or not header[5] & _OGG_END)


def _aiff(read: ReadAt, size: int) -> Promise:
    frames, cut = None, False
    for name, at, length in _chunks(read, size, 12):
        if name == b"COMM":
            payload = read(at, 6)
            frames = int.from_bytes(payload[2:6], "big") if len(payload) == 6 else None
        cut = cut or (name == b"SSND" and at + length > size)
    return Promise(frames, cut)


def _chunks(read: ReadAt, size: int, at: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(_MOST_CHUNKS):
        header = read(at, 8)
        if len(header) < 8 or at >= size:
            return
        length = int.from_bytes(header[4:], "big")
        yield header[:4], at + 8, length
        at += 8 + length + length % 2


def _au(read: ReadAt, size: int) -> Promise:
    start, length = struct.unpack(">II", read(4, 8).ljust(8, b"\0"))
    return Promise(is_cut=length != _UNKNOWN_32 and start + length > size)


def _caf(read: ReadAt, size: int) -> Promise:
    at = 8
    for _ in range(_MOST_CHUNKS):
        header = read(at, 12)
        if len(header) < 12:
            break
        length = int.from_bytes(header[4:], "big", signed=True)
        if length < 0:  # the sound goes to the end, which only it may
            return Promise()
        at += 12 + length
    return Promise(is_cut=at > size)


def _w64(read: ReadAt, size: int) -> Promise:
    at = _W64_HEAD
    for _ in range(_MOST_CHUNKS):
        header = read(at, 24)
        length = int.from_bytes(header[16:], "little")
        if len(header) < 24 or length < 24:
            break
        if header[:16] == _W64_DATA:
            return Promise(is_cut=at + length > size)
        at += -(-length // 8) * 8
    return Promise()


def _mp3(read: ReadAt, size: int) -> Promise:
    """The Xing or Info header in the first frame; MP3s without one say nothing of their length."""
    start = _behind_id3(read)
    frame = read(start, _MP3_LOOK)
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return Promise()
    version, is_mono = frame[1] >> 3 & 3, frame[3] >> 6 == 3
    tag = 4 + ((17 if is_mono else 32) if version == 3 else (9 if is_mono else 17))
    flags = int.from_bytes(frame[tag + 4 : tag + 8], "big")
    if frame[tag : tag + 4] not in (b"Xing", b"Info") or flags & 3 != 3 or len(frame) < tag + 16:
        return Promise()
    count, length = struct.unpack_from(">II", frame, tag + 8)
    frames = max(0, count - _MP3_SLACK) * _MP3_FRAME.get(version, 0)
    return Promise(frames, is_cut=start + length > size)


def _behind_id3(read: ReadAt) -> int:
    head = read(0, _ID3_HEAD)
    if head[:3] != b"ID3" or len(head) < _ID3_HEAD:
        return 0
    # Seven bits of each byte count, so that no length looks like the beginning of a frame.
    length = 0
    for byte in head[6:]:
        length = length << 7 | byte & 0x7F
    return _ID3_HEAD + length


_READERS: dict[bytes, Callable[[ReadAt, int], Promise]] = {
    b"fLaC": _flac,
    b"OggS": _ogg,
    b".snd": _au,
    b"caff": _caf,
}
