"""Folders for the parts of processes beside the server, locked for as long as those live.

The lock goes with the process, however it ends, so whoever gets it may drop what is in the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sonoteca_shared.ids import is_id, new_id


@contextlib.contextmanager
def guest(incoming: Path) -> Iterator[Path]:
    """A new folder below `incoming` that no sweep touches; gone with the block."""
    folder = incoming / new_id()
    lock = None
    while lock is None:  # a sweep may come between making it and locking it
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(folder: Path) -> None:
    """Drop the folder of a process that has ended; one that is in use, or none of ours, stays."""
    lock = _lock(folder) if is_id(folder.name) else None
    if lock is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """The lock on a folder, or None when another process has it, or has dropped the folder."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_ino == folder.stat().st_ino:
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None
