"""A zip that has come: whether it is what its maker wrote, and which files it says it has not."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from sonoteca_desktop.transfers.plan import DamagedError
from sonoteca_shared.models import FileError

MISSING = "files-missing"
"""The code of a note about files that were asked for and are not in the zip."""

_MANIFEST = "MANIFEST.json"
_MOST_MANIFEST = 64 << 20
_BLOCK = 1 << 20


class _Manifest(msgspec.Struct):
    """What an archive says of the files that are not in it."""

    missing: tuple[FileError, ...]


def verify(path: Path, go_on: Callable[[], None]) -> tuple[FileError, ...]:
    """Compare every file in a zip with its CRC-32; which others were asked for and are missing.

    DamagedError when one is not what it was; `go_on` is called between blocks, and may raise.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                with archive.open(member) as file:
                    while file.read(_BLOCK):
                        go_on()
            return _missing(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DamagedError(
            f"What arrived is not the archive that was sent ({error}): something between here "
            "and the server changes files"
        ) from error


def list_missing(path: Path) -> tuple[FileError, ...]:
    """The files that a zip says it has not; none when it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _missing(archive)
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return ()


def missing_words(missing: Sequence[FileError]) -> str:
    """A sentence about missing files; nothing when all are there."""
    if not missing:
        return ""
    return f"{len(missing)} {'file is' if len(missing) == 1 else 'files are'} missing"


def _missing(archive: zipfile.ZipFile) -> tuple[FileError, ...]:
    try:
        member = archive.getinfo(_MANIFEST)
        if member.file_size > _MOST_MANIFEST:
            return ()
        return msgspec.json.decode(archive.read(member), type=_Manifest).missing
    except (KeyError, msgspec.DecodeError):
        return ()  # all are there, or somebody's own file has that name
