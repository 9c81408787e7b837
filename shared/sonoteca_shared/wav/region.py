"""A part of a WAV as a WAV of its own: a new header, and the part's bytes as they lie in the file.

Nothing is decoded, so the samples are the same bit for bit, and the length is known beforehand.
What the file says of itself goes along as far as it holds for a part (see `carried.py`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

from sonoteca_shared.errors import BadRequestError, SonotecaError
from sonoteca_shared.ranges import ByteRange, Pieces
from sonoteca_shared.wav import WavFacts, probe, riff
from sonoteca_shared.wav.carried import Carried
from sonoteca_shared.wav.formats import FMT_BYTES
from sonoteca_shared.wav.framing import count_of, frame, joined
from sonoteca_shared.wav.passage import Passage
from sonoteca_shared.wav.riff import ReadAt

VERSION = 2
"""Goes into the tags of regions; one more whenever the same request gives other bytes."""

_FMT_PLAIN, _FMT_EXTENDED = 16, 18

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
    """Makes the file of one region."""

    def __init__(self, read: ReadAt, size: int, facts: WavFacts, frames: range) -> None:
        self._read = read
        self._facts = facts
        self._frames = frames
        self._order = ">" if facts.big_endian else "<"
        self._chunks = list(riff.walk(read, size))

    def file(self) -> Pieces:
        """The whole file."""
        facts, frames = self._facts, self._frames
        start = facts.data_offset + frames.start * facts.block_align
        sound = ByteRange(start, start + len(frames) * facts.block_align)
        passage = Passage(
            frames=frames,
            samplerate=facts.samplerate,
            target_rate=facts.samplerate,
            order=self._order,
            target_order=self._order,
            is_as_loud=len(frames) == facts.frames,
        )
        chunks = joined(self._format(), *Carried(self._read, self._chunks, passage).pieces())
        head = frame(chunks, sound=len(sound), frames=len(frames), order=self._order)
        return joined(*head, sound, b"\0" * (len(sound) % 2))

    def _format(self) -> bytes:
        """`fmt` as it is, but for what is wrong in it, and `fact` where it has to be."""
        facts, order = self._facts, self._order
        source = next(chunk for chunk in self._chunks if chunk.id == b"fmt ")
        raw = bytearray(self._read(source.start, min(source.size, FMT_BYTES)))
        raw = raw.ljust(_FMT_PLAIN, b"\0") if len(raw) < _FMT_EXTENDED else raw
        rate = facts.samplerate * facts.block_align & 0xFFFFFFFF
        struct.pack_into(f"{order}IH", raw, 8, rate, facts.block_align)
        if not any(raw[14:16]):
            struct.pack_into(f"{order}H", raw, 14, 8 * facts.sample_bytes)
        if len(raw) >= _FMT_EXTENDED:
            (extra,) = struct.unpack_from(f"{order}H", raw, 16)
            struct.pack_into(f"{order}H", raw, 16, min(extra, len(raw) - _FMT_EXTENDED))
        fact = b"" if facts.format == "pcm" else count_of(len(self._frames), order)
        return riff.chunk(b"fmt ", bytes(raw), order) + fact


def _text(seconds: Fraction) -> str:
    return f"{float(seconds):.10g}"
