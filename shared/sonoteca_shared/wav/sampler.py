"""Read `smpl`: the note at which a sampler plays a sound as it is, and its loops.

Source: Microsoft, "Multimedia Data Standards Update" (1994).
"""

from __future__ import annotations

import struct

from sonoteca_shared.models import Loop, Sampler
from sonoteca_shared.wav.text import Find

MAX_LOOPS = 1000
_FIXED = 36
_LOOP = 24
SAMPLER_BYTES = _FIXED + _LOOP * MAX_LOOPS

_KINDS = {0: "forward", 1: "alternating", 2: "backward"}
_HIGHEST_NOTE = 127


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
