"""Markers as an AIFF has them: a `MARK` chunk, which is put at the end of a file that is made.

Source: Apple, "Audio Interchange File Format AIFF-C" (1991). A marker is a place with a name; it
has no length.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

_MOST_NAME = 255
_HEAD = 8
_MOST = 0xFFFFFFFF


def append(target: int, marks: Sequence[tuple[int, str]]) -> None:
    """Add these frames and names to an AIFF that ends with a chunk; nothing where there is no room.

    OSError as of any write.
    """
    end = os.fstat(target).st_size
    payload = struct.pack(">H", len(marks)) + b"".join(
        struct.pack(">hI", number, at) + _name(name)
        for number, (at, name) in enumerate(marks, start=1)
    )
    size = end + len(payload)
    if not marks or end % 2 or size > _MOST or max(at for at, _ in marks) > _MOST:
        return
    os.pwrite(target, b"MARK" + struct.pack(">I", len(payload)) + payload, end)
    os.pwrite(target, struct.pack(">I", size), 4)


def _name(text: str) -> bytes:
    """A text with its length in front, of an even number of bytes."""
    raw = text.encode()[:_MOST_NAME].decode(errors="ignore").encode()
    named = bytes([len(raw)]) + raw
    return named + b"\0" * (len(named) % 2)
