"""Blobs as files in a folder, in an order of writes that a power cut cannot turn around."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sonoteca_shared.errors import NoSpaceError
from sonoteca_shared.ids import new_id

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Part:
    """A file on its way in: bytes are appended and hashed; `seal` makes them durable.

    Not thread-safe: one call at a time, from whichever thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._sha256 = hashlib.sha256()
        with _full_disk_told():
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end; NoSpaceError when the disk is full."""
        self._sha256.update(data)
        rest = memoryview(data)
        with _full_disk_told():
            while rest:
                written = os.pwrite(self._fd, rest, self.size)
                self.size += written
                rest = rest[written:]

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in lower-case hexadecimal."""
        return self._sha256.hexdigest()

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`."""
        return os.pread(self._fd, count, offset)

    def seal(self) -> None:
        """Put every byte on the disk and close the file; NoSpaceError when they do not fit."""
        with _full_disk_told():
            os.fsync(self._fd)
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def discard(self) -> None:
        """Drop the file, wherever it got to."""
        self.close()
        self.path.unlink(missing_ok=True)


class LocalBlobs:
    """All blobs of one library; the only writer of its folder."""

    def __init__(self, folder: Path) -> None:
        self._blobs = folder / "blobs"
        self._incoming = folder / "incoming"
        for made in (self._blobs, self._incoming):
            make_folder(made)
        # Folders below `blobs` whose names are known to be on the disk.
        self._durable: set[str] = set()

    @property
    def empty(self) -> bool:
        """Whether no blob was ever kept here."""
        return next(self._blobs.iterdir(), None) is None

    def sweep(self) -> None:
        """Drop the parts that a killed process left; only while nothing is coming in."""
        for left in self._incoming.iterdir():
            if not left.is_dir():
                left.unlink()

    def begin(self) -> Part:
        """A new, empty part; NoSpaceError when the disk has no room for its name."""
        return Part(self._incoming / new_id())

    def keep(self, part: Part) -> str:
        """Give a part its place among the blobs; its key. Durable when this returns."""
        part.seal()
        key = new_id()
        path = self.path(key)
        with _full_disk_told():
            if path.parent.name not in self._durable:
                # Not "unless it exists": another thread may have made it, and not synced it yet.
                path.parent.mkdir(exist_ok=True)
                _sync(self._blobs)
                self._durable.add(path.parent.name)
            # Bytes before name: after a power cut a name must not stand for less than it says.
            part.path.rename(path)
            _sync(path.parent)
        return key

    def path(self, key: str) -> Path:
        """Where the blob is. Keys are ours, never a user's text."""
        return self._blobs / key[-2:] / key

    def is_whole(self, key: str, size: int) -> bool:
        """Whether the blob is there with all its bytes."""
        try:
            return self.path(key).stat().st_size == size
        except FileNotFoundError:
            return False

    def discard(self, key: str) -> None:
        """Drop a blob that no row names."""
        self.path(key).unlink(missing_ok=True)

    def check_room(self, count: int, *, least: int) -> None:
        """NoSpaceError unless `count` more bytes would leave `least` free on the volume."""
        free = shutil.disk_usage(self._blobs).free
        if free - count < least:
            raise NoSpaceError(free=free, needed=count + least)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, in a way that a power cut does not undo."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


@contextlib.contextmanager
def _full_disk_told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpaceError from error
        raise


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
