"""Parts that outlive their request and their process: the bytes of uploads that can be resumed."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from zlib_ng import zlib_ng

from sonoteca_server.storage.ballast import full_disk_told
from sonoteca_server.storage.local import Part, make_folder, sync_folder
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.ids import is_id

_PIECE = 512 << 10
_listening = ThreadPoolExecutor(4, "listening")
# What a file system says that gives a file one name only.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Listener(Protocol):
    """Who hears every byte of a part, in order."""

    def feed(self, part: bytes | bytearray | memoryview, /) -> None:
        """Take the next bytes."""
        ...


L = TypeVar("L", bound=Listener)


class PartLostError(SonotecaError):
    """A part holds less than was promised of it."""

    code = "part-lost"


class GrowingPart(Part, Generic[L]):
    """A part of `size` bytes that are certain, and whatever is appended from now on.

    Its digests are those of the bytes heard so far. Mostly that is all of them, as they come; what
    an earlier process took, or what was not certain at first, is read again while more comes.
    """

    def __init__(self, path: Path, size: int, new_listener: Callable[[], L]) -> None:
        self.path = path
        self.size = size
        # Bytes that may be dropped again are not heard before it is known that they stay.
        self.hears = True
        self._fd = -1
        self._pinned = set()
        self._new_listener = new_listener
        self._begin_hearing()

    def open(self, *, alone: bool = False) -> None:
        """Open the file, and cut off what is not certain; PartLostError when it has too little.

        `alone` is PartLostError too while another one who asked for that has it open.
        """
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise PartLostError(f"the bytes of the upload {self.path.name} are gone") from error
        if alone and not _locked(fd):
            os.close(fd)
            raise PartLostError(f"another process has the part {self.path.name}")
        present = os.fstat(fd).st_size
        if present < self.size:
            os.close(fd)
            raise PartLostError(f"{self.path.name} has {present} bytes instead of {self.size}")
        os.ftruncate(fd, self.size)
        self._fd = fd

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end, and hear them; NoSpaceError when the disk is full."""
        in_step = self._heard == self.size
        self.write(data)
        if self.hears and in_step:
            self._hear(memoryview(data))
        elif self.hears:
            self.catch_up(2 * len(data))

    def catch_up(self, most: int | None = None) -> None:
        """Hear what was not heard yet, or at most so many bytes of it."""
        end = self.size if most is None else min(self.size, self._heard + most)
        while self._heard < end:
            piece = self.read_at(self._heard, min(_PIECE, end - self._heard))
            if not piece:
                raise PartLostError(f"{self.path.name} ends at byte {self._heard} of {self.size}")
            self._hear(piece)

    def cut(self, size: int) -> None:
        """Drop what came after the first `size` bytes."""
        os.ftruncate(self._fd, size)
        self.size = size
        if self._heard > size:
            self._begin_hearing()

    def sync(self) -> None:
        """Put every byte on the disk."""
        with full_disk_told():
            os.fdatasync(self._fd)

    def move(self, path: Path) -> None:
        # The name that it has stays until the catalogue knows the new one: a server that is killed
        # in between finds the upload as it was, and seals it again.
        try:
            path.hardlink_to(self.path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            super().move(path)

    def _hear(self, data: bytes | memoryview) -> None:
        # The two hashes let each other run: neither holds Python's lock.
        listened = _listening.submit(self.listener.feed, data)
        try:
            self._sha256.update(data)
            self.crc32 = zlib_ng.crc32(data, self.crc32)
        finally:
            listened.result()
        self._heard += len(data)

    def _begin_hearing(self) -> None:
        self._heard = 0
        self.crc32 = 0
        self._sha256 = hashlib.sha256()
        self.listener = self._new_listener()


class GrowingParts:
    """The growing parts of one library, each a file named by its upload, or by what else it is."""

    def __init__(self, folder: Path, name: str = "uploads") -> None:
        self._folder = folder / name
        make_folder(self._folder)

    def begin(self, key: str) -> None:
        """Make an empty part, durably; NoSpaceError when the disk has no room for its name."""
        with full_disk_told():
            os.close(os.open(self._path(key), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            sync_folder(self._folder)

    def resume(self, key: str, size: int, new_listener: Callable[[], L]) -> GrowingPart[L]:
        """The part of which `size` bytes are certain; not open yet."""
        return GrowingPart(self._path(key), size, new_listener)

    def discard(self, key: str) -> None:
        """Drop a part; one that is not there is dropped already."""
        self._path(key).unlink(missing_ok=True)

    def list_keys(self) -> Iterator[str]:
        """The names of the parts that are here."""
        return (path.name for path in self._folder.iterdir() if is_id(path.name))

    def _path(self, key: str) -> Path:
        return self._folder / key


def _locked(fd: int) -> bool:
    """Claim an open file for whoever holds this descriptor; the system lets go of it by itself."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
