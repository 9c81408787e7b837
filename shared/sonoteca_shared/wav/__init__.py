"""Probe a stream of bytes: whether it is a WAV that can be used, and what it says of itself.

Facts come from what is there, never from what a header claims. What makes a file useless is a
NotAWavError with the reason and the byte; what is odd but usable is a finding with a stable code:

=====================  ==========================================================================
`wav.empty`            there is a data chunk, but no sound in it
`wav.truncated`        the file ends before its sound does
`wav.size-unknown`     the data chunk tells no length; its sound was taken to the end
`wav.partial-frame`    the sound ends within a frame, or within a block of a codec
`wav.not-pcm`          the sound is compressed
`wav.length-unknown`   nothing in the file says how long its compressed sound is, but `fact` may
`wav.block-align`      the bytes a frame do not agree with channels and bits
`wav.byte-rate`        the bytes a second do not agree with sample rate and frame
`wav.valid-bits`       more valid bits than bits
`wav.fmt-short`        the fmt chunk is of the old kind that does not tell the bits
`wav.pad-missing`      a chunk of odd length has no padding byte behind it
`wav.riff-size`        the length in the file's head is not the file's length
`wav.chunk-truncated`  the file ends within a chunk other than the sound
`wav.chunk-repeated`   a second fmt or data chunk, which is ignored
`wav.trailing-bytes`   something follows that is no chunk
`wav.too-many-chunks`  the file has more than 100,000 chunks; the others were not looked at
`wav.ds64-missing`     an RF64 or BW64 without the chunk that makes it one
`wav.ds64-short`       that chunk is too short to hold its lengths
=====================  ==========================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.models import ChunkPlace, Finding, Metadata
from sonoteca_shared.wav import formats, riff
from sonoteca_shared.wav.metadata import read_metadata
from sonoteca_shared.wav.riff import Chunk, ReadAt, Walk

_NEEDED = frozenset((b"fmt ", b"data", b"fact"))


@dataclass(frozen=True, slots=True)
class WavFacts:
    """What is in a WAV: enough to list it, to play it and to cut it."""

    container: str
    format: str
    big_endian: bool
    channels: int
    samplerate: int
    bitdepth: int
    """Valid bits of a sample."""
    sample_bytes: int
    """Bytes that a sample takes; 0 for compressed sound."""
    block_align: int
    channel_mask: int
    frames: int
    data_offset: int
    data_size: int
    """Bytes of sound that are there, without padding."""
    data_declared: int | None
    """Bytes of sound that the file claims; None when it tells no length."""
    findings: tuple[Finding, ...]

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.frames / self.samplerate


@dataclass(frozen=True, slots=True)
class Description:
    """A WAV's facts, what it says of itself, its chunks, and all that is odd about it."""

    facts: WavFacts
    metadata: Metadata
    chunks: tuple[ChunkPlace, ...]
    findings: tuple[Finding, ...]


def probe(read: ReadAt, size: int) -> WavFacts:
    """The facts of a file of `size` bytes, from its headers; NotAWavError when it is no use."""
    walk = riff.walk(read, size)
    return _facts_of(walk, list(walk), read)


def describe(read: ReadAt, size: int) -> Description:
    """The facts of a file of `size` bytes and its metadata; NotAWavError when it is no use."""
    walk = riff.walk(read, size)
    chunks = list(walk)
    facts = _facts_of(walk, chunks, read)
    told = read_metadata(
        read, chunks, order=walk.order, samplerate=facts.samplerate, frames=facts.frames
    )
    return Description(facts, told.metadata, told.chunks, (*facts.findings, *told.findings))


def _facts_of(walk: Walk, walked: Sequence[Chunk], read: ReadAt) -> WavFacts:
    chunks = _collect(walk, walked)
    form = _format_of(chunks.get(b"fmt "), walk, read)
    data = chunks.get(b"data")
    if data is None:
        raise NotAWavError("it has no data chunk, so there is no sound in it", offset=walk.end)
    if data.offset < chunks[b"fmt "].offset:
        reason = "its data chunk comes before the fmt chunk that says how to read it"
        raise NotAWavError(reason, offset=data.offset)
    frames = formats.count_frames(form, data.size, _fact_of(chunks.get(b"fact"), walk, read))
    _find_in_data(walk, data, form)
    return WavFacts(
        container=walk.container,
        format=form.name,
        big_endian=walk.big_endian,
        channels=form.channels,
        samplerate=form.samplerate,
        bitdepth=form.bitdepth,
        sample_bytes=form.sample_bytes,
        block_align=form.block_align,
        channel_mask=form.channel_mask,
        frames=frames,
        data_offset=data.start,
        data_size=data.size,
        data_declared=data.declared,
        findings=(*form.findings, *walk.findings),
    )


def _collect(walk: Walk, walked: Sequence[Chunk]) -> dict[bytes, Chunk]:
    """The first chunk of each kind that a sound cannot do without, and `fact`."""
    chunks: dict[bytes, Chunk] = {}
    repeated = False
    for chunk in walked:
        if chunk.id not in _NEEDED:
            continue
        if chunks.setdefault(chunk.id, chunk) is not chunk and not repeated:
            repeated = True  # once: a file may repeat it 100,000 times
            walk.find("wav.chunk-repeated", chunk.offset, severity="warning")
    return chunks


def _format_of(chunk: Chunk | None, walk: Walk, read: ReadAt) -> formats.Format:
    if chunk is None:
        reason = "it has no fmt chunk, so nothing says how its sound is coded"
        raise NotAWavError(reason, offset=walk.end)
    payload = read(chunk.start, min(chunk.size, formats.FMT_BYTES))
    return formats.read_format(payload, order=walk.order, offset=chunk.start)


def _fact_of(chunk: Chunk | None, walk: Walk, read: ReadAt) -> int | None:
    payload = read(chunk.start, min(chunk.size, 4)) if chunk else b""
    return int(struct.unpack(f"{walk.order}I", payload)[0]) if len(payload) == 4 else None


def _find_in_data(walk: Walk, data: Chunk, form: formats.Format) -> None:
    if data.size == 0:
        walk.find("wav.empty", data.offset, severity="warning")
    elif form.block_frames and data.size % form.block_align:
        walk.find("wav.partial-frame", data.end - data.size % form.block_align)
