"""Blobs as files in a folder, in an order of writes that a power cut cannot turn around."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from sonoteca_shared.ids import new_id


class Part:
    """A file on its way in: bytes are appended and hashed; `seal` makes them durable.

    Not thread-safe: one call at a time, from whichever thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end."""
        self._sha256.update(data)
        rest = memoryview(data)
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
        """Put every byte on the disk and close the file."""
        os.fsync(self._fd)
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

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
            made.mkdir(parents=True, exist_ok=True)
        _sync(folder)

    @property
    def empty(self) -> bool:
        """Whether no blob was ever kept here."""
        return next(self._blobs.iterdir(), None) is None

    def sweep(self) -> None:
        """Drop the parts that a killed process left; only while nothing is coming in."""
        for left in self._incoming.iterdir():
            left.unlink()

    def begin(self) -> Part:
        """A new, empty part."""
        return Part(self._incoming / new_id())

    def keep(self, part: Part) -> str:
        """Give a part its place among the blobs; its key. Durable when this returns."""
        part.seal()
        key = new_id()
        path = self.path(key)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _sync(self._blobs)
        # Bytes before name: after a power cut a name must not stand for less than it says.
        part.path.rename(path)
        _sync(path.parent)
        return key

    def path(self, key: str) -> Path:
        """Where the blob is. Keys are ours, never a user's text."""
        return self._blobs / key[-2:] / key

    def discard(self, key: str) -> None:
        """Drop a blob that no row names."""
        self.path(key).unlink(missing_ok=True)

    def free(self) -> int:
        """Bytes still free on the volume."""
        return shutil.disk_usage(self._blobs).free


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
