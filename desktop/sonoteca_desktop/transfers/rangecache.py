"""A part file and which of its bytes are present: one class for playing and for downloading."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sonoteca_shared.ranges import ByteRange, RangeSet


@dataclass(slots=True, eq=False)
class Loan:
    """The file of somebody who fetches the same bytes, which of them it has, and where it is."""

    file: int
    present: RangeSet
    heads: tuple[int, ...] = ()


class RangeCache:
    """A sparse file of known size that fills in any order; callable from any thread.

    Downloads of the same sound lend what they have in part files of their own. So what one of all
    these has fetched, the others need not fetch.

    `changed` is notified when bytes came or the cache was closed. Others that work on the cache
    may wait on it for events of their own, and guard their own state by it.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        present: Iterable[ByteRange] = (),
        *,
        keep: Callable[[RangeCache], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.size = size
        self.changed = threading.Condition()
        self.closed = False
        self.discarded = False
        self._keep = keep
        self._present = RangeSet(present)
        self._loans: dict[tuple[int, int], Loan] = {}
        self._whole = -1
        self._awaited: ByteRange | None = None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        # The number goes back to the system only when nobody can be inside of a read or write any
        # more: a number that is closed early may come to mean another file.
        weakref.finalize(self, os.close, self._file)
        os.ftruncate(self._file, size)

    @property
    def present(self) -> list[ByteRange]:
        """Which bytes are there, but for those that are lent."""
        with self.changed:
            return list(self._present)

    @property
    def total(self) -> int:
        """How many bytes are there, but for those that are lent."""
        with self.changed:
            return self._present.total

    @property
    def complete(self) -> bool:
        return self.gap(0) is None

    def available(self, offset: int) -> int:
        """How many bytes are there from `offset` on without a gap."""
        with self.changed:
            return self._available(offset)

    def gap(self, offset: int) -> ByteRange | None:
        """The first missing bytes at or after `offset`; None if all are there up to the end."""
        with self.changed:
            start = offset + self._available(offset)
            missing = (present.missing(start, self.size) for _, present in self._stores())
            ends = [gaps[0].end for gaps in missing if gaps]
            return ByteRange(start, min(ends)) if start < self.size and ends else None

    def read(self, offset: int, count: int) -> bytes:
        """The bytes at `offset` as far as they are there: up to `count`, fewer before a gap."""
        with self.changed:
            count = min(count, self._available(offset))
            pieces = self._pieces(offset, count) if count > 0 else []
        data = bytearray()
        for file, part in pieces:
            with contextlib.suppress(OSError):
                data += os.pread(file, len(part), part.start)
            if offset + len(data) < part.end:
                # Its disk is broken or gone, or somebody has cut it: the server has these bytes.
                self._distrust(file)
                break
        return bytes(data)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Keep bytes that came from the server, and wake who waits for them."""
        assert 0 <= offset <= self.size - len(data), "bytes outside of the file"
        end = offset + len(data)
        at, left = offset, memoryview(data)
        while left:
            written = os.pwrite(self._file, left, at)
            at, left = at + written, left[written:]
        with self.changed:
            self._present.add(offset, end)
            self.changed.notify_all()

    def wait(
        self,
        offset: int,
        count: int,
        *,
        timeout: float | None = None,
        unless: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait until `count` bytes at `offset` (or all up to the end) are there; tell if they are.

        Gives up after `timeout` seconds, when the cache is closed, and when `unless` holds, which
        is asked each time that `changed` is notified.
        """
        count = min(count, self.size - offset)

        def here() -> bool:
            return self._available(offset) >= count

        with self.changed:
            self.changed.wait_for(lambda: self.closed or here() or unless(), timeout)
            return here()

    # What a download of the same sound does.

    def lend(self, file: int, present: Iterable[ByteRange]) -> Loan:
        """From now on these bytes, and no others, can be read from this file as well."""
        copy = os.dup(file)  # the download may be over while they are still read
        weakref.finalize(self, os.close, copy)
        facts, loan = os.fstat(copy), Loan(copy, RangeSet(present))
        with self.changed:
            # Held open, a file keeps its number: it stands for no other one.
            self._loans[facts.st_dev, facts.st_ino] = loan
            self.changed.notify_all()
        return loan

    def lend_whole(self, file: int) -> None:
        """All bytes can be read from this file."""
        copy = os.dup(file)
        weakref.finalize(self, os.close, copy)
        with self.changed:
            self._whole = copy
            self.changed.notify_all()

    def lent(self, loan: Loan, came: ByteRange | None, heads: Iterable[int]) -> None:
        """The lender has these bytes, too; and where it goes on just now."""
        with self.changed:
            if came is not None:
                loan.present.add(came.start, came.end)
            loan.heads = tuple(heads)
            self.changed.notify_all()

    def is_coming(self, offset: int, soon: int) -> bool:
        """Whether a lender will have fetched this byte within the next `soon` bytes."""
        with self.changed:
            heads = (head for loan in self._loans.values() for head in loan.heads)
            return any(0 <= offset - head <= soon for head in heads)

    def hurry(self, part: ByteRange | None) -> None:
        """Somebody listens and waits for these bytes, which the lender will bring."""
        with self.changed:
            self._awaited = part

    def hurried(self, start: int, end: int) -> bool:
        """Whether somebody listens and waits for what the lender brings between these places."""
        with self.changed:
            part = self._awaited
            return part is not None and start < part.end and part.start < end

    def forget(self) -> None:
        """None of these bytes can be trusted any more."""
        with self.changed:
            self._present = RangeSet()
            self._loans.clear()
            self._whole = -1
        self.keep()

    def _available(self, offset: int) -> int:
        if self._whole >= 0:
            return max(0, self.size - offset)
        end, before = offset, -1
        while end != before:
            before = end
            for _, present in self._stores():
                end += present.available(end)
        return end - offset

    def _stores(self) -> Iterator[tuple[int, RangeSet]]:
        """All files that have some of the bytes, and which."""
        yield from ((loan.file, loan.present) for loan in self._loans.values())
        yield self._file, self._present

    def _distrust(self, file: int) -> None:
        """A file has not what it should have."""
        with self.changed:
            self._loans = {key: each for key, each in self._loans.items() if each.file != file}
            if file == self._whole:
                self._whole = -1
            if file == self._file:
                self._present = RangeSet()

    def _pieces(self, offset: int, count: int) -> list[tuple[int, ByteRange]]:
        """Which bytes of which file make up a stretch that is there."""
        pieces, end = [], offset + count
        while offset < end:
            if self._whole >= 0:
                file, here = self._whole, end - offset
            else:
                stores = ((store, present.available(offset)) for store, present in self._stores())
                file, here = next(each for each in stores if each[1])
            pieces.append((file, ByteRange(offset, min(end, offset + here))))
            offset += here
        return pieces

    # What becomes of it.

    def keep(self) -> None:
        """Have what is there known after a restart."""
        if not self.discarded:
            self._keep(self)

    def sync(self) -> None:
        """Return when what was written so far would survive a power cut."""
        getattr(os, "fdatasync", os.fsync)(self._file)

    def close(self) -> None:
        """Wake all who wait: nothing more will come. What is there can still be read."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def discard(self) -> None:
        """Close it, and take its file out of the folder."""
        self.discarded = True
        self.close()
        self.path.unlink(missing_ok=True)
