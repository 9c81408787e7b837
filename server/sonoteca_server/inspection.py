"""The `inspect` command: the chunks of a WAV, what it says of itself, and what is odd about it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.models import ChunkPlace
from sonoteca_shared.wav import Description, describe


def inspect(path: Path) -> Iterator[str]:
    """Lines for a person; NotAWavError when the file is none."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        told = describe(lambda at, count: os.pread(file.fileno(), count, at), size)
    yield from _facts(told)
    yield "chunks (offset, size, name):"
    yield from _chunks(told.chunks, "  ")
    if told.findings:
        yield "findings:"
    for finding in told.findings:
        place = "" if finding.offset is None else f" at byte {finding.offset}"
        yield f"  {finding.severity}: {finding.code}{place}"


def _facts(told: Description) -> Iterator[str]:
    facts, metadata = told.facts, told.metadata
    yield (
        f"{facts.container}, {facts.format}, {facts.samplerate} Hz, {facts.bitdepth} bit, "
        f"{facts.channels} ch, {facts.frames} frames, {facts.duration:.3f} s"
    )
    if metadata.recorded:
        yield f"recorded: {metadata.recorded}"
    for track in metadata.tracks:
        yield f"track {track.index}: {track.name}"
    for marker in metadata.markers:
        yield f"marker at {marker.at:.3f} s: {marker.label}"


def _chunks(chunks: Iterable[ChunkPlace], indent: str) -> Iterator[str]:
    for chunk in chunks:
        kind = f" ({chunk.kind})" if chunk.kind else ""
        yield f"{indent}{chunk.offset:>12} {chunk.size:>12} {chunk.id}{kind}"
        yield from _chunks(chunk.chunks, indent + "  ")
