"""Metadata chunks to test with, as recorders, editors and samplers write them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from tests.kit.wavs import chunk


def bext(
    *,
    description: bytes = b"A door",
    originator: bytes = b"Recorder",
    reference: bytes = b"REF1",
    date: bytes = b"2018-12-31",
    time: bytes = b"12:40:00",
    time_reference: int = 0,
    version: int = 1,
    umid: bytes = b"",
    loudness: Sequence[int] = (0, 0, 0, 0, 0),
    history: bytes = b"",
    order: str = "<",
) -> bytes:
    """The payload of a `bext` chunk."""
    texts = struct.pack("256s32s32s10s8s", description, originator, reference, date, time)
    low, high = time_reference & 0xFFFFFFFF, time_reference >> 32
    rest = struct.pack(f"{order}IIH64s5h180x", low, high, version, umid, *loudness)
    return texts + rest + history


def ixml(body: str, *, declaration: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    """The payload of an `iXML` chunk with these elements."""
    return f"{declaration}\n<BWFXML>{body}</BWFXML>".encode()


def info(fields: Mapping[bytes, bytes], *, order: str = "<") -> bytes:
    """The payload of a LIST of kind INFO."""
    return b"INFO" + b"".join(
        chunk(name, text + b"\0", order=order) for name, text in fields.items()
    )


def cues(places: Mapping[int, int], *, claimed: int | None = None, order: str = "<") -> bytes:
    """The payload of a `cue ` chunk: ids and the frames they stand at."""
    rows = b"".join(
        struct.pack(f"{order}II4sIII", cue, 0, b"data", 0, 0, frame)
        for cue, frame in places.items()
    )
    return struct.pack(f"{order}I", len(places) if claimed is None else claimed) + rows


def label(cue: int, text: bytes, *, kind: bytes = b"labl", order: str = "<") -> bytes:
    """A label or a note of a cue, as a chunk of an `adtl` list."""
    return chunk(kind, struct.pack(f"{order}I", cue) + text + b"\0", order=order)


def region(
    cue: int, frames: int, text: bytes = b"", *, codepage: int = 0, order: str = "<"
) -> bytes:
    """The length of a cue, as a chunk of an `adtl` list."""
    fields = struct.pack(f"{order}II4sHHHH", cue, frames, b"rgn ", 0, 0, 0, codepage)
    return chunk(b"ltxt", fields + text, order=order)


def sampler(
    loops: Sequence[tuple[int, int, int, int]] = (),
    *,
    note: int = 60,
    fraction: int = 0,
    claimed: int | None = None,
    order: str = "<",
) -> bytes:
    """The payload of a `smpl` chunk; loops are (kind, start, end, count)."""
    count = len(loops) if claimed is None else claimed
    fixed = struct.pack(f"{order}9I", 0, 0, 20_833, note, fraction, 0, 0, count, 0)
    return fixed + b"".join(
        struct.pack(f"{order}6I", number, kind, start, end, 0, plays)
        for number, (kind, start, end, plays) in enumerate(loops)
    )


def synchsafe(value: int) -> bytes:
    """Four bytes of seven bits each."""
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


def frame(name: bytes, payload: bytes, *, version: int = 4, flags: int = 0) -> bytes:
    """A frame of an ID3 tag."""
    size = synchsafe(len(payload)) if version == 4 else struct.pack(">I", len(payload))
    return name + size + bytes([0, flags]) + payload


def id3(*frames: bytes, version: int = 4, flags: int = 0, extra: bytes = b"") -> bytes:
    """The payload of an `id3 ` chunk."""
    body = extra + b"".join(frames)
    return b"ID3" + bytes([version, 0, flags]) + synchsafe(len(body)) + body
