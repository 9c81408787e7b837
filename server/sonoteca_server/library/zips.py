"""The layout of a zip: its bytes are known without any of them being written.

Header, file, header, file …, directory, end. Sizes and CRC-32 of all files are known beforehand, so
every length is, and with it every place: any range of the zip can be had by looking up where it
begins. Files are stored as they are, without data descriptors; ZIP64 stands only where 32 bits do
not do (PKWARE's APPNOTE 6.3.10). The same files under the same names make the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sonoteca_shared.ranges import ByteRange

VERSION = 1
"""Goes into the ETag of every zip: raise it with any change of the bytes."""

# From here on a field of 32 or 16 bits says that the true number stands elsewhere.
_BIG = 0xFFFFFFFF
_MANY = 0xFFFF
# Version 4.5 of the format has ZIP64; 2.0 is the oldest that any reader asks for.
_PLAIN, _WIDE = 20, 45
# Names are UTF-8. The time is the first that a zip can say: a zip has no other one to tell.
_FLAGS = 0x0800
_TIME, _DATE = 0, 0x0021
# Made on Unix: a plain file that its owner writes and everybody reads.
_MADE_BY = 3 << 8 | _WIDE
_MODE = 0o100644 << 16

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR = struct.Struct("<IIQI")
# So many entries of the directory are made at a time.
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a zip: its path there, and the blob that has its bytes, or the bytes themselves."""

    name: str
    size: int
    crc32: int
    content: str | bytes


def entry_of(name: str, data: bytes) -> Entry:
    """A file whose bytes are at hand, which are few."""
    return Entry(name, len(data), zlib.crc32(data), data)


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes from `start` up to, but without, `end` of a blob that has `size` of them."""

    blob: str
    size: int
    start: int
    end: int


class Zip:
    """A zip of these files; takes a good hundred bytes of memory for each beside its name."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._names = bytearray()
        self._name_ends = array("Q")
        self._crcs = array("I")
        self._contents: list[str | bytes] = []
        # Where each local header begins, and where the directory does.
        self._starts = array("Q", [0])
        self._sizes = array("Q")
        for entry in entries:
            self._add(entry)
        self._blocks = array("Q", self._measured())
        begin, end = self._starts[-1], self._blocks[-1]
        self._tail = _tail(len(self), begin, end - begin)
        self.size = end + len(self._tail)

    def __len__(self) -> int:
        return len(self._sizes)

    def cut(self, part: ByteRange) -> Iterator[bytes | Part]:
        """What a range of it is made of."""
        place = part.start
        for begin, piece in self._pieces(place):
            if begin >= part.end:
                return
            length = len(piece) if isinstance(piece, bytes) else piece.size
            first, last = max(place - begin, 0), min(part.end - begin, length)
            if first >= last:
                continue
            if isinstance(piece, bytes):
                yield piece[first:last]
            else:
                yield Part(piece.blob, piece.size, first, last)

    def _add(self, entry: Entry) -> None:
        name = entry.name.encode()
        assert len(name) <= _MANY
        self._names += name
        self._name_ends.append(len(self._names))
        self._crcs.append(entry.crc32)
        self._contents.append(entry.content)
        self._sizes.append(entry.size)
        wide = 20 if entry.size >= _BIG else 0
        self._starts.append(self._starts[-1] + _LOCAL.size + len(name) + wide + entry.size)

    def _measured(self) -> Iterator[int]:
        """Where each block of the directory begins, and where the last one ends."""
        place = self._starts[-1]
        for number in range(len(self)):
            if number % _BLOCK == 0:
                yield place
            place += _CENTRAL.size + len(self._name(number)) + len(self._wide(number))
        yield place

    def _pieces(self, place: int) -> Iterator[tuple[int, bytes | Part]]:
        """The pieces of the zip with their places, from the one that this place is in."""
        for number in range(max(0, bisect_right(self._starts, place) - 1), len(self)):
            header = self._header(number)
            yield self._starts[number], header
            yield self._starts[number] + len(header), self._content(number)
        for block in range(max(0, bisect_right(self._blocks, place) - 1), len(self._blocks) - 1):
            numbers = range(block * _BLOCK, min(len(self), (block + 1) * _BLOCK))
            yield self._blocks[block], b"".join(map(self._listed, numbers))
        yield self._blocks[-1], self._tail

    def _content(self, number: int) -> bytes | Part:
        content = self._contents[number]
        if isinstance(content, bytes):
            return content
        return Part(content, self._sizes[number], 0, self._sizes[number])

    def _name(self, number: int) -> bytes:
        begin = self._name_ends[number - 1] if number else 0
        return bytes(self._names[begin : self._name_ends[number]])

    def _header(self, number: int) -> bytes:
        """The local header of a file."""
        name, size = self._name(number), self._sizes[number]
        extra = _extra(size, size) if size >= _BIG else b""
        shown = min(size, _BIG)
        return _LOCAL.pack(
            0x04034B50, _WIDE if extra else _PLAIN, _FLAGS, 0, _TIME, _DATE, self._crcs[number],
            shown, shown, len(name), len(extra),
        ) + name + extra  # fmt: skip

    def _listed(self, number: int) -> bytes:
        """The entry of a file in the directory."""
        name, extra = self._name(number), self._wide(number)
        size, start = (min(each, _BIG) for each in (self._sizes[number], self._starts[number]))
        return _CENTRAL.pack(
            0x02014B50, _MADE_BY, _WIDE if extra else _PLAIN, _FLAGS, 0, _TIME, _DATE,
            self._crcs[number], size, size, len(name), len(extra), 0, 0, 0, _MODE, start,
        ) + name + extra  # fmt: skip

    def _wide(self, number: int) -> bytes:
        """What the entry in the directory has to say in 64 bits: sizes, then the place."""
        size, start = self._sizes[number], self._starts[number]
        return _extra(*(size, size) if size >= _BIG else (), *(start,) if start >= _BIG else ())


def _extra(*numbers: int) -> bytes:
    """The ZIP64 field with these numbers (APPNOTE section 4.5.3); nothing for none."""
    if not numbers:
        return b""
    return struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers)


def _tail(count: int, begin: int, length: int) -> bytes:
    """The end of a zip (APPNOTE sections 4.3.14 to 4.3.16), behind its directory."""
    shown = min(count, _MANY), min(length, _BIG), min(begin, _BIG)
    wide = b""
    if count >= _MANY or length >= _BIG or begin >= _BIG:
        wide = _END64.pack(0x06064B50, 44, _MADE_BY, _WIDE, 0, 0, count, count, length, begin)
        wide += _LOCATOR.pack(0x07064B50, 0, begin + length, 1)
    return wide + _END.pack(0x06054B50, 0, 0, shown[0], *shown, 0)
