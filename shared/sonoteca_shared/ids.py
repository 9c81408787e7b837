"""Names that nobody chose: UUIDs of version 7, whose text order is the order of their making."""

from __future__ import annotations

import re
import secrets
import time

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_id(now_ns: int | None = None) -> str:
    """A new UUIDv7 (RFC 9562 section 5.7), lower-case and hyphenated.

    The twelve bits after the milliseconds hold the part of a millisecond (section 6.2, method 3),
    so that ids made one after the other also sort so.
    """
    nanoseconds = time.time_ns() if now_ns is None else now_ns
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    value = (
        (milliseconds & (1 << 48) - 1) << 80
        | 0x7 << 76  # version 7
        | (rest << 12) // 1_000_000 << 64
        | 0b10 << 62  # variant of RFC 9562 section 4.1
        | secrets.randbits(62)
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def moment_of(made: str) -> float:
    """When an id was made (section 5.7), in seconds since the epoch."""
    return int(made[:8] + made[9:13], 16) / 1000


def is_id(text: str) -> bool:
    """Whether the text has the shape of an id of ours."""
    return _UUID.fullmatch(text) is not None
