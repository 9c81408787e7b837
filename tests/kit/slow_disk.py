"""A disk that takes nothing for a while: a file system of its own, frozen by the kernel."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.kit import engines

_SIZE = 16 << 20
# The disk thaws by itself: who is tested may be the one who waits for it.
_FREEZE = 'fsfreeze -f "$0" && echo frozen && { timeout 8 head -c 1 >/dev/null; fsfreeze -u "$0"; }'


class SlowDisk:
    """A mounted disk; what is written to it while it is frozen waits in the kernel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._holder: subprocess.Popen[bytes] | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether whoever writes to it still waits."""
        return self._holder is not None and self._holder.poll() is None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing can be written meanwhile, or for eight seconds."""
        command = ["sh", "-c", _FREEZE, str(self.folder)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            if holder.stdout.readline() != b"frozen\n":
                engines.missing("no file system can be frozen here")
            self._holder = holder
            try:
                yield
            finally:
                holder.communicate(b".")


@contextlib.contextmanager
def slow_disk(folder: Path) -> Iterator[SlowDisk]:
    """A disk on a new folder; ended with whatever is on it."""
    folder.mkdir()
    image = folder.with_name(f"{folder.name}.image")
    with image.open("wb") as file:
        file.truncate(_SIZE)
    for command in (
        ["mkfs.ext4", "-q", str(image)],
        ["mount", "-o", "loop", str(image), str(folder)],
    ):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError as error:
            engines.missing(f"{error.filename} is not installed")
        if done.returncode:
            engines.missing(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield SlowDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
