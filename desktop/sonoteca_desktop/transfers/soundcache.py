"""The range caches of all sounds that were heard, kept on disk up to a budget, oldest out first.

Beside the bytes of each (`<sha256>.heard`) lies a note of which are there (`<sha256>.ranges`). It
is written when the bytes are on the disk, and so never says too much.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import msgspec

from sonoteca_desktop.transfers.rangecache import RangeCache
from sonoteca_shared.ranges import ByteRange

BUDGET = 2 << 30

_logger = logging.getLogger(__name__)


class _Note(msgspec.Struct, frozen=True):
    """How large a sound is, and which of its bytes lie in the file: from, up to."""

    size: int
    present: list[tuple[int, int]]


# Made here, where there is one thread: msgspec is not safe where several read the first one.
_read_note = msgspec.json.Decoder(_Note).decode


class SoundCache:
    """One range cache for each sound, whoever fills it; callable from any thread.

    What somebody holds (it plays, or is downloaded) is never evicted, however large it is.
    """

    def __init__(self, folder: Path, budget: int = BUDGET) -> None:
        self._folder = folder
        self._budget = budget
        self._lock = threading.RLock()
        self._held: weakref.WeakValueDictionary[str, RangeCache] = weakref.WeakValueDictionary()
        self._find_part: Callable[[str], tuple[Path, list[ByteRange]] | None] = lambda _: None
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.heard"):
            if not file.with_suffix(".ranges").exists():
                file.unlink(missing_ok=True)
        self._evict()

    def open(self, sha256: str, size: int) -> RangeCache:
        """The cache of a sound, with what is there of it; held as long as anybody refers to it."""
        with self._lock:
            cache = self._held.get(sha256)
            if cache is None:
                file = self._folder / f"{sha256}.heard"
                cache = RangeCache(file, size, _present(file, size), keep=self._keep)
                self._held[sha256] = cache
                self._lend(cache, sha256)
            self._touch(sha256)
        return cache

    def lend_from(self, find_part: Callable[[str], tuple[Path, list[ByteRange]] | None]) -> None:
        """Downloads that stand still lend as well: who finds their part file, and what is in it."""
        self._find_part = find_part

    def measure(self) -> int:
        """How many bytes of the disk it takes."""
        with self._lock:
            return sum(room for _, room, _ in self._files())

    def set_budget(self, budget: int) -> int:
        """Keep no more than so many bytes from now on; how many are left."""
        with self._lock:
            self._budget = budget
            return self._evict()

    def empty(self) -> int:
        """Remove everything that nobody holds; how many bytes are left."""
        with self._lock:
            return self._evict(0)

    def drop(self, sha256: str) -> None:
        """The sound lies on this computer as a file: give its room back."""
        with self._lock:
            cache = self._held.get(sha256)
            if cache is not None:
                cache.discarded = True  # who reads goes on, from the file that was lent
            self._remove(self._folder / f"{sha256}.heard")

    def _keep(self, cache: RangeCache) -> None:
        present = [(part.start, part.end) for part in cache.present]
        note = cache.path.with_suffix(".ranges")
        try:
            cache.sync()
            with self._lock:
                if not cache.discarded:
                    new = note.with_suffix(".new")
                    new.write_bytes(msgspec.json.encode(_Note(cache.size, present)))
                    new.replace(note)
                self._evict()
        except OSError as error:
            _logger.warning("What was heard is not kept in %s: %s", self._folder, error)

    def _lend(self, cache: RangeCache, sha256: str) -> None:
        found = self._find_part(sha256)
        if found is not None:
            with contextlib.suppress(OSError), found[0].open("rb") as part:
                if found[1] == [ByteRange(0, cache.size)]:
                    cache.lend_whole(part.fileno())
                else:
                    cache.lend(part.fileno(), found[1])

    def _touch(self, sha256: str) -> None:
        with contextlib.suppress(OSError):  # nothing of it was kept yet
            (self._folder / f"{sha256}.ranges").touch()

    def _evict(self, budget: int | None = None) -> int:
        """Remove what was not used for longest, until the rest is within the budget."""
        with self._lock:
            found = self._files()
            used = sum(room for _, room, _ in found)
            for _, room, file in found:
                if used <= (self._budget if budget is None else budget):
                    break
                if file.stem not in self._held:
                    self._remove(file)
                    used -= room
            return used

    def _files(self) -> list[tuple[int, int, Path]]:
        """When each was used, how much room it takes, where it is; the oldest first."""
        found = []
        for note in self._folder.glob("*.ranges"):
            with contextlib.suppress(OSError):
                file = note.with_suffix(".heard")
                found.append((note.stat().st_mtime_ns, _room(file), file))
        return sorted(found)

    def _remove(self, file: Path) -> None:
        # The note first: without bytes it would lie.
        for path in (file.with_suffix(".ranges"), file):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _present(file: Path, size: int) -> list[ByteRange]:
    """What a note says of a file that is still as it was; nothing when they do not agree."""
    try:
        note = _read_note(file.with_suffix(".ranges").read_bytes())
        if note.size != size or file.stat().st_size != size:
            return []
    except (OSError, msgspec.DecodeError):
        return []
    return [ByteRange(start, end) for start, end in note.present if 0 <= start < end <= size]


def _room(file: Path) -> int:
    """The bytes that a file takes on the disk, which for one with gaps is less than its size."""
    stat = file.stat()
    blocks: int | None = getattr(stat, "st_blocks", None)
    return stat.st_size if blocks is None else blocks * 512
