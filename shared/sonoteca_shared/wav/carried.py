"""What a WAV says of itself, for a passage of it: the chunks that go along into another WAV.

The time reference of `bext` moves with the beginning, cues and loops that lie inside move too and
bring their labels, iXML is made true, texts are copied. Left out is what counts on the whole sound
(peaks, checksums, playlists), what is longer than any text, and what cannot be understood.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from sonoteca_shared.ranges import ByteRange
from sonoteca_shared.wav import riff
from sonoteca_shared.wav.bext import BEXT_FIXED, move_bext
from sonoteca_shared.wav.cues import CUES_BYTES, move_labels, read_cues, write_cues
from sonoteca_shared.wav.ixml import IXML_BYTES
from sonoteca_shared.wav.ixml_passage import move_ixml
from sonoteca_shared.wav.metadata import LIST_BYTES
from sonoteca_shared.wav.passage import Passage
from sonoteca_shared.wav.riff import Chunk, ReadAt
from sonoteca_shared.wav.sampler import SAMPLER_BYTES, move_sampler
from sonoteca_shared.wav.text import DEFAULT_CODEC, codec_of

# Texts that are as true of a passage, each at most so long. Sound is not texts.
_TEXTS = frozenset((b"_PMX", b"id3 ", b"ID3 ", b"inst"))
_MOST_COPIED = 4 << 20
# With numbers in them, which nobody turns round from one byte order to the other.
_ORDERED = frozenset((b"DISP",))
# What says which sample of which channel belongs to which object of a scene.
_OBJECTS = frozenset((b"axml", b"chna"))
_CHARSET = 8
_LISTS = frozenset((b"LIST", b"list"))
_PIECE = 65_536


class Carried:
    """The chunks of one file for one passage; pieces of them may lie in the file still."""

    def __init__(self, read: ReadAt, chunks: Iterable[Chunk], passage: Passage) -> None:
        self._read = read
        self._passage = passage
        self._chunks: dict[bytes, Chunk] = {}
        self._lists: list[Chunk] = []
        for chunk in chunks:
            self._chunks.setdefault(chunk.id, chunk)
            if chunk.id in _LISTS:
                self._lists.append(chunk)

    def pieces(self) -> Iterator[bytes | ByteRange]:
        """All of it, chunk after chunk."""
        yield from self._bext()
        yield from self._ixml()
        yield from self._copies()
        yield from self._info()
        yield from self._markers()
        yield from self._sampler()

    def _chunk(self, name: bytes, payload: bytes) -> bytes:
        return riff.chunk(name, payload, self._passage.target_order)

    def _bext(self) -> Iterator[bytes | ByteRange]:
        if chunk := self._chunks.get(b"bext"):
            fixed = self._read(chunk.start, min(chunk.size, BEXT_FIXED))
            yield from self._copy(chunk, move_bext(fixed, self._passage))

    def _ixml(self) -> Iterator[bytes]:
        chunk = self._chunks.get(b"iXML")
        if chunk is None or chunk.size > IXML_BYTES:
            return
        moved = move_ixml(self._payload(chunk, IXML_BYTES), self._passage, self._codec())
        if moved is not None:
            yield self._chunk(b"iXML", moved)

    def _codec(self) -> str:
        """The charset of texts that do not say theirs."""
        page = self._charset()[:2]
        known = codec_of(struct.unpack(f"{self._passage.order}H", page)[0]) if page else None
        return known or DEFAULT_CODEC

    def _charset(self) -> bytes:
        """The payload of `CSET`; nothing where there is none that could be one."""
        chunk = self._chunks.get(b"CSET")
        payload = self._read(chunk.start, min(chunk.size, _CHARSET)) if chunk else b""
        return payload if len(payload) == _CHARSET else b""

    def _copies(self) -> Iterator[bytes | ByteRange]:
        """What is as true of the passage as it stands."""
        source, target = self._passage.order, self._passage.target_order
        if charset := self._charset():
            turned = struct.pack(f"{target}4H", *struct.unpack(f"{source}4H", charset))
            yield self._chunk(b"CSET", turned)
        kept = set(_TEXTS)
        if source == target:
            kept |= _ORDERED
            kept |= _OBJECTS if self._passage.is_on_grid else set()
        for name, chunk in self._chunks.items():
            if name in kept:
                yield from self._copy(chunk)

    def _info(self) -> Iterator[bytes]:
        """The first LIST of kind INFO."""
        for each in self._lists:
            if self._read(each.start, 4) == b"INFO":
                fields = self._parts(self._payload(each, LIST_BYTES))
                if texts := b"".join(self._chunk(*field) for field in fields):
                    yield self._chunk(b"LIST", b"INFO" + texts)
                return

    def _markers(self) -> Iterator[bytes]:
        """The cues that lie inside, counted from the new beginning, and what is written of them."""
        passage = self._passage
        source = self._chunks.get(b"cue ")
        payload = self._payload(source, CUES_BYTES) if source else b""
        cues = read_cues(payload, order=passage.order, find=_ignore)
        places = {cue: at for cue, old in cues.items() if (at := passage.place(old)) is not None}
        if not places:
            return
        yield self._chunk(b"cue ", write_cues(places, order=passage.target_order))
        inside = {cue: cues[cue] for cue in places}
        left = LIST_BYTES
        for each in self._lists:
            if self._read(each.start, 4) != b"adtl":
                continue
            labels = self._payload(each, left)
            left -= len(labels)
            moved = move_labels(self._parts(labels), inside, passage)
            if texts := b"".join(self._chunk(*label) for label in moved):
                yield self._chunk(b"LIST", b"adtl" + texts)

    def _sampler(self) -> Iterator[bytes]:
        if chunk := self._chunks.get(b"smpl"):
            moved = move_sampler(self._payload(chunk, SAMPLER_BYTES), self._passage)
            if moved is not None:
                yield self._chunk(b"smpl", moved)

    def _copy(self, chunk: Chunk, changed: bytes = b"") -> Iterator[bytes | ByteRange]:
        """A chunk as it is, but for its first bytes."""
        if chunk.size > _MOST_COPIED:
            return
        yield riff.header(chunk.id, chunk.size, self._passage.target_order) + changed
        if len(changed) < chunk.size:
            yield ByteRange(chunk.start + len(changed), chunk.end)
        yield b"\0" * (chunk.size % 2)

    def _payload(self, chunk: Chunk, most: int) -> bytes:
        end = chunk.start + min(chunk.size, most)
        places = range(chunk.start, end, _PIECE)
        return b"".join(self._read(at, min(_PIECE, end - at)) for at in places)

    def _parts(self, payload: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The chunks within a list, by name."""
        for name, start, size in riff.sub_chunks(payload, self._passage.order):
            yield name, payload[start : start + size]


def _ignore(_code: str) -> None:
    """What is odd about the whole was found when it came."""
