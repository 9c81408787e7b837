"""The head of a WAV that is made: RIFF or RIFX, and RF64 where 32 bits do not hold the length."""

from __future__ import annotations

import struct

from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.ranges import ByteRange, Pieces
from sonoteca_shared.wav import riff

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUB_FORMAT_TAIL = bytes.fromhex("00001000800000aa00389b71")
_IN_DS64 = 0xFFFFFFFF
_DS64_BYTES = 28
_PLAIN_BITS, _PLAIN_CHANNELS = 16, 2


def frame(
    chunks: Pieces, *, sound: int, frames: int, order: str = "<", has_room: bool = False
) -> Pieces:
    """The file with these chunks up to its sound, of which so many bytes and frames follow.

    `has_room` keeps the length of this the same however long the sound is. Behind the sound comes
    a byte of padding, where its length is odd. BadRequestError where RIFX would be too long.
    """
    body = sum(map(len, chunks))
    room = 8 + _DS64_BYTES if has_room else 0
    size = 4 + room + body + 8 + sound + sound % 2
    if riff.told_length(size, None) is not None:
        name = b"RIFX" if order == ">" else b"RIFF"
        kept = riff.chunk(b"JUNK", bytes(_DS64_BYTES), order) if has_room else b""
        head = riff.header(name, size, order) + b"WAVE" + kept
        return joined(head, *chunks, riff.header(b"data", sound, order))
    if order == ">":
        raise BadRequestError("a RIFX file holds 4 GiB at most: ask for a shorter region")
    size += 8 + _DS64_BYTES - room
    long = riff.chunk(b"ds64", struct.pack("<QQQI", size, sound, frames, 0), order)
    head = riff.header(b"RF64", _IN_DS64, order) + b"WAVE" + long
    return joined(head, *chunks, riff.header(b"data", _IN_DS64, order))


def format_of(
    *, samplerate: int, channels: int, bits: int, is_float: bool, channel_mask: int
) -> bytes:
    """The `fmt` chunk of linear samples, EXTENSIBLE where the plain one has no room for it all."""
    align = channels * (bits // 8)
    tag = _FLOAT if is_float else _PCM
    is_plain = channels <= _PLAIN_CHANNELS and (is_float or bits <= _PLAIN_BITS)
    rate = samplerate * align & 0xFFFFFFFF
    fields = struct.pack(
        "<HHIIHH", tag if is_plain else _EXTENSIBLE, channels, samplerate, rate, align, bits
    )
    if not is_plain:
        fields += struct.pack("<HHII", 22, bits, channel_mask, tag) + _SUB_FORMAT_TAIL
    elif is_float:
        fields += struct.pack("<H", 0)
    return riff.chunk(b"fmt ", fields, "<")


def count_of(frames: int, order: str = "<") -> bytes:
    """The `fact` chunk, which all but whole numbers have to have."""
    return riff.chunk(b"fact", struct.pack(f"{order}I", min(frames, _IN_DS64)), order)


def joined(*pieces: bytes | ByteRange) -> Pieces:
    """The pieces with neighbouring bytes made one, and empty ones gone."""
    found: list[bytes | ByteRange] = []
    for piece in pieces:
        if isinstance(piece, bytes) and found and isinstance(before := found[-1], bytes):
            found[-1] = before + piece
        elif len(piece):
            found.append(piece)
    return tuple(found)
