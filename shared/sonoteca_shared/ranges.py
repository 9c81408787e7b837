"""Byte ranges as Range and Content-Range write them (RFC 9110, 14); which bytes are present."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

# Only ASCII digits: int() would take "+1", "1_0" and Arabic digits. A longer number than this has
# no meaning in any world, and Python refuses to convert more than 4,300 digits.
_DIGITS = "[0-9]{1,400}"
_RANGE = re.compile(f"({_DIGITS})-({_DIGITS})?|-({_DIGITS})")
_CONTENT_RANGE = re.compile(
    rf"bytes (?:({_DIGITS})-({_DIGITS})|\*)/(?:({_DIGITS})|\*)", re.IGNORECASE
)


MAX_RANGES = 10
"""Whoever wants more parts of a file than this at once gets the whole."""

# What costs to read before it is merged; nobody who means well asks for that many.
_MAX_COMMAS = 100


class Unsatisfiable(Enum):
    """The type of `UNSATISFIABLE`, so that type checkers can tell it from a range."""

    UNSATISFIABLE = "unsatisfiable"


UNSATISFIABLE: Final = Unsatisfiable.UNSATISFIABLE
"""The answer for a range that is well written, but has no byte in this file (status 416)."""


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The bytes from `start` up to, but without, `end`; never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        assert 0 <= self.start < self.end, f"not a range: {self.start} to {self.end}"

    def __len__(self) -> int:
        return self.end - self.start


Pieces: TypeAlias = tuple[bytes | ByteRange, ...]
"""What to send, in order: bytes as they are, and ranges of a file."""


def parse_ranges(header: str | None, size: int) -> tuple[ByteRange, ...] | Unsatisfiable | None:
    """Read a Range header for a file of `size` bytes; None means: ignore it, send the whole file.

    Ranges that overlap or touch become one, in the place of the first of them (RFC 9110 15.3.7.2).
    Ignored are, as section 14.2 allows, a missing header, another unit, what is not well written,
    and more than MAX_RANGES ranges.
    """
    unit, _, ranges = (header or "").strip().partition("=")
    if unit.lower() != "bytes" or ranges.count(",") > _MAX_COMMAS:
        return None
    # Empty elements of a list are to be skipped (RFC 9110, 5.6.1.2).
    specs = [spec for part in ranges.split(",") if (spec := part.strip(" \t"))]
    read = [_parse_spec(spec, size) for spec in specs]
    if not read or None in read:
        return None
    merged = _merge([each for each in read if isinstance(each, ByteRange)])
    return merged if 0 < len(merged) <= MAX_RANGES else None if merged else UNSATISFIABLE


def _merge(asked: list[ByteRange]) -> tuple[ByteRange, ...]:
    """The same bytes as ranges that do not touch, each where the first of it was asked for."""
    if len(asked) < 2:
        return tuple(asked)
    ranges = list(RangeSet(asked))
    starts = [each.start for each in ranges]
    places = (bisect_right(starts, each.start) - 1 for each in asked)
    return tuple(ranges[place] for place in dict.fromkeys(places))


def _parse_spec(spec: str, size: int) -> ByteRange | Unsatisfiable | None:
    match = _RANGE.fullmatch(spec)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return _suffix(int(suffix), size)
    return _from_first(int(first), None if last is None else int(last), size)


def _suffix(count: int, size: int) -> ByteRange | Unsatisfiable | None:
    if count == 0:
        return UNSATISFIABLE
    # The end of an empty file is the empty file, and no Content-Range can say that.
    return ByteRange(max(0, size - count), size) if size else None


def _from_first(first: int, last: int | None, size: int) -> ByteRange | Unsatisfiable | None:
    if last is not None and last < first:
        return None
    if first >= size:
        return UNSATISFIABLE
    return ByteRange(first, size if last is None else min(last + 1, size))


def content_range(part: ByteRange | None, size: int) -> str:
    """Write a Content-Range header: for a 206 with its part, for a 416 with None."""
    return f"bytes {part.start}-{part.end - 1}/{size}" if part else f"bytes */{size}"


@dataclass(frozen=True, slots=True)
class ContentRange:
    """What a Content-Range header says: the part that was sent, and the size of the whole file.

    `part` is None in a 416, `size` is None where the sender did not know it.
    """

    part: ByteRange | None
    size: int | None


def parse_content_range(header: str | None) -> ContentRange | None:
    """Read a Content-Range header; None if missing, in another unit, or contradicting itself."""
    match = _CONTENT_RANGE.fullmatch((header or "").strip())
    if match is None:
        return None
    first, last, whole = match.groups()
    size = None if whole is None else int(whole)
    if first is None:
        return None if size is None else ContentRange(None, size)
    start, end = int(first), int(last) + 1
    if end <= start or (size is not None and end > size):
        return None
    return ContentRange(ByteRange(start, end), size)


class RangeSet:
    """Which bytes of a file are present: a set of numbers, kept as ranges that never touch."""

    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for each in ranges:
            self.add(each.start, each.end)

    def __iter__(self) -> Iterator[ByteRange]:
        return map(ByteRange, list(self._starts), list(self._ends))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    @property
    def total(self) -> int:
        """How many bytes are present."""
        return sum(self._ends) - sum(self._starts)

    def add(self, start: int, end: int) -> None:
        """Count the bytes from `start` up to `end` as present; adding none is allowed."""
        if start >= end:
            return
        # All ranges that overlap or touch the new one become one with it.
        first = bisect_left(self._ends, start)
        after = bisect_right(self._starts, end)
        if first < after:
            start = min(start, self._starts[first])
            end = max(end, self._ends[after - 1])
        self._starts[first:after] = [start]
        self._ends[first:after] = [end]

    def available(self, offset: int) -> int:
        """How many bytes are present from `offset` on without a gap."""
        at = bisect_right(self._starts, offset) - 1
        return max(0, self._ends[at] - offset) if at >= 0 else 0

    def covers(self, start: int, end: int) -> bool:
        """Whether all bytes from `start` up to `end` are present."""
        return self.available(start) >= end - start

    def missing(self, start: int, end: int) -> list[ByteRange]:
        """The gaps between `start` and `end`, in order."""
        gaps = []
        at = bisect_right(self._ends, start)
        while start < end:
            next_start = self._starts[at] if at < len(self._starts) else end
            if start < next_start:
                gaps.append(ByteRange(start, min(next_start, end)))
            if at == len(self._starts):
                break
            start = max(start, self._ends[at])
            at += 1
        return gaps
