"""Markers and regions, read and moved: `cue ` has their places, LIST `adtl` their names, lengths.

Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991).
Zoom and other recorders write the list with lower-case letters.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sonoteca_shared.models import Marker
from sonoteca_shared.wav.passage import Passage
from sonoteca_shared.wav.text import Find, codec_of, read_text

MAX_CUES = 10_000
CUES_BYTES = 4 + 24 * MAX_CUES

_CUE = 24
_LTXT = 20
# The chunks of a list, and the bytes that each has at least.
_LABELS = {b"labl": 4, b"note": 4, b"ltxt": _LTXT}


@dataclass(frozen=True, slots=True)
class Labels:
    """What is written about cues, by their ids."""

    labels: dict[int, str] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    lengths: dict[int, int] = field(default_factory=dict)
    """Frames."""
    texts: dict[int, str] = field(default_factory=dict)


def read_cues(payload: bytes, *, order: str, find: Find) -> dict[int, int]:
    """The frames of the cues by their ids."""
    claimed = struct.unpack_from(f"{order}I", payload)[0] if len(payload) >= 4 else 0
    there = (len(payload) - 4) // _CUE
    if claimed > MAX_CUES:
        find("cue.too-many")
    elif claimed > there:
        find("cue.short")
    cues: dict[int, int] = {}
    for number in range(min(claimed, there)):
        fields = struct.unpack_from(f"{order}II4sIII", payload, 4 + number * _CUE)
        # The place is the last field; some fill in only the one for playlists.
        if cues.setdefault(fields[0], fields[5] or fields[1]) != (fields[5] or fields[1]):
            find("cue.repeated")
    return cues


def read_labels(
    chunks: Iterable[tuple[bytes, bytes]], into: Labels, *, order: str, find: Find, codec: str
) -> None:
    """Add what the chunks of an `adtl` list say to what is known."""
    for name, payload in chunks:
        if name not in _LABELS:
            continue
        if len(payload) < _LABELS[name]:
            find("adtl.short")
            continue
        cue = struct.unpack_from(f"{order}I", payload)[0]
        if name == b"ltxt":
            length, codepage = struct.unpack_from(f"{order}I10xH", payload, 4)
            into.lengths.setdefault(cue, length)
            text = read_text(payload[_LTXT:], find, codec_of(codepage) or codec)
            into.texts.setdefault(cue, text)
        else:
            known = into.labels if name == b"labl" else into.notes
            known.setdefault(cue, read_text(payload[4:], find, codec))


def markers(
    cues: dict[int, int], labels: Labels, *, samplerate: int, frames: int, find: Find
) -> tuple[Marker, ...]:
    """The markers in the order of the sound; those behind its end stay where they say they are."""
    if any(cue not in cues for known in (labels.labels, labels.lengths) for cue in known):
        find("adtl.no-cue")
    if any(at + labels.lengths.get(cue, 0) > frames for cue, at in cues.items()):
        find("cue.beyond-end")
    return tuple(
        Marker(
            at=at / samplerate,
            length=labels.lengths.get(cue, 0) / samplerate,
            label=labels.labels.get(cue) or labels.texts.get(cue, ""),
            note=labels.notes.get(cue, ""),
        )
        for cue, at in sorted(cues.items(), key=lambda item: item[1])
    )


def write_cues(cues: Mapping[int, int], *, order: str) -> bytes:
    """The payload of a `cue ` chunk with these frames by their ids."""
    entries = (
        struct.pack(f"{order}II4sIII", cue, at, b"data", 0, 0, at) for cue, at in cues.items()
    )
    return struct.pack(f"{order}I", len(cues)) + b"".join(entries)


def move_labels(
    chunks: Iterable[tuple[bytes, bytes]], cues: Mapping[int, int], passage: Passage
) -> Iterator[tuple[bytes, bytes]]:
    """What the chunks of an `adtl` list say of these cues, which go along, for the passage."""
    source, target = passage.order, passage.target_order
    for name, payload in chunks:
        least = _LABELS.get(name)
        if least is None or len(payload) < least:
            continue
        (cue,) = struct.unpack_from(f"{source}I", payload)
        if cue not in cues:
            continue
        head = struct.pack(f"{target}I", cue)
        if name == b"ltxt":
            _, length, purpose, *rest = struct.unpack_from(f"{source}II4s4H", payload)
            length = passage.stretch(cues[cue], length)
            head = struct.pack(f"{target}II4s4H", cue, length, purpose, *rest)
        yield name, head + payload[least:]
