"""XML as a bounded tree of strings: no DTD, no entities, no depth and no number without end."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from sonoteca_shared.models import Element
from sonoteca_shared.wav.text import MAX_TEXT, Find, decode

MAX_DEPTH = 16
MAX_ELEMENTS = 10_000
MAX_NAME = 256

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Expat is given UTF-8 and told so; what the text says of its charset is for others.
_DECLARED = re.compile(r"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})", re.ASCII)
_BY_NAME = {"iso-8859-1": "latin-1", "latin1": "latin-1", "shift_jis": "cp932", "gbk": "cp936"}


class _DoctypeError(Exception):
    """The text defines a document type: the way to entities, and of no use to us."""


@dataclass(slots=True)
class _Node:
    name: str
    texts: list[str] = field(default_factory=list)
    length: int = 0
    elements: list[Element] = field(default_factory=list)

    def closed(self) -> Element:
        text = "".join(self.texts).strip()
        return Element(name=self.name, text=text, elements=tuple(self.elements))


class _Builder:
    """Builds the tree from expat's events; elements are made when they end, so none recurses."""

    def __init__(self, find: Find) -> None:
        self.root = _Node("")
        self._open = [self.root]
        self._skipped = 0
        self._count = 0
        self._find = find

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if self._skipped or len(self._open) > MAX_DEPTH or self._count >= MAX_ELEMENTS:
            self._skipped += 1
            self._find("ixml.too-deep" if len(self._open) > MAX_DEPTH else "ixml.too-many")
            return
        self._count += 1
        self._open.append(_Node(name[:MAX_NAME]))

    def end(self, _name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        else:
            self.close_one()

    def text(self, text: str) -> None:
        if self._skipped:
            return
        node = self._open[-1]
        if node.length + len(text) > MAX_TEXT:
            self._find("text.cut")
            text = text[: MAX_TEXT - node.length]
        node.length += len(text)
        node.texts.append(text)

    def close_one(self) -> None:
        element = self._open.pop().closed()
        self._open[-1].elements.append(element)

    def close_all(self) -> None:
        while len(self._open) > 1:
            self.close_one()

    def refuse(self, *_: object) -> None:
        raise _DoctypeError


def parse_xml(raw: bytes, find: Find, codec: str) -> Element | None:
    """The outermost element, as far as the text is well formed; None when there is none."""
    builder = _Builder(find)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    try:
        parser.Parse(as_utf8(raw, codec), True)
    except expat.ExpatError:
        find("ixml.malformed")
    except _DoctypeError:
        find("ixml.doctype")
    builder.close_all()
    elements = builder.root.elements
    return elements[0] if elements else None


def as_utf8(raw: bytes, codec: str) -> bytes:
    """The text in UTF-8, without the zeros and blanks that fill its room up."""
    if raw.startswith(_UTF16):
        text = raw.decode("utf-16", "replace")
    else:
        declared = _DECLARED.match(raw[:200].lstrip(b"\xef\xbb\xbf \t\r\n").decode("latin-1"))
        text = decode(raw, _BY_NAME.get(declared[1].lower(), codec) if declared else codec)
    return text.partition("\0")[0].lstrip("\ufeff").strip().encode("utf-8")
