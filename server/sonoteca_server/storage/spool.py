"""Bytes that are kept for one request and never longer: a file without a name."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sonoteca_server.storage.ballast import full_disk_told


class Spool:
    """A file that has no name from the start, so that it goes when its last holder does.

    It is appended to like a part and read like a blob.
    """

    def __init__(self, folder: Path) -> None:
        # Not the file's own place, which readers of the same file would share.
        self._end = 0
        with full_disk_told():
            self._fd, path = tempfile.mkstemp(dir=folder)
            os.unlink(path)  # noqa: PTH108 - what mkstemp gives is text

    @property
    def size(self) -> int:
        """How many bytes there are so far, whoever wrote them."""
        return os.fstat(self._fd).st_size

    @property
    def descriptor(self) -> int:
        """The file, for a child to read or write, or for the system to send."""
        return self._fd

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end; NoSpaceError when the disk is full."""
        rest = memoryview(data)
        with full_disk_told():
            while rest:
                written = os.pwrite(self._fd, rest, self._end)
                self._end += written
                rest = rest[written:]

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`."""
        return os.pread(self._fd, count, offset)

    def close(self) -> None:
        """Let it go; a second call does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    discard = close
