"""What a WAV says of itself, in what is made of it: chunks of a WAV, markers of an AIFF.

ffmpeg knows neither markers nor iXML. So of a WAV that becomes a WAV it writes the bare samples,
behind room for the head; that is written when their number is known.
"""

from __future__ import annotations

import os

from sonoteca_server.jobs import marks
from sonoteca_server.jobs.encoding import Work, depth_of, is_remixed, kept_frames
from sonoteca_server.jobs.speakers import mask_of
from sonoteca_server.storage.ballast import full_disk_told
from sonoteca_shared.ranges import ByteRange, Pieces
from sonoteca_shared.recipes import FLOAT
from sonoteca_shared.wav import describe, probe, riff
from sonoteca_shared.wav.carried import Carried
from sonoteca_shared.wav.framing import count_of, format_of, frame, joined
from sonoteca_shared.wav.passage import Passage
from sonoteca_shared.wav.riff import ReadAt

_PIECE = 1 << 20
_FLOAT_BITS = 32
_STEREO = 2


class Wrapping:
    """The head of a WAV around samples that are still to be written."""

    def __init__(self, work: Work) -> None:
        self._read = _reader(work)
        facts = probe(self._read, work.source.size)
        passage = _passage_of(work)
        assert passage.target_bits is not None
        channels = (work.recipe.channels if passage.is_mixed else None) or facts.channels
        mask = 0 if passage.is_mixed else facts.channel_mask
        if mask.bit_count() != channels:
            # One and two channels are mono and stereo without a word; of more nobody knows.
            mask = mask_of(channels) if passage.is_mixed or channels <= _STEREO else 0
        self._is_float = depth_of(work.shape, work.recipe) == FLOAT
        self._align = channels * passage.target_bits // 8
        self._format = format_of(
            samplerate=passage.target_rate,
            channels=channels,
            bits=passage.target_bits,
            is_float=self._is_float,
            channel_mask=mask,
        )
        chunks = riff.walk(self._read, work.source.size)
        self._carried = tuple(Carried(self._read, chunks, passage).pieces())
        self._room = sum(map(len, self._head(0)))

    def begin(self, target: int) -> None:
        """Leave room for the head in an empty file, which is written to from its place on."""
        os.lseek(target, self._room, os.SEEK_SET)

    def finish(self, target: int) -> None:
        """Write the head, now that the samples are there."""
        sound = max(0, os.fstat(target).st_size - self._room)
        at = 0
        for piece in self._head(sound):
            self._write(target, at, piece)
            at += len(piece)
        self._write(target, self._room + sound, b"\0" * (sound % 2))

    def _head(self, sound: int) -> Pieces:
        frames = sound // self._align
        count = count_of(frames) if self._is_float else b""
        chunks = joined(self._format, count, *self._carried)
        return frame(chunks, sound=sound, frames=frames, has_room=True)

    def _write(self, target: int, at: int, piece: bytes | ByteRange) -> None:
        with full_disk_told():
            if isinstance(piece, bytes):
                os.pwrite(target, piece, at)
                return
            for start in range(piece.start, piece.end, _PIECE):
                part = self._read(start, min(_PIECE, piece.end - start))
                os.pwrite(target, part, at + start - piece.start)


class Marking:
    """The markers of a WAV at the end of an AIFF."""

    def __init__(self, work: Work) -> None:
        passage = _passage_of(work)
        told = describe(_reader(work), work.source.size).metadata.markers
        places = ((passage.place(round(each.at * passage.samplerate)), each) for each in told)
        self._marks = [(at, each.label or each.note) for at, each in places if at is not None]

    def begin(self, _target: int) -> None:
        """Nothing stands in front of the samples."""

    def finish(self, target: int) -> None:
        """Write the markers behind all that is there."""
        with full_disk_told():
            marks.append(target, self._marks)


def wrap(work: Work) -> Wrapping | Marking | None:
    """What to do before and after ffmpeg, which blocks; None where it does all by itself."""
    if work.is_bare:
        return Wrapping(work)
    return Marking(work) if work.source.is_wav and work.recipe.format == "aiff" else None


def _reader(work: Work) -> ReadAt:
    return lambda at, count: os.pread(work.source.descriptor, count, at)


def _passage_of(work: Work) -> Passage:
    facts = probe(_reader(work), work.source.size)
    recipe = work.recipe
    first, last = kept_frames(work)
    end = facts.frames if last is None else min(last, facts.frames)
    frames = range(min(first, end), end)
    depth = depth_of(work.shape, recipe)
    return Passage(
        frames=frames,
        samplerate=facts.samplerate,
        target_rate=recipe.samplerate or facts.samplerate,
        order=">" if facts.big_endian else "<",
        target_bits=_FLOAT_BITS if depth == FLOAT else int(depth),
        is_mixed=is_remixed(work),
        is_as_loud=recipe.normalize_lufs is None
        and not is_remixed(work)
        and len(frames) == facts.frames,
    )
