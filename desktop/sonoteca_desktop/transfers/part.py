"""The part file of a download: what came of each segment, what is safe, and who may read it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.rangecache import RangeCache
from sonoteca_desktop.transfers.segments import Segment, Segments
from sonoteca_shared.ranges import ByteRange

SYNC_BYTES = 8 << 20
SYNC_SECONDS = 2.0


class Part:
    """Takes the bytes of all segments; callable from any thread.

    The order is always the same: bytes, then fdatasync, then the journal (`remember`). So what the
    journal counts is on the disk. `progressed` is told how many bytes there are, one call at a
    time. What came is lent to who listens meanwhile. `is_checked`: a digest of the whole will tell
    whether all bytes are of one file.
    """

    def __init__(
        self,
        file: FileIO,
        segments: Segments,
        *,
        remember: Callable[[Segments], None],
        progressed: Callable[[int], None],
        cache: RangeCache | None = None,
        is_checked: bool = True,
    ) -> None:
        self._file = file
        self._segments = segments
        self._remember = remember
        self._progressed = progressed
        self._cache = cache
        self._is_checked = is_checked
        # Taken in this order. Nobody waits for the disk with _lock in hand.
        self._saving = threading.Lock()
        self._lock = threading.Lock()
        self._synced_at = time.monotonic()
        # Runs along as long as the bytes from the first one on pass through this very run.
        self._sha256 = hashlib.sha256()
        self._hashed = 0
        self._open()

    @property
    def segments(self) -> Segments:
        """How far each has come."""
        return self._segments

    def take(self) -> Segment | None:
        """A segment to fetch, if there is one; it is to be left in the end."""
        with self._saving:
            with self._lock:
                taken = self._segments.take()
                if taken is None:
                    return None
                before, (self._segments, mine) = self._segments, taken
                self._tell()
            if len(before.table) != len(self._segments.table):
                # Before any byte of it: the journal must know that there will be gaps.
                self._remember(self._segments)
        return mine

    def leave(self, start: int) -> None:
        """Nobody fetches this segment any more, be it over or not."""
        with self._lock:
            self._segments = self._segments.leave(start)
            self._tell()

    def keep(self, start: int, data: bytes) -> None:
        """Take the next bytes of a segment from the one who fetches it."""
        at = self._segments[start].at
        target.write_at(self._file, data, at)
        if at == self._hashed:
            self._sha256.update(data)
            self._hashed += len(data)
        with self._lock:
            self._segments = now = self._segments.receive(start, len(data))
            self._tell(ByteRange(at, at + len(data)))
            self._progressed(now.came)
        if self._is_time():
            self.sync(unless=lambda: not self._is_time())  # another one was quicker

    def sync(self, unless: Callable[[], bool] = lambda: False) -> None:
        """Make safe what has come; `unless` is asked when it is our turn."""
        with self._saving:
            if unless():
                return
            self._synced_at = time.monotonic()
            with self._lock:
                before = self._segments
            if before.safe == before.came:
                return
            target.sync(self._file)
            with self._lock:
                self._segments = now = self._segments.saved(before)
            self._remember(now)

    def begin_again(self, segments: Segments) -> None:
        """Drop everything; nobody may be fetching."""
        with self._saving:
            # The journal first: it must never count bytes that are being replaced by others.
            self._segments = segments
            if self._cache is not None:
                self._loan = self._cache.lend(self._file.fileno(), ())
            self._remember(segments)
            self._progressed(0)
            self._file.truncate(0)
            self._sha256, self._hashed = hashlib.sha256(), 0

    def digest(self, path: Path, go_on: Callable[[], None]) -> str:
        """The SHA-256 of what lies there under this name; `go_on` is called, and may raise."""
        # What went through our hands counts only if it is the very file of that name.
        if not target.is_whole(self._file, path, self._segments.size):
            return target.digest(path, go_on)
        self._file.seek(self._hashed)
        return target.digest_on(self._sha256, self._file, go_on)

    def _open(self) -> None:
        """Look at what an earlier run left."""
        segments, size = self._segments, self._file.seek(0, 2)
        if size < segments.safe_end:
            self.begin_again(Segments.begin(segments.size))  # somebody removed or cut it
            return
        if self._cache is not None:
            # Before the file is cut: who listens must not read what goes.
            self._loan = self._cache.lend(self._file.fileno(), segments.safe_ranges)
        if len(segments.table) > 1:
            self._remember(segments)
        elif self._is_left_whole(size):
            # One segment grows from its beginning: all that is there came in its order.
            self._segments = segments.receive(0, size - segments.safe)
            self.sync()
        # What lies past the safe bytes may be anything, after a power cut.
        if len(segments.table) == 1:
            self._file.truncate(self._segments.came)

    def _is_left_whole(self, size: int) -> bool:
        """Whether what lies past the safe bytes may be taken for what came last."""
        segments = self._segments
        return (
            self._is_checked
            and segments.safe < size <= segments.size
            and target.is_of_this_boot(self._file)
        )

    def _is_time(self) -> bool:
        unsafe = self._segments.came - self._segments.safe
        return unsafe >= SYNC_BYTES or time.monotonic() - self._synced_at >= SYNC_SECONDS

    def _tell(self, came: ByteRange | None = None) -> None:
        """Let those who listen know what has come, and where more is coming."""
        if self._cache is not None:
            self._cache.lent(self._loan, came, self._segments.heads)
