"""XML as places in a text, so that one element can be changed and all else stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from sonoteca_shared.wav.xmltree import MAX_DEPTH, MAX_ELEMENTS

# A tag of well-formed XML, whose attributes may have the sign in them that ends it.
_TAG = re.compile(rb"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>")


class _UnfitError(Exception):
    """The text defines a document type, or has more elements than anybody needs."""


@dataclass(slots=True)
class Place:
    """An element and where it lies in its text, in bytes."""

    name: str
    """In upper case."""
    start: int
    inner: int
    inner_end: int = 0
    end: int = 0
    children: list[Place] = field(default_factory=list)

    def named(self, name: str) -> Iterator[Place]:
        """The children of this name."""
        return (child for child in self.children if child.name == name)


class Editing:
    """Changes to a well-formed text in UTF-8, none within another, which are made all at once."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._changes: dict[tuple[int, int], bytes] = {}

    def read(self, place: Place) -> str:
        """What stands in an element, with its markup if it has any."""
        return self._text[place.inner : place.inner_end].decode().strip()

    def write(self, place: Place, text: str) -> None:
        """Have this text, which needs no escapes, in an element that is not empty."""
        self._changes[place.inner, place.inner_end] = text.encode()

    def drop(self, place: Place) -> None:
        """Take an element out."""
        self._changes[place.start, place.end] = b""

    def result(self) -> bytes:
        """The text as it is now."""
        pieces: list[bytes] = []
        at = 0
        for (start, end), changed in sorted(self._changes.items()):
            pieces += self._text[at:start], changed
            at = end
        return b"".join((*pieces, self._text[at:]))


class _Finder:
    """Notes from expat's events where elements begin and end."""

    def __init__(self, text: bytes, parser: expat.XMLParserType) -> None:
        self.root: Place | None = None
        self._text = text
        self._parser = parser
        self._open: list[Place] = []
        self._count = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        tag = _TAG.match(self._text, at)
        self._count += 1
        if tag is None or len(self._open) == MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise _UnfitError
        place = Place(name.upper(), at, tag.end())
        if self._open:
            self._open[-1].children.append(place)
        self.root = self.root or place
        self._open.append(place)

    def end(self, _name: str) -> None:
        place = self._open.pop()
        if self._text[place.inner - 2 : place.inner] == b"/>":
            place.inner_end = place.end = place.inner
            return
        place.inner_end = self._parser.CurrentByteIndex
        place.end = self._text.index(b">", place.inner_end) + 1

    def refuse(self, *_: object) -> None:
        raise _UnfitError


def find_places(text: bytes) -> Place | None:
    """The outermost element of a text in UTF-8; None where it is not well formed, or too much."""
    parser = expat.ParserCreate("utf-8")
    finder = _Finder(text, parser)
    parser.StartElementHandler = finder.start
    parser.EndElementHandler = finder.end
    parser.StartDoctypeDeclHandler = finder.refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, _UnfitError):
        return None
    return finder.root
