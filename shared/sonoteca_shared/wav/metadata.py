"""What a WAV says of itself besides its sound: read from its chunks, and never to be refused for.

Metadata that is wrong is a finding at its chunk, and what can be read of it is kept:

====================  ===========================================================================
`bext.short`          the broadcast extension is shorter than it has to be
`bext.date`           its date is none
`bext.time-reference` it says the recording began after more samples than any day has
`ixml.malformed`      the XML breaks off; what came before is kept
`ixml.doctype`        the XML defines a document type, and is not read further
`ixml.root`           its outermost element is not BWFXML
`ixml.too-deep`       elements more than 16 deep, which are left out
`ixml.too-many`       more than 10,000 elements
`info.malformed`      a name in LIST INFO that is none
`info.too-many`       more than 1,000 fields
`cue.short`           fewer cues than it says
`cue.too-many`        more than 10,000 cues; none behind them is read
`cue.repeated`        two cues with one number; the first counts
`cue.beyond-end`      a marker or region that lies behind the end of the sound
`adtl.short`          a label that is too short to be one
`adtl.no-cue`         a label of a cue that is not there
`smpl.short`          fewer loops than it says, or not even its fixed part
`smpl.note`           a MIDI note above 127
`smpl.too-many`       more than 1,000 loops
`smpl.beyond-end`     a loop that ends before it begins, or behind the end of the sound
`id3.malformed`       the tag, or a frame of it, has no sensible header
`id3.version`         the tag is neither ID3v2.3 nor ID3v2.4
`id3.frame-flags`     a compressed, encrypted or undone text frame, which is left out
`id3.too-many`        more than 1,000 frames, or a megabyte of text; the rest is not read
`list.too-many`       more than 64 LIST chunks, or 50,000 chunks in them; others were not opened
`metadata.too-long`   a chunk is longer than we read of its kind
`text.cut`            a text is longer than 64 KiB
====================  ===========================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from sonoteca_shared.models import (
    Bext,
    ChunkPlace,
    Embedded,
    Finding,
    Ixml,
    Marker,
    Metadata,
    Production,
    Sampler,
    Timecode,
    Track,
)
from sonoteca_shared.wav import bext, cues, id3, info, ixml, riff, sampler
from sonoteca_shared.wav.places import place_of
from sonoteca_shared.wav.riff import Chunk, ReadAt
from sonoteca_shared.wav.text import DEFAULT_CODEC, Find, codec_of

# Of each list, and of all lists of a file together: labels of thousands of markers fit in well.
LIST_BYTES = 1 << 20
LISTS_BYTES = 4 << 20
MAX_LISTS = 64
MAX_PARTS = 50_000
_PIECE = 65_536

_SINGLE = frozenset((b"CSET", b"bext", b"iXML", b"cue ", b"smpl", b"id3 ", b"ID3 "))
_LISTS = frozenset((b"LIST", b"list"))
_INFOS = frozenset(("text.cut", "metadata.too-long", "cue.beyond-end", "adtl.no-cue", "bext.date"))


@dataclass(frozen=True, slots=True)
class Told:
    """What the chunks of a file say, where they lie, and what is odd about them."""

    metadata: Metadata
    chunks: tuple[ChunkPlace, ...]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Gathered:
    """What the lists of a file say, which may be several of a kind."""

    info: dict[str, str] = field(default_factory=dict)
    labels: cues.Labels = field(default_factory=cues.Labels)
    places: dict[int, ChunkPlace] = field(default_factory=dict)


class _Reader:
    """Reads the chunks of one file, each no further than its kind is worth."""

    def __init__(self, read: ReadAt, order: str) -> None:
        self.order = order
        self.codec = DEFAULT_CODEC
        self.findings: dict[str, Finding] = {}
        self._read = read

    def payload(self, chunk: Chunk, most: int) -> bytes:
        if chunk.size > most:
            self._find(chunk, "metadata.too-long")
        end = chunk.start + min(chunk.size, most)
        pieces = range(chunk.start, end, _PIECE)
        return b"".join(self._read(at, min(_PIECE, end - at)) for at in pieces)

    def within(self, chunk: Chunk, offset: int, count: int) -> bytes:
        """Bytes of a chunk's payload."""
        return self._read(chunk.start + offset, max(0, min(count, chunk.size - offset)))

    def finder(self, chunk: Chunk) -> Find:
        return partial(self._find, chunk)

    def _find(self, chunk: Chunk, code: str) -> None:
        # Once each: a file may have 100,000 of them, and one is enough to look for.
        severity = "info" if code in _INFOS else "warning"
        finding = Finding(code=code, severity=severity, offset=chunk.offset)
        self.findings.setdefault(code, finding)


def read_metadata(
    read: ReadAt, chunks: Sequence[Chunk], *, order: str, samplerate: int, frames: int
) -> Told:
    """What these chunks of a file say; the sound's rate and length put its markers in time."""
    reader = _Reader(read, order)
    single: dict[bytes, Chunk] = {}
    for chunk in chunks:
        if chunk.id in _SINGLE:
            single.setdefault(chunk.id, chunk)
    reader.codec = _codec_of(single.get(b"CSET"), reader)
    gathered = _read_lists(reader, [chunk for chunk in chunks if chunk.id in _LISTS])
    embedded = Embedded(
        bext=_bext_of(single.get(b"bext"), reader),
        ixml=_ixml_of(single.get(b"iXML"), reader),
        info=gathered.info,
        smpl=_sampler_of(single.get(b"smpl"), reader, frames),
        id3=_id3_of(single.get(b"id3 ") or single.get(b"ID3 "), reader),
    )
    metadata = Metadata(
        embedded=embedded,
        production=_production_of(embedded),
        tracks=_tracks_of(embedded),
        markers=_markers_of(single.get(b"cue "), gathered.labels, reader, samplerate, frames),
        timecode=_timecode_of(embedded),
        recorded=_recorded(embedded),
    )
    places = tuple(gathered.places.get(each.offset) or place_of(each) for each in chunks)
    return Told(metadata, places, tuple(reader.findings.values()))


