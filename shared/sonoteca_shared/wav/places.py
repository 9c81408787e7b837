"""The chunks of a file as they are listed: what lies where, and what is within lists."""

from __future__ import annotations

from collections.abc import Sequence

from sonoteca_shared.models import ChunkPlace
from sonoteca_shared.wav.riff import Chunk


def place_of(
    chunk: Chunk, *, kind: bytes = b"", parts: Sequence[tuple[bytes, int, int]] = ()
) -> ChunkPlace:
    """A chunk's place; `kind` and `parts` (id, start, size) are what is known of a list."""
    # A part's header lies in front of its payload, as the list's own header does: they cancel out.
    return ChunkPlace(
        id=readable(chunk.id),
        offset=chunk.offset,
        size=chunk.size,
        declared=chunk.declared,
        kind=readable(kind),
        chunks=tuple(
            ChunkPlace(id=readable(name), offset=chunk.offset + start, size=size, declared=size)
            for name, start, size in parts
        ),
    )


def readable(name: bytes) -> str:
    """Four letters as text; bytes that are none in hex digits, which any database can hold."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in name)
