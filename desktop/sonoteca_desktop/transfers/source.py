"""The file that an upload sends: read in blocks, and watched, for it must not change meanwhile."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.plan import PathBlockedError, SourceChangedError, SourceGoneError
from sonoteca_desktop.transfers.target import local_trouble
from sonoteca_shared.errors import SonotecaError

_MOST = 1 << 20
_LEAST = 16 << 10
_FIRST = 64 << 10
_QUICK = 0.02
_SLOW = 0.1


class EmptySourceError(SonotecaError):
    """There is nothing in the file that could be sent."""

    code = "empty-source"


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what we know that a file is still the same: rewriting it changes one of these."""

    size: int
    modified: int
    inode: int

    def __str__(self) -> str:
        return f"{self.size}:{self.modified}:{self.inode}"


def stamp(path: Path) -> Stamp:
    """The stamp of a file; what is no file has none."""
    with local_trouble(path):
        try:
            facts = path.stat()
        except FileNotFoundError as error:
            # Without its folder, it is a drive that is not plugged in just now.
            if path.parent.is_dir():
                raise SourceGoneError(f"{path} is not there any more") from error
            raise
    if not stat.S_ISREG(facts.st_mode):
        raise PathBlockedError(f"Cannot send {path}: it is not a file")
    return Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ino)


def size_to_send(path: Path) -> int:
    """The size of a file that can be sent; or the error that says why it cannot."""
    size = stamp(path).size
    if not size:
        raise EmptySourceError("The file is empty")
    return size


def name_of(path: Path) -> str:
    """The name to send: file names are bytes, which need not be text."""
    return os.fsencode(path.name).decode("utf-8", "replace")


class Source:
    """A file as it was when the upload began."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = stamp(path)

    @property
    def size(self) -> int:
        """How many bytes there are to send."""
        return self.before.size

    def check(self) -> None:
        """Nothing, or SourceChangedError."""
        if stamp(self.path) != self.before:
            raise SourceChangedError("The file changed while it was being sent")

    def open(self, offset: int = 0) -> BinaryIO:
        """The file, unbuffered, at an offset."""
        with local_trouble(self.path):
            file = self.path.open("rb", buffering=0)
            file.seek(offset)
        return file

    def read(self, file: BinaryIO, buffer: memoryview) -> int:
        """Fill a buffer with what comes next of the file, or a part of it."""
        # An OSError that leaves here would be taken for network trouble.
        with local_trouble(self.path):
            count: int = file.readinto(buffer)  # type: ignore[attr-defined]  # unbuffered
        if not count:
            raise SourceChangedError("The file became shorter while it was being sent")
        return count

    def digest(self, control: Control) -> str:
        """The SHA-256 of the file as it was; tells its progress, and stops at once."""
        sha256 = hashlib.sha256()
        buffer = memoryview(bytearray(_MOST))
        position = 0
        with self.open() as file:
            while position < self.size:
                control.go_on()
                count = self.read(file, buffer[: self.size - position])
                sha256.update(buffer[:count])
                position += count
                control.progressed(position)
        self.check()
        return sha256.hexdigest()


class Rest:
    """What is left of a file from an offset on, as the body of a request, as fast as is allowed.

    Or the next `most` bytes of it.
    """

    def __init__(
        self, source: Source, offset: int, control: Control, most: int | None = None
    ) -> None:
        self._source = source
        self._offset = offset
        self._end = source.size if most is None else min(source.size, offset + most)
        self._control = control

    def __len__(self) -> int:
        return self._end - self._offset

    def __iter__(self) -> Iterator[memoryview]:
        source, control, position = self._source, self._control, self._offset
        buffer = memoryview(bytearray(_MOST))
        block = _FIRST
        with source.open(position) as file:
            while position < self._end:
                allowed = control.take(min(block, self._end - position))
                count = source.read(file, buffer[:allowed])
                control.give_back(allowed - count)
                # Before the last block most of all: without it nothing becomes a sound.
                source.check()
                began = time.monotonic()
                yield buffer[:count]
                block = _next_block(block, time.monotonic() - began)
                position += count
                control.progressed(position)
        if position == source.size:
            control.begin_check()


def _next_block(block: int, took: float) -> int:
    """The size of the next block: large ones cost least, but between two a pause is seen.

    A block that the line does not take within the timeout counts as a broken line, too.
    """
    if took > _SLOW:
        return max(_LEAST, block // 2)
    return min(_MOST, block * 2) if took < _QUICK else block
