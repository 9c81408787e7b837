"""Blobs as files in a folder, in an order of writes that a power cut cannot turn around."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from zlib_ng import zlib_ng

from sonoteca_server.storage import BlobMissingError, Incoming, Listed, guests
from sonoteca_server.storage.ballast import Ballast, full_disk_told
from sonoteca_server.storage.spool import Spool
from sonoteca_shared.errors import NoSpaceError
from sonoteca_shared.ids import is_id, moment_of, new_id

_SHARD = re.compile("[0-9a-f]{2}")


class Part:
    """A file on its way in: bytes are appended and hashed; `seal` makes them durable.

    Its path is pinned for as long as it is under way, so that no sweep takes it for rubbish.
    Not thread-safe: one call at a time, from whichever thread.
    """

    def __init__(self, path: Path, pinned: set[Path]) -> None:
        self.path = path
        self.size = 0
        self.crc32 = 0
        self._sha256 = hashlib.sha256()
        self._pinned = pinned
        pinned.add(path)
        try:
            with full_disk_told():
                self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except BaseException:
            self.unpin()
            raise

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end; NoSpaceError when the disk is full."""
        self._sha256.update(data)
        self.crc32 = zlib_ng.crc32(data, self.crc32)
        self.write(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end without hearing what they are; NoSpaceError as above."""
        rest = memoryview(data)
        with full_disk_told():
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
        with full_disk_told():
            os.fsync(self._fd)
        self.close()

    def move(self, path: Path) -> None:
        """Give the file its place, and the name that it has there."""
        self.path.rename(path)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def discard(self) -> None:
        """Drop the file, wherever it got to."""
        self.close()
        self.path.unlink(missing_ok=True)
        self.unpin()

    def unpin(self) -> None:
        """It is under way no more: kept by now, or gone."""
        self._pinned.discard(self.path)


class LocalBlob:
    """A file that is open for reading; what it holds stays there even when its name goes."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self._fd).st_size

    @property
    def descriptor(self) -> int:
        """The file, which the system can send by itself."""
        return self._fd

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; from any thread, several at a time."""
        return os.pread(self._fd, count, offset)

    def close(self) -> None:
        """Let it go; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class LocalBlobs:
    """All blobs of one library; parts on their way in are in `incoming`, the server's if not given.

    A process beside the server has a folder of its own there, which is swept when it has ended.
    """

    def __init__(self, folder: Path, incoming: Path | None = None) -> None:
        self._blobs = folder / "blobs"
        self._incoming = incoming or folder / "incoming"
        for made in (self._blobs, self._incoming):
            make_folder(made)
        self.ballast = Ballast(folder)
        # Folders below `blobs` whose names are known to be on the disk.
        self._durable: set[str] = set()
        self._pinned: set[Path] = set()

    @property
    def empty(self) -> bool:
        """Whether there is no blob here."""
        return next(self.list_blobs(), None) is None

    def sweep(self) -> None:
        """Drop the parts that a killed process left; those under way here are not touched."""
        for left in self._incoming.iterdir():
            if left.is_dir():
                guests.sweep(left)
            elif left not in self._pinned:
                left.unlink(missing_ok=True)

    def begin(self) -> Part:
        """A new, empty part; NoSpaceError when the disk has no room for its name."""
        return Part(self._incoming / new_id(), self._pinned)

    def spool(self) -> Spool:
        """A file without a name, for bytes of one request that are never kept."""
        return Spool(self._incoming)

    def keep(self, part: Incoming) -> str:
        """Give a part its place among the blobs; its key. Durable when this returns."""
        assert isinstance(part, Part)  # a part comes back to the store that began it
        part.seal()
        key = new_id()
        path = self.path(key)
        with full_disk_told():
            if path.parent.name not in self._durable:
                # Not "unless it exists": another thread may have made it, and not synced it yet.
                path.parent.mkdir(exist_ok=True)
                sync_folder(self._blobs)
                self._durable.add(path.parent.name)
            # Bytes before name: after a power cut a name must not stand for less than it says.
            part.move(path)
            try:
                sync_folder(path.parent)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        part.unpin()
        return key

    def open(self, key: str) -> LocalBlob:
        """A blob, to be read; BlobMissingError when it is not there."""
        try:
            return LocalBlob(self.path(key))
        except FileNotFoundError as error:
            raise BlobMissingError(key) from error

    def list_blobs(self, ending: str = "") -> Iterator[Listed]:
        """The blobs whose keys end so; what lies between them and is none of ours is left out."""
        for folder in sorted(self._blobs.iterdir()):
            if not _SHARD.fullmatch(folder.name) or not folder.name.endswith(ending[-2:]):
                continue
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries]
            for name in names:
                if is_id(name) and name.endswith(ending):
                    # A file's own time is that of its last byte.
                    yield Listed(name, moment_of(name))

    def path(self, key: str) -> Path:
        """Where the blob is. Keys are ours, never a user's text."""
        return self._blobs.joinpath(key[-2:], key)

    def discard(self, key: str) -> None:
        """Drop a blob that no row names."""
        self.path(key).unlink(missing_ok=True)

    def room(self, *, least: int) -> int:
        """How many bytes fit until only `least` are free."""
        free = shutil.disk_usage(self._blobs).free
        return max(0, free - least - self.ballast.missing)

    def check_room(self, count: int, *, least: int) -> None:
        """NoSpaceError unless `count` more bytes would leave `least` free on the volume.

        What the ballast has to get back comes first.
        """
        if self.ballast.missing:
            self.ballast.keep()
        least += self.ballast.missing
        free = shutil.disk_usage(self._blobs).free
        if free - count < least:
            raise NoSpaceError(free=free, needed=count + least)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, in a way that a power cut does not undo."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
