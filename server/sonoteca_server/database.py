"""The `db` command: make, drop or renew the catalogue of a library that no server is using."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from sonoteca_server.app import CATALOG, CannotStartError, Library, lock_folder


def run(action: str, folder: Path, *, yes: bool) -> int:
    """Carry out `create`, `destroy` or `reset`; an exit code."""
    if action == "create":
        if (folder / CATALOG).exists():
            raise CannotStartError(f"{folder} has a catalogue already; nothing was changed")
        Library(folder).close()
        _say(f"created an empty library in {folder}")
        return 0
    if not (folder / CATALOG).exists():
        raise CannotStartError(f"there is no library in {folder}; nothing was changed")
    lock = lock_folder(folder)
    try:
        if not yes and not _confirmed(folder):
            _say("nothing was changed")
            return 1
        _destroy(folder)
    finally:
        os.close(lock)
    if action == "reset":
        Library(folder).close()
    _say(f"{'emptied' if action == 'reset' else 'destroyed'} the library in {folder}")
    return 0


def _destroy(folder: Path) -> None:
    # Blobs first: a catalogue without blobs says what is missing, blobs without one say nothing.
    for name in ("blobs", "incoming"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for ending in ("", "-wal", "-shm"):
        (folder / f"{CATALOG}{ending}").unlink(missing_ok=True)


def _confirmed(folder: Path) -> bool:
    if not sys.stdin.isatty():
        raise CannotStartError("this deletes every recording: say --yes if that is what you want")
    _say(f"This deletes every recording in {folder}.")
    return input("Type yes to go on: ").strip().lower() == "yes"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
