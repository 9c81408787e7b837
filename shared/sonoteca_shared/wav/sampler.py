"""`smpl`, read and moved: the note at which a sampler plays a sound as it is, and its loops.

Source: Microsoft, "Multimedia Data Standards Update" (1994).
"""

from __future__ import annotations

import struct

from sonoteca_shared.models import Loop, Sampler
from sonoteca_shared.wav.passage import Passage
from sonoteca_shared.wav.text import Find

MAX_LOOPS = 1000
_FIXED = 36
_LOOP = 24
SAMPLER_BYTES = _FIXED + _LOOP * MAX_LOOPS

_KINDS = {0: "forward", 1: "alternating", 2: "backward"}
_HIGHEST_NOTE = 127
_NANOSECONDS = 1_000_000_000


def read_sampler(payload: bytes, *, order: str, frames: int, find: Find) -> Sampler | None:
    """What the payload says; None when it is too short to say anything."""
    if len(payload) < _FIXED:
        find("smpl.short")
        return None
    note, fraction, claimed = struct.unpack_from(f"{order}12xII8xI", payload)
    if note > _HIGHEST_NOTE:
        find("smpl.note")
    there = (len(payload) - _FIXED) // _LOOP
    if claimed > MAX_LOOPS:
        find("smpl.too-many")
    elif claimed > there:
        find("smpl.short")
    loops = tuple(
        _read_loop(payload, _FIXED + number * _LOOP, order) for number in range(min(claimed, there))
    )
    if any(not loop.start <= loop.end < frames for loop in loops):
        find("smpl.beyond-end")
    return Sampler(unity_note=note, pitch_fraction=fraction / (1 << 32), loops=loops)


def _read_loop(payload: bytes, at: int, order: str) -> Loop:
    kind, start, end, count = struct.unpack_from(f"{order}4xIII4xI", payload, at)
    return Loop(start=start, end=end, kind=_KINDS.get(kind, f"kind-{kind}"), count=count)


def move_sampler(payload: bytes, passage: Passage) -> bytes | None:
    """The payload for the passage, with the loops that go along whole; None when it says nothing.

    What a maker of samplers wrote behind the loops goes along too, where the byte order stays.
    """
    if len(payload) < _FIXED:
        return None
    *fixed, claimed, extra = struct.unpack_from(f"{passage.order}9I", payload)
    count = min(claimed, (len(payload) - _FIXED) // _LOOP)
    loops = [
        moved
        for number in range(count)
        if (moved := _move_loop(payload, _FIXED + number * _LOOP, passage)) is not None
    ]
    own = payload[_FIXED + count * _LOOP :][:extra]
    if count != claimed or len(own) != extra or passage.order != passage.target_order:
        own = b""
    if passage.samplerate != passage.target_rate:
        fixed[2] = round(_NANOSECONDS / passage.target_rate)
    order = passage.target_order
    head = struct.pack(f"{order}9I", *fixed, len(loops), len(own))
    return head + b"".join(struct.pack(f"{order}6I", *loop) for loop in loops) + own


def _move_loop(payload: bytes, at: int, passage: Passage) -> tuple[int, ...] | None:
    number, kind, start, end, fraction, plays = struct.unpack_from(
        f"{passage.order}6I", payload, at
    )
    first = passage.place(start)
    if first is None or end < start or passage.place(end) is None:
        return None
    # The last frame of a loop is part of it: what counts is that it stays as long as it was.
    last = first + max(1, passage.stretch(start, end + 1 - start)) - 1
    return number, kind, first, last, fraction, plays
