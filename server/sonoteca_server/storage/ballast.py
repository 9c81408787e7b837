"""Room for bad times: files that are given up on a full disk, so that deleting and starting go on.

SQLite cannot open a catalogue without a byte to spare: after a crash it writes its index anew.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from sonoteca_shared.errors import NoSpaceError

_FULL = (errno.ENOSPC, errno.EDQUOT)
# Several files, since a disk can run out of names as well.
_FILES = 8
_FILE_BYTES = 1 << 20
SIZE = _FILES * _FILE_BYTES


class Ballast:
    """The ballast of one data folder; from any thread. Nothing is made before `keep`."""

    def __init__(self, folder: Path) -> None:
        self._above = folder
        self._folder = folder / "ballast"
        self._lock = threading.Lock()
        self.missing = SIZE - _FILE_BYTES * sum(path.exists() for path in self._files())

    def keep(self) -> None:
        """Make what is missing, unless the disk has hardly more room than for that."""
        with self._lock:
            if not self.missing or shutil.disk_usage(self._above).free < 2 * self.missing:
                return
            try:
                self._folder.mkdir(exist_ok=True)
                for path in self._files():
                    if not path.exists():
                        with contextlib.suppress(FileExistsError):  # another process was quicker
                            _reserve(path)
                        self.missing -= _FILE_BYTES
            except OSError as error:
                if error.errno not in _FULL:
                    raise

    def give_up(self) -> bool:
        """Free what is there; whether there was anything."""
        with self._lock:
            there = self.missing < SIZE
            for path in self._files():
                path.unlink(missing_ok=True)
            self.missing = SIZE
            return there

    def check_half(self) -> None:
        """NoSpaceError where it was given up and half of it is used: the rest is for deleting."""
        if self.missing and shutil.disk_usage(self._above).free < SIZE // 2:
            raise NoSpaceError

    def give_up_if_scarce(self) -> None:
        """Free what is there when the disk has less room, or fewer names, than that."""
        disk = os.statvfs(self._above)
        # Some file systems do not count names: then all of these are 0.
        names_are_scarce = disk.f_files and disk.f_favail < _FILES
        if names_are_scarce or shutil.disk_usage(self._above).free < SIZE:
            self.give_up()

    def _files(self) -> list[Path]:
        return [self._folder / str(number) for number in range(_FILES)]


def _reserve(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, _FILE_BYTES)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(fd)


@contextlib.contextmanager
def full_disk_told() -> Iterator[None]:
    """NoSpaceError in the place of what the system says of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise NoSpaceError from error
        raise
