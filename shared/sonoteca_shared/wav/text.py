"""Text in a WAV, whichever charset its writer used, and a way to tell what is odd about it."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TypeAlias

Find: TypeAlias = Callable[[str], None]
"""`find(code)`: note something odd about the chunk that is being read."""

MAX_TEXT = 65_536
"""Longer texts are cut: nobody reads them, and they would be copied with every list of sounds."""

DEFAULT_CODEC = "cp1252"
"""What a writer means who says nothing: Windows in the west wrote most WAVs."""

# The code pages that a CSET chunk or a label may name and that are no danger to decode. UTF-7 and
# UTF-16 are left out: one makes lone surrogates, the other is not ended by one NUL.
_PAGES = (437, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866, 869, 874, 932, 936, 949, 950)
_CODECS = {page: f"cp{page}" for page in (*_PAGES, *range(1250, 1259))}
_CODECS |= {65001: "utf-8", 10000: "mac_roman", 20127: "ascii", 28591: "latin-1"}


def codec_of(codepage: int) -> str | None:
    """The codec of a Windows code page; None for 0 and for one that we do not know."""
    return _CODECS.get(codepage)


def read_text(raw: bytes, find: Find, codec: str = DEFAULT_CODEC) -> str:
    """The text of a field up to its first NUL: UTF-8, or else what the codec makes of it."""
    raw = raw.partition(b"\0")[0]
    if len(raw) > MAX_TEXT:
        find("text.cut")
        raw = _cut(raw)
    return decode(raw, codec).strip()


def decode(raw: bytes, codec: str = DEFAULT_CODEC) -> str:
    """UTF-8 where it is, which other charsets hardly ever are by chance; else the codec."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return codecs.decode(raw, codec, "replace")


def _cut(raw: bytes) -> bytes:
    """The first MAX_TEXT bytes, ending with a whole character of UTF-8."""
    end = MAX_TEXT
    while end > MAX_TEXT - 3 and raw[end] & 0xC0 == 0x80:
        end -= 1
    return raw[:end]
