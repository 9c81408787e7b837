"""Disks that are soon full: file systems in memory, of so many bytes and so many names."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.kit import engines


@contextlib.contextmanager
def small_disk(folder: Path, *, size: int, names: int = 0) -> Iterator[Path]:
    """A disk of `size` bytes on a new folder, with room for `names` files when that is said."""
    folder.mkdir()
    options = f"size={size}" + (f",nr_inodes={names}" if names else "")
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        engines.missing(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Take the last byte of the disk with one file."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    assert os.statvfs(path.parent).f_bfree == 0


def take_names(folder: Path) -> None:
    """Take the last name of the disk with empty files."""
    folder.mkdir(exist_ok=True)
    number = len(list(folder.iterdir()))
    with contextlib.suppress(OSError):
        while True:
            (folder / str(number)).touch()
            number += 1
    assert os.statvfs(folder).f_ffree == 0
