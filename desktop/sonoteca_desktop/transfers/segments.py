"""The rules of a file that comes over several connections at once, without any IO.

A download is always a table of segments: of one, as long as nobody shares it, and of several when
it is big. Together they are the whole file, whatever happens to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import msgspec

from sonoteca_shared.ranges import ByteRange

BIG: Final = 64 << 20
"""A smaller file comes over one connection: others would hardly have begun when it is there."""
AT_ONCE: Final = 4
"""So many connections fetch one file together, at most."""
LEAST: Final = 8 << 20
"""Nobody takes less than this from a segment that somebody else is fetching."""


def is_big(size: int) -> bool:
    """Whether a file of this size is worth several connections."""
    return size >= BIG


@dataclass(frozen=True, slots=True)
class Segment:
    """The bytes from `start` up to `end`, which come one after another over one connection."""

    start: int
    end: int
    at: int
    """The next byte that is to come."""
    safe: int
    """What lies before this one is on the disk, and the journal knows."""
    taken: bool = False
    """Somebody is fetching it."""

    def __post_init__(self) -> None:
        assert 0 <= self.start <= self.safe <= self.at <= self.end, f"no segment: {self}"

    @property
    def left(self) -> int:
        """How many bytes are still to come."""
        return self.end - self.at


@dataclass(frozen=True, slots=True)
class Segments:
    """All segments of one file, in order, without gap or overlap; a start names its segment."""

    table: tuple[Segment, ...]

    def __post_init__(self) -> None:
        assert self.table, "not even one segment"
        assert self.table[0].start == 0, "the first bytes are in no segment"
        assert all(one.end == other.start for one, other in pairwise(self.table)), self.table

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.table)

    @classmethod
    def begin(cls, size: int, *, several: bool = False) -> Segments:
        """A file of which nothing has come; in several segments if allowed and worth it."""
        count = AT_ONCE if several and is_big(size) else 1
        marks = [size * number // count for number in range(count + 1)]
        return cls(tuple(Segment(start, end, start, start) for start, end in pairwise(marks)))

    @classmethod
    def read(cls, text: str, *, size: int, safe: int) -> Segments:
        """What the journal remembers; from the beginning where that is no table of this file.

        One segment is remembered by the bytes that are safe alone, and has no text.
        """
        if not text:
            return cls((Segment(0, size, safe, safe),)) if 0 <= safe <= size else cls.begin(size)
        try:
            rows = msgspec.json.decode(text, type=list[tuple[int, int, int]])
            table = cls(tuple(Segment(start, end, at, at) for start, end, at in rows))
        except (msgspec.DecodeError, AssertionError):
            return cls.begin(size)
        return table if (table.size, table.safe) == (size, safe) else cls.begin(size)

    @property
    def text(self) -> str:
        """What the journal has to remember beside the number of safe bytes."""
        if len(self.table) == 1:
            return ""
        return msgspec.json.encode([(each.start, each.end, each.safe) for each in self]).decode()

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return self.table[-1].end

    @property
    def came(self) -> int:
        """How many bytes have come."""
        return sum(each.at - each.start for each in self)

    @property
    def safe(self) -> int:
        """How many bytes a power cut would leave."""
        return sum(each.safe - each.start for each in self)

    @property
    def complete(self) -> bool:
        """Whether all bytes have come."""
        return not any(each.left for each in self)

    @property
    def safe_end(self) -> int:
        """A file that is shorter than this has lost something."""
        return max((each.safe for each in self if each.safe > each.start), default=0)

    @property
    def safe_ranges(self) -> list[ByteRange]:
        """Which bytes a power cut would leave."""
        return [ByteRange(each.start, each.safe) for each in self if each.safe > each.start]

    @property
    def heads(self) -> list[int]:
        """Where bytes are coming in now."""
        return [each.at for each in self if each.taken]

    def __getitem__(self, start: int) -> Segment:
        return next(each for each in self if each.start == start)

    def take(self) -> tuple[Segments, Segment] | None:
        """A segment for somebody who has none: one that waits, or half of the longest left.

        None when nothing waits, and halves would be too small.
        """
        free = next((each for each in self if each.left and not each.taken), None)
        if free is not None:
            mine = replace(free, taken=True)
            return self._with(mine), mine
        longest = max(self, key=lambda each: each.left)
        if not is_big(self.size) or longest.left < 2 * LEAST:
            return None
        middle = longest.at + longest.left // 2
        mine = Segment(middle, longest.end, middle, middle, taken=True)
        return self._with(replace(longest, end=middle), mine), mine

    def leave(self, start: int) -> Segments:
        """Nobody fetches this segment any more."""
        return self._with(replace(self[start], taken=False))

    def receive(self, start: int, count: int) -> Segments:
        """So many more bytes of a segment have come."""
        segment = self[start]
        return self._with(replace(segment, at=segment.at + count))

    def saved(self, before: Segments) -> Segments:
        """What had come when it was like `before` is safe now."""
        came = {each.start: each.at for each in before}
        return Segments(tuple(replace(each, safe=came.get(each.start, each.safe)) for each in self))

    def _with(self, *changed: Segment) -> Segments:
        """The same with one segment replaced by others that begin where it began."""
        table: list[Segment] = []
        for each in self:
            table += changed if each.start == changed[0].start else (each,)
        return Segments(tuple(table))
