"""Which files a drop of files and folders means, and the folder each of them keeps."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ENDINGS = frozenset({".wav", ".wave", ".bwf", ".rf64", ".bw64"})
_HEADS = (b"RIFF", b"RIFX", b"RF64", b"BW64")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What to upload, as files with their folders; how many others lay among them; what failed."""

    files: list[tuple[Path, str]] = field(default_factory=list)
    others: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def sentence(self) -> str:
        """What the user should know of what is not uploaded; "" for nothing."""
        parts = []
        if self.others == 1:
            parts.append("1 file that is no WAV was left out.")
        elif self.others:
            parts.append(f"{self.others} files that are no WAV were left out.")
        if self.unreadable:
            parts.append(f"Cannot be read: {', '.join(self.unreadable[:3])}.")
        if not self.files and not parts:
            parts.append("There is no WAV file in it.")
        return " ".join(parts)


def gather(paths: Iterable[Path]) -> Gathered:
    """Files as they are named; of folders, every WAV below them, with the folder it lay in.

    A file that was dropped itself is taken whatever is in it, so that the server can say what is
    wrong with it; of a folder's files, those that are WAVs by their ending or their first bytes.
    Pipes, sockets and devices are no files: reading one may never end.
    """
    found = Gathered()
    others = 0
    for path in paths:
        if not path.is_dir():
            if _is_special(path):
                others += 1
            else:
                found.files.append((path, ""))
            continue
        for file in _files_below(path, found.unreadable):
            if _is_wav(file):
                folder = Path(path.name, file.relative_to(path)).parent
                found.files.append((file, folder.as_posix()))
            else:
                others += 1
    return Gathered(found.files, others, found.unreadable)


def _files_below(folder: Path, unreadable: list[str]) -> Iterator[Path]:
    """All files, in the order of their names; hidden ones are no recordings of the user's."""

    def note(error: OSError) -> None:
        unreadable.append(f"{error.filename} ({error.strerror})")

    for here, folders, names in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(here, name)


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # whoever reads it says what is wrong


def _is_wav(path: Path) -> bool:
    if _is_special(path):
        return False
    if path.suffix.lower() in _ENDINGS:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] in _HEADS and head[8:] == b"WAVE"
