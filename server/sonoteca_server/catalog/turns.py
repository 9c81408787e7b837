"""Turns at writing one SQLite file, between the server and the workers beside it.

SQLite lets a process that waits for another one sleep longer and longer, up to a tenth of a second,
and whoever writes all the time is always there first. Here the kernel wakes who waits.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType


class Turns:
    """A block is a turn: no other process of ours writes the file meanwhile. For one thread."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _where: TracebackType | None,
    ) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)
