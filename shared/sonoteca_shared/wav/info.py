"""Read LIST `INFO`: title, artist, date and whatever else RIFF has four letters for.

Source: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991).
"""

from __future__ import annotations

from collections.abc import Iterable

from sonoteca_shared.wav.text import Find, read_text

MAX_FIELDS = 1000


def read_info(
    chunks: Iterable[tuple[bytes, bytes]], into: dict[str, str], *, find: Find, codec: str
) -> None:
    """Add the texts to what is known, by their ids; the first of each counts."""
    for name, payload in chunks:
        if not (name.isascii() and name.isalnum()):
            find("info.malformed")
            continue
        if len(into) >= MAX_FIELDS:
            find("info.too-many")
            return
        text = read_text(payload, find, codec)
        if text:
            into.setdefault(name.decode("ascii"), text)
