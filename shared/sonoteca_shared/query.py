"""The search language. For now plain words, all of which must be there; words match beginnings."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"\w+")


def fold(text: str) -> str:
    """Text as it is searched: accents and case aside, so that `cafe` finds `Café`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def words_of(text: str) -> list[str]:
    """The words of a text or query, folded; `_` parts words, as it stands for a blank in names."""
    return _WORD.findall(fold(text).replace("_", " "))


def searchable(*texts: str) -> str:
    """The column in which words are looked for: each word with a blank before it."""
    return "".join(f" {word}" for text in texts for word in words_of(text))