# ---- chunk by chunk


def _codec_of(chunk: Chunk | None, reader: _Reader) -> str:
    payload = reader.within(chunk, 0, 2) if chunk else b""
    if len(payload) < 2:
        return DEFAULT_CODEC
    return codec_of(struct.unpack(f"{reader.order}H", payload)[0]) or DEFAULT_CODEC


def _bext_of(chunk: Chunk | None, reader: _Reader) -> Bext | None:
    if chunk is None:
        return None
    payload = reader.payload(chunk, bext.BEXT_BYTES)
    find = reader.finder(chunk)
    return bext.read_bext(payload, order=reader.order, find=find, codec=reader.codec)


def _ixml_of(chunk: Chunk | None, reader: _Reader) -> Ixml | None:
    if chunk is None:
        return None
    payload = reader.payload(chunk, ixml.IXML_BYTES)
    return ixml.read_ixml(payload, find=reader.finder(chunk), codec=reader.codec)


def _sampler_of(chunk: Chunk | None, reader: _Reader, frames: int) -> Sampler | None:
    if chunk is None:
        return None
    payload = reader.within(chunk, 0, sampler.SAMPLER_BYTES)
    find = reader.finder(chunk)
    return sampler.read_sampler(payload, order=reader.order, frames=frames, find=find)


def _id3_of(chunk: Chunk | None, reader: _Reader) -> dict[str, str]:
    if chunk is None:
        return {}
    read = partial(reader.within, chunk)
    return id3.read_id3(read, chunk.size, find=reader.finder(chunk), codec=reader.codec)


def _markers_of(
    chunk: Chunk | None, labels: cues.Labels, reader: _Reader, samplerate: int, frames: int
) -> tuple[Marker, ...]:
    if chunk is None:
        return ()
    find = reader.finder(chunk)
    known = cues.read_cues(reader.payload(chunk, cues.CUES_BYTES), order=reader.order, find=find)
    return cues.markers(known, labels, samplerate=samplerate, frames=frames, find=find)


def _read_lists(reader: _Reader, lists: Sequence[Chunk]) -> _Gathered:
    gathered = _Gathered()
    bytes_left, parts_left = LISTS_BYTES, MAX_PARTS
    for number, chunk in enumerate(lists):
        find = reader.finder(chunk)
        if number == MAX_LISTS or not parts_left:
            find("list.too-many")
            break
        kind = reader.within(chunk, 0, 4)
        payload = b""
        if kind in (b"INFO", b"adtl"):
            payload = reader.payload(chunk, min(LIST_BYTES, bytes_left))
        parts = list(islice(riff.sub_chunks(payload, reader.order), parts_left))
        bytes_left -= len(payload)
        parts_left -= len(parts)
        gathered.places[chunk.offset] = place_of(chunk, kind=kind, parts=parts)
        named = _cut(payload, parts)
        if kind == b"INFO":
            info.read_info(named, gathered.info, find=find, codec=reader.codec)
        elif kind == b"adtl":
            cues.read_labels(
                named, gathered.labels, order=reader.order, find=find, codec=reader.codec
            )
    return gathered


def _cut(payload: bytes, parts: Sequence[tuple[bytes, int, int]]) -> Iterator[tuple[bytes, bytes]]:
    return ((name, payload[start : start + size]) for name, start, size in parts)


# ---- put together


def _production_of(embedded: Embedded) -> Production:
    """IXML's word, and where it says nothing that of the broadcast extension."""
    told = bext.production(embedded.bext) if embedded.bext else Production()
    if embedded.ixml is None:
        return told
    first = ixml.production(embedded.ixml)
    return Production(
        project=first.project or told.project,
        scene=first.scene or told.scene,
        take=first.take or told.take,
        tape=first.tape or told.tape,
        note=first.note or told.note,
    )


def _tracks_of(embedded: Embedded) -> tuple[Track, ...]:
    if embedded.ixml and embedded.ixml.tracks:
        return embedded.ixml.tracks
    return bext.tracks(embedded.bext) if embedded.bext else ()


def _timecode_of(embedded: Embedded) -> Timecode | None:
    reference = embedded.bext.time_reference if embedded.bext else 0
    if embedded.ixml:
        return ixml.timecode(embedded.ixml, reference)
    return Timecode(time_reference=reference) if reference else None


def _recorded(embedded: Embedded) -> str:
    """When the sound was recorded, by the first chunk that has a date that is one."""
    day, _, clock = embedded.info.get("ICRD", "").replace("T", " ").partition(" ")
    tagged, _, at = embedded.id3.get("TDRC", "").partition("T")
    return (
        (bext.recorded(embedded.bext) if embedded.bext else "")
        or bext.parse_moment(day, clock)
        or bext.parse_moment(tagged, at)
    )
