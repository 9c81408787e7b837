"""A part file and which of its bytes are present: one class for playing and for downloading."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path

from sonoteca_shared.ranges import ByteRange, RangeSet


class RangeCache:
    """A sparse file of known size that fills in any order; callable from any thread.

    `changed` is notified when bytes came or the cache was closed. Others that work on the cache
    may wait on it for events of their own, and guard their own state by it.
    """

    def __init__(self, path: Path, size: int, present: Iterable[ByteRange] = ()) -> None:
        self.path = path
        self.size = size
        self.changed = threading.Condition()
        self.closed = False
        self._present = RangeSet(present)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        # The number goes back to the system only when nobody can be inside of a read or write any
        # more: a number that is closed early may come to mean another file.
        weakref.finalize(self, os.close, self._file)
        os.ftruncate(self._file, size)

    @property
    def present(self) -> list[ByteRange]:
        """Which bytes are there."""
        with self.changed:
            return list(self._present)

    @property
    def total(self) -> int:
        """How many bytes are there."""
        with self.changed:
            return self._present.total

    @property
    def complete(self) -> bool:
        return self.total == self.size

    def available(self, offset: int) -> int:
        """How many bytes are there from `offset` on without a gap."""
        with self.changed:
            return self._present.available(offset)

    def gap(self, offset: int) -> ByteRange | None:
        """The first missing bytes at or after `offset`; None if all are there up to the end."""
        with self.changed:
            return next(iter(self._present.missing(offset, self.size)), None)

    def read(self, offset: int, count: int) -> bytes:
        """The bytes at `offset` as far as they are there: up to `count`, fewer before a gap."""
        count = min(count, self.available(offset))
        return os.pread(self._file, count, offset) if count > 0 else b""

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
            return self._present.available(offset) >= count

        with self.changed:
            self.changed.wait_for(lambda: self.closed or here() or unless(), timeout)
            return here()

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
        self.close()
        self.path.unlink(missing_ok=True)
