"""The `db` command: make, drop, renew, write out or bring up to date a library's catalogue."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from sonoteca_server.app import CannotStartError, Library, lock_folder, lock_workers
from sonoteca_server.catalog import Home
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.settings import Settings

ACTIONS = ("create", "destroy", "reset", "dump", "upgrade")


def run(action: str, settings: Settings, *, yes: bool) -> int:
    """Carry out one of the actions; an exit code."""
    folder = settings.data
    home = home_of(settings.database, folder)
    if action == "create":
        if home.exists():
            raise CannotStartError(f"{home} has a catalogue already; nothing was changed")
        Library(folder, home).close()
        _say(f"created an empty library in {folder}")
        return 0
    if not home.exists():
        raise CannotStartError(f"there is no catalogue in {home}; nothing was changed")
    if action == "dump":
        for statement in home.dump():
            _say(statement)
        return 0
    if action == "upgrade":
        Library(folder, home).close()
        _say(f"the catalogue in {home} is up to date")
        return 0
    return _remove(folder, home, again=action == "reset", yes=yes)


def _remove(folder: Path, home: Home, *, again: bool, yes: bool) -> int:
    locks = [lock_folder(folder)]
    try:
        locks.append(lock_workers(folder, alone=True))
        with home.alone():
            if not yes and not _confirmed(folder, home):
                _say("nothing was changed")
                return 1
            # Blobs first: a catalogue without blobs says what is missing, blobs without one say
            # nothing.
            for name in ("blobs", "incoming", "uploads", "fetching", "ballast"):
                _remove_folder(folder / name)
            home.drop()
            if again:
                home.create()
    finally:
        for lock in locks:
            os.close(lock)
    _say(f"{'emptied' if again else 'destroyed'} the library in {folder}")
    return 0


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass  # as good as removed
    except OSError as error:
        raise CannotStartError(
            f"{error.filename} cannot be removed ({error.strerror}); the catalogue is still there"
        ) from error


def _confirmed(folder: Path, home: Home) -> bool:
    if not sys.stdin.isatty():
        raise CannotStartError("this deletes every recording: say --yes if that is what you want")
    _say(f"This deletes every recording in {folder}, and what {home} knows of them.")
    return input("Type yes to go on: ").strip().lower() == "yes"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
