"""Carries out an upload: one request that streams the file, which must not change meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sonoteca_desktop.client import BLOCK, Client, Posted
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.plan import PathBlockedError, SourceChangedError
from sonoteca_desktop.transfers.target import local_trouble
from sonoteca_shared.errors import SonotecaError


class EmptySourceError(SonotecaError):
    """There is nothing in the file that could be sent."""

    code = "empty-source"


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what we know that a file is still the same: rewriting it changes one of these."""

    size: int
    modified: int
    inode: int


def stamp(path: Path) -> Stamp:
    """The stamp of a file; what is no file has none."""
    with local_trouble(path):
        facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        raise PathBlockedError(f"Cannot send {path}: it is not a file")
    return Stamp(facts.st_size, facts.st_mtime_ns, facts.st_ino)


def size_to_send(path: Path) -> int:
    """The size of a file that can be sent; or the error that says why it cannot."""
    size = stamp(path).size
    if not size:
        raise EmptySourceError("The file is empty")
    return size


class Source:
    """The body of an upload: a file, block by block, as fast as is allowed."""

    def __init__(self, file: BinaryIO, path: Path, before: Stamp, control: Control) -> None:
        self._file = file
        self._path = path
        self._before = before
        self._control = control
        self.sent = False

    def __len__(self) -> int:
        return self._before.size

    def __iter__(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(BLOCK))
        position = 0
        while position < len(self):
            allowed = self._control.take(min(BLOCK, len(self) - position))
            count = self._read(buffer[:allowed])
            self._control.give_back(allowed - count)
            position += count
            if position == len(self):
                # As long as the last block is missing, the server keeps nothing of it.
                self.check()
            yield buffer[:count]
            self._control.progressed(position)
        self.sent = True
        self._control.begin_check()

    def check(self) -> None:
        """Nothing, or SourceChangedError."""
        if stamp(self._path) != self._before:
            raise SourceChangedError("The file changed while it was being sent")

    def _read(self, buffer: memoryview) -> int:
        # An OSError that leaves here would be taken for network trouble.
        with local_trouble(self._path):
            count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]  # unbuffered
        if not count:
            raise SourceChangedError("The file became shorter while it was being sent")
        return count


def upload(client: Client, path: Path, name: str, folder: str, control: Control) -> Posted:
    """Send a file; what the server made of it."""
    before = stamp(path)
    with local_trouble(path):
        file = path.open("rb", buffering=0)
    with file:
        source = Source(file, path, before, control)
        posted = client.post(source, name=name, folder=folder)
        if not source.sent:
            control.begin_check()  # the server had heard enough
        source.check()
    return posted


def note_of(posted: Posted, name: str, folder: str) -> str:
    """What to tell the user of the finished upload of a file, if anything."""
    sound = posted.sound
    if posted.created:
        return f"saved as {sound.name}" if sound.renamed_from else ""
    if (sound.name, sound.folder) == (name, folder):
        return "already there"
    return f"already there as {sound.folder}/{sound.name}".replace(" /", " ")


def name_of(path: Path) -> str:
    """The name to send: file names are bytes, which need not be text."""
    return os.fsencode(path.name).decode("utf-8", "replace")
