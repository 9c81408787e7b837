"""Read the text frames of an ID3v2.3 or 2.4 tag; pictures and all else are stepped over.

Sources: the informal standards id3v2.3.0 (1999) and id3v2.4.0-structure (2000).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sonoteca_shared.wav.riff import ReadAt
from sonoteca_shared.wav.text import MAX_TEXT, Find, decode

MAX_FRAMES = 1000
MAX_BYTES = 1 << 20
"""Of all texts of a tag together."""
_HEADER = 10
_UNSYNCHRONISED, _EXTENDED = 0x80, 0x40
# A tag that has to be undone as a whole is read as a whole, so not more of it than this.
_WHOLE = 262_144
_V3, _V4 = 3, 4
_V4_UNSYNCHRONISED, _V4_LENGTH = 0x02, 0x01
_ENCODINGS = {1: "utf-16", 2: "utf-16-be", 3: "utf-8"}


def read_id3(read: ReadAt, size: int, *, find: Find, codec: str) -> dict[str, str]:
    """The texts by their frames' ids; `read` has the chunk's payload of `size` bytes."""
    head = read(0, _HEADER)
    if len(head) < _HEADER or head[:3] != b"ID3":
        find("id3.malformed")
        return {}
    version, flags = head[3], head[5]
    if version not in (_V3, _V4):
        find("id3.version")
        return {}
    end = min(size, _HEADER + _synchsafe(head[6:10]))
    if flags & _UNSYNCHRONISED and version == _V3:
        whole = _undone(read(0, min(end, _WHOLE)))
        end = len(whole)
        read = partial(_slice, whole)
    at = _HEADER
    if flags & _EXTENDED:
        told = read(at, 4)
        # The later version counts the four bytes of the length too.
        at += 4 + int.from_bytes(told) if version == _V3 else _synchsafe(told)
    texts: dict[str, str] = {}
    for name, payload in _text_frames(read, at, end, version, find):
        key, text = _text_of(name, payload, codec)
        if text:
            texts.setdefault(key, text)
    return texts


def _text_frames(
    read: ReadAt, at: int, end: int, version: int, find: Find
) -> Iterator[tuple[str, bytes]]:
    """The names and payloads of text frames; of all others only the headers are read."""
    left = MAX_BYTES
    for _ in range(MAX_FRAMES):
        header = read(at, min(_HEADER, max(0, end - at)))
        if len(header) < _HEADER or header[0] == 0:
            return  # the padding behind the last frame
        name = header[:4]
        size = _size_of(header[4:8], version)
        at += _HEADER
        if not (name.isalnum() and name.isascii()) or size > end - at:
            find("id3.malformed")
            return
        if name == b"COMM" or name[:1] == b"T":
            if size > MAX_TEXT:
                find("text.cut")
            text = read(at, min(size, MAX_TEXT, left))
            left -= len(text)
            if not left:
                break
            payload = _plain(text, header[9], version)
            if payload is None:
                find("id3.frame-flags")
            else:
                yield name.decode("ascii"), payload
        at += size
    find("id3.too-many")


def _plain(payload: bytes, flags: int, version: int) -> bytes | None:
    """What a frame holds; None when it is compressed, encrypted or of a group."""
    if flags & (0xE0 if version == _V3 else 0x4C):
        return None
    if version == _V4:
        payload = payload[4:] if flags & _V4_LENGTH else payload
        payload = _undone(payload) if flags & _V4_UNSYNCHRONISED else payload
    return payload


def _text_of(name: str, payload: bytes, codec: str) -> tuple[str, str]:
    """The key and the text of a frame; texts with a name of their own carry it in the key."""
    encoding, rest = payload[:1], payload[1:]
    if name == "COMM":
        rest = rest[3:]  # its language
    chosen = _ENCODINGS.get(encoding[0]) if encoding else None
    if chosen == "utf-16" and rest[:2] == b"\xfe\xff":
        chosen = "utf-16-be"
    elif chosen == "utf-16":
        chosen = "utf-16-le"
    text = rest.decode(chosen, "replace") if chosen else decode(rest, codec)
    parts = [part.strip("\ufeff \t\r\n") for part in text.split("\0")]
    if name in ("TXXX", "COMM"):
        title, parts = parts[0], parts[1:]
        name = f"{name}:{title}" if title else name
    return name, " / ".join(part for part in parts if part)


def _size_of(raw: bytes, version: int) -> int:
    # Version 2.4 counts in sevens of bits, but programs that did not know wrote plain numbers.
    plain = version == _V3 or any(byte & 0x80 for byte in raw)
    return int.from_bytes(raw) if plain else _synchsafe(raw)


def _synchsafe(raw: bytes) -> int:
    value = 0
    for byte in raw:
        value = value << 7 | byte & 0x7F
    return value


def _undone(raw: bytes) -> bytes:
    """Bytes without the zeros that keep players from taking them for MPEG sound."""
    return raw.replace(b"\xff\x00", b"\xff")


def _slice(whole: bytes, offset: int, count: int) -> bytes:
    return whole[offset : offset + count]
