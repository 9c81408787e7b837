"""A part of a WAV as a WAV of its own: a new header, and the part's bytes as they lie in the file.

Nothing is decoded, so the samples are the same bit for bit, and the length is known beforehand.
What the file says of itself goes along as far as it holds for a part: the time reference of `bext`
moves with the beginning, cues that lie inside move too and bring their labels, texts are copied.
Left out is what counts on the whole sound: peaks, loops of samplers, checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from sonoteca_shared.errors import BadRequestError, SonotecaError
from sonoteca_shared.ranges import ByteRange, Pieces
from sonoteca_shared.wav import WavFacts, probe, riff
from sonoteca_shared.wav.cues import CUES_BYTES, cut_labels, read_cues, write_cues
from sonoteca_shared.wav.formats import FMT_BYTES
from sonoteca_shared.wav.metadata import LIST_BYTES
from sonoteca_shared.wav.riff import Chunk, ReadAt

VERSION = 1
"""Goes into the tags of regions; one more whenever the same request gives other bytes."""

# Texts that are as true of a part, each at most so long. Sound is not texts.
_KEPT = frozenset((b"iXML", b"axml", b"chna", b"_PMX", b"id3 ", b"ID3 ", b"CSET", b"DISP", b"inst"))
_MOST_KEPT = 4 << 20
_LISTS = frozenset((b"LIST", b"list"))
_PIECE = 65_536

_TIME_REFERENCE_AT = 338
_FMT_PLAIN, _FMT_EXTENDED = 16, 18
_IN_DS64 = 0xFFFFFFFF

# A length that is written with three digits may lie so far behind the true one.
_ROUNDED = Fraction(1, 2000)


class NotLinearError(SonotecaError):
    """The sound is coded in blocks, so that no part of it stands for itself."""

    code = "not-linear"

    def __init__(self, form: str) -> None:
        super().__init__(
            f"the sound is coded as {form}, in blocks that cannot be cut: "
            "get the whole file, or convert it to PCM and cut that"
        )
        self.form = form


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a sound as it is asked for, in seconds; `handles` are kept on both sides of it."""

    start: float = 0.0
    end: float | None = None
    handles: float = 0.0

    def frames(self, samplerate: int, frames: int) -> range:
        """The frames of it, in a sound of so many; BadRequestError where there are none."""
        start, handles, whole = map(Fraction, (self.start, self.handles, frames / samplerate))
        end = whole if self.end is None else Fraction(self.end)
        for name, value in (("start", start), ("handles", handles)):
            if value < 0:
                raise BadRequestError(f"“{name}” is {_text(value)} seconds; it cannot be negative")
        if self.end is not None and end <= start:
            raise BadRequestError(
                f"“end” ({_text(end)} seconds) has to come after “start” ({_text(start)} seconds)"
            )
        for name, value, most in (("start", start, whole), ("end", end, whole + _ROUNDED)):
            if value > most or start == whole:
                raise BadRequestError(
                    f"“{name}” is {_text(value)} seconds, but the sound ends "
                    f"after {_text(whole)} seconds"
                )
        first, last = round(start * samplerate), min(frames, round(end * samplerate))
        if first >= last:
            raise BadRequestError("there is less than one frame between “start” and “end”")
        more = min(frames, round(handles * samplerate))
        return range(max(0, first - more), min(frames, last + more))


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a WAV, as the pieces that make it a file."""

    frames: range
    samplerate: int
    pieces: Pieces

    def name(self, whole: str) -> str:
        """What to call it, beside the name of the whole: `take1 [1.500-3.000].wav`."""
        stem = whole[:-4] if whole.lower().endswith(".wav") else whole
        start, end = (at / self.samplerate for at in (self.frames.start, self.frames.stop))
        return f"{stem} [{start:.3f}-{end:.3f}].wav"

    def recipe(self, sha256: str) -> str:
        """What its bytes follow from, when the whole has this digest."""
        return f"region/{VERSION} {sha256} {self.frames.start}-{self.frames.stop}"


def cut(read: ReadAt, size: int, span: Span) -> Region:
    """A part of a WAV of `size` bytes; NotLinearError or BadRequestError when there is none."""
    facts = probe(read, size)
    if not facts.sample_bytes:
        raise NotLinearError(facts.format)
    frames = span.frames(facts.samplerate, facts.frames)
    cutter = _Cutter(read, size, facts, frames)
    return Region(frames, facts.samplerate, cutter.file())


class _Cutter:
    """Makes the chunks of one region."""

    def __init__(self, read: ReadAt, size: int, facts: WavFacts, frames: range) -> None:
        self._read = read
        self._facts = facts
        self._frames = frames
        self._order = ">" if facts.big_endian else "<"
        self._chunks: dict[bytes, Chunk] = {}
        self._lists: list[Chunk] = []
        for chunk in riff.walk(read, size):
            self._chunks.setdefault(chunk.id, chunk)
            if chunk.id in _LISTS:
                self._lists.append(chunk)

    def file(self) -> Pieces:
        """The whole file: RIFF or RIFX, and RF64 where 32 bits do not hold the length."""
        facts, frames = self._facts, self._frames
        start = facts.data_offset + frames.start * facts.block_align
        sound = ByteRange(start, start + len(frames) * facts.block_align)
        padding = b"\0" * (len(sound) % 2)
        front = b"".join(self._format())
        body = (*self._kept(), *self._marked())
        size = 4 + len(front) + sum(map(len, body)) + 8 + len(sound) + len(padding)
        if riff.told_length(size, None) is not None:
            name = b"RIFX" if facts.big_endian else b"RIFF"
            head = self._header(name, size) + b"WAVE" + front
            return _joined(head, *body, self._header(b"data", len(sound)), sound, padding)
        if facts.big_endian:
            raise BadRequestError("a RIFX file holds 4 GiB at most: ask for a shorter region")
        long = struct.pack("<QQQI", size + 36, len(sound), len(frames), 0)
        head = self._header(b"RF64", _IN_DS64) + b"WAVE" + self._chunk(b"ds64", long) + front
        return _joined(head, *body, self._header(b"data", _IN_DS64), sound, padding)

    def _header(self, name: bytes, size: int) -> bytes:
        return name + struct.pack(f"{self._order}I", size)

    def _chunk(self, name: bytes, payload: bytes) -> bytes:
        return self._header(name, len(payload)) + payload + b"\0" * (len(payload) % 2)

    def _format(self) -> Iterator[bytes]:
        """`fmt` as it is, but for what is wrong in it, and `fact` where it has to be."""
        facts, source = self._facts, self._chunks[b"fmt "]
        raw = bytearray(self._read(source.start, min(source.size, FMT_BYTES)))
        raw = raw.ljust(_FMT_PLAIN, b"\0") if len(raw) < _FMT_EXTENDED else raw
        rate = facts.samplerate * facts.block_align & 0xFFFFFFFF
        struct.pack_into(f"{self._order}IH", raw, 8, rate, facts.block_align)
        if not any(raw[14:16]):
            struct.pack_into(f"{self._order}H", raw, 14, 8 * facts.sample_bytes)
        if len(raw) >= _FMT_EXTENDED:
            (extra,) = struct.unpack_from(f"{self._order}H", raw, 16)
            struct.pack_into(f"{self._order}H", raw, 16, min(extra, len(raw) - _FMT_EXTENDED))
        yield self._chunk(b"fmt ", bytes(raw))
        if facts.format != "pcm":
            count = min(len(self._frames), _IN_DS64)
            yield self._chunk(b"fact", struct.pack(f"{self._order}I", count))

    def _kept(self) -> Iterator[bytes | ByteRange]:
        """The broadcast extension, moved in time, and texts as they are."""
        if bext := self._chunks.get(b"bext"):
            yield from self._copy(bext, self._moved_reference(bext))
        infos = (each for each in self._lists if self._read(each.start, 4) == b"INFO")
        texts = (chunk for name, chunk in self._chunks.items() if name in _KEPT)
        for chunk in (*texts, *list(infos)[:1]):
            yield from self._copy(chunk)

    def _moved_reference(self, bext: Chunk) -> bytes:
        """The fields of `bext` up to its time reference; nothing where it is too short for one."""
        fixed = bytearray(self._read(bext.start, min(bext.size, _TIME_REFERENCE_AT + 8)))
        if len(fixed) < _TIME_REFERENCE_AT + 8:
            return b""
        words = f"{self._order}II"
        low, high = struct.unpack_from(words, fixed, _TIME_REFERENCE_AT)
        moved = (high << 32 | low) + self._frames.start
        struct.pack_into(
            words, fixed, _TIME_REFERENCE_AT, moved & 0xFFFFFFFF, moved >> 32 & 0xFFFFFFFF
        )
        return bytes(fixed)

    def _copy(self, chunk: Chunk, changed: bytes = b"") -> Iterator[bytes | ByteRange]:
        """A chunk as it is, but for its first bytes."""
        if chunk.size > _MOST_KEPT:
            return
        yield self._header(b"LIST" if chunk.id == b"list" else chunk.id, chunk.size) + changed
        if len(changed) < chunk.size:
            yield ByteRange(chunk.start + len(changed), chunk.end)
        yield b"\0" * (chunk.size % 2)

    def _marked(self) -> Iterator[bytes]:
        """The cues that lie inside, counted from the new beginning, and what is written of them."""
        source = self._chunks.get(b"cue ")
        payload = self._payload(source, CUES_BYTES) if source else b""
        places = read_cues(payload, order=self._order, find=_ignore)
        inside = {cue: at - self._frames.start for cue, at in places.items() if at in self._frames}
        if not inside:
            return
        yield self._chunk(b"cue ", write_cues(inside, order=self._order))
        left = LIST_BYTES
        for each in self._lists:
            if self._read(each.start, 4) != b"adtl":
                continue
            labels = self._payload(each, left)
            left -= len(labels)
            parts = riff.sub_chunks(labels, self._order)
            told = ((name, labels[start : start + size]) for name, start, size in parts)
            kept = cut_labels(told, inside, frames=len(self._frames), order=self._order)
            if texts := b"".join(self._chunk(*each) for each in kept):
                yield self._chunk(b"LIST", b"adtl" + texts)

    def _payload(self, chunk: Chunk, most: int) -> bytes:
        end = chunk.start + min(chunk.size, most)
        places = range(chunk.start, end, _PIECE)
        return b"".join(self._read(at, min(_PIECE, end - at)) for at in places)


def _text(seconds: Fraction) -> str:
    return f"{float(seconds):.10g}"


def _joined(*pieces: bytes | ByteRange) -> Pieces:
    """The pieces with neighbouring bytes made one, and empty ones gone."""
    joined: list[bytes | ByteRange] = []
    for piece in pieces:
        if isinstance(piece, bytes) and joined and isinstance(before := joined[-1], bytes):
            joined[-1] = before + piece
        elif len(piece):
            joined.append(piece)
    return tuple(joined)


def _ignore(_code: str) -> None:
    """What is odd about the whole was found when it came."""
