"""What people call things, made harmless: names, folders and the key they sort by.

A name is kept as it was given, but for what would only deceive (control and bidi characters)
or not fit; it never becomes a path on the server.
"""

from __future__ import annotations

import re
import unicodedata

MAX_BYTES = 255
# What an index of PostgreSQL takes beside a name.
MAX_FOLDER_BYTES = 2_000
_SEPARATORS = re.compile(r"[/\\]+")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Longer than that, what follows a dot is no ending.
_MOST_OF_ENDING = 10
_DIGITS = re.compile(r"([0-9]+)")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def clean_name(text: str) -> str:
    """The last part of a path as a name, "" when nothing of it is left."""
    return _component(_SEPARATORS.split(text)[-1], ending=True)


def clean_folder(text: str) -> str:
    """A relative folder with `/` between its parts, "" for none; never leads upwards."""
    parts = (_component(part) for part in _SEPARATORS.split(text))
    return "/".join(part for part in parts if part)


def numbered(name: str, number: int) -> str:
    """The name with a number before its ending: `take1.wav`, 2 → `take1 (2).wav`."""
    stem, ending = _split(name)
    tail = f" ({number}){ending}"
    return _cut(stem, MAX_BYTES - len(tail.encode())) + tail


def with_ending(name: str, ending: str) -> str:
    """The name with this ending in the place of its own: `take1.wav`, mp3 → `take1.mp3`."""
    stem, dot, tail = name.rpartition(".")
    if not stem or len(dot + tail) > _MOST_OF_ENDING:
        stem = name
    return _cut(stem, MAX_BYTES - len(ending.encode()) - 1) + f".{ending}"


def cut_name(name: str, most_bytes: int) -> str:
    """Cut a name before its ending, which says what it is."""
    stem, ending = _split(name)
    return _cut(stem, most_bytes - len(ending.encode())) + ending


def sort_key(text: str) -> str:
    """A key that sorts as people expect: case aside, numbers by value (`2` before `10`)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(
        f"{len(part.lstrip('0')):03d}{part.lstrip('0')}" if part.isdecimal() else part
        for part in _DIGITS.split(folded)
    )


def is_repository(text: str) -> bool:
    """Whether the text may name a repository."""
    return _REPOSITORY.fullmatch(text) is not None


def _component(text: str, *, ending: bool = False) -> str:
    normal = unicodedata.normalize("NFC", text)
    kept = "".join(c for c in normal if unicodedata.category(c) not in _HIDDEN and c not in _BIDI)
    cut = (cut_name if ending else _cut)(kept.strip(), MAX_BYTES).strip()
    return "" if set(cut) <= {"."} else cut


# Control characters, lone surrogates and line or paragraph separators.
_HIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def _cut(text: str, most_bytes: int) -> str:
    return text.encode()[:most_bytes].decode(errors="ignore")


def _split(name: str) -> tuple[str, str]:
    """A name and its ending with the dot, if it has one."""
    stem, dot, ending = name.rpartition(".")
    if not stem or len(dot + ending) > _MOST_OF_ENDING:
        return name, ""
    return stem, dot + ending
