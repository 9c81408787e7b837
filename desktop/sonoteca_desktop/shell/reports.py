"""Tells how transfers go: as bars on a terminal, else as lines, as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

import msgspec

from sonoteca_desktop.shell import words
from sonoteca_desktop.transfers.queue import State, Transfer

ENDED = frozenset({State.DONE, State.FAILED, State.BLOCKED})


class Report(Protocol):
    """Who is told how transfers stand, again and again, and once when all is over."""

    def tell(self, transfers: Sequence[Transfer]) -> None: ...

    def close(self, transfers: Sequence[Transfer]) -> None: ...


def choose(*, json: bool) -> Report:
    """The report that fits where it goes."""
    if json:
        return Objects()
    if not sys.stdout.isatty():
        return Lines()
    # Imported here: a script that calls us a thousand times pays for no bars.
    from sonoteca_desktop.shell.bars import Bars

    return Bars()


class _Once:
    """Tells of each transfer once, when it has come to an end."""

    def __init__(self) -> None:
        self._told: set[int] = set()

    def tell(self, transfers: Sequence[Transfer]) -> None:
        """Tell of those that ended since the last time."""
        for each in transfers:
            if each.state in ENDED and each.key not in self._told:
                self._told.add(each.key)
                self._tell_end(each)
        sys.stdout.flush()

    def _tell_end(self, transfer: Transfer) -> None:
        raise NotImplementedError


class Lines(_Once):
    """A line for each file that is done; those that fail are told at the end."""

    def close(self, transfers: Sequence[Transfer]) -> None:
        """The sum of it."""
        self.tell(transfers)
        print(words.summary(transfers))

    def _tell_end(self, transfer: Transfer) -> None:
        if transfer.state is State.DONE:
            print(words.result(transfer))


class Objects(_Once):
    """A JSON object in a line for each file that came to an end."""

    def close(self, transfers: Sequence[Transfer]) -> None:
        """Those that did not end are told, too, as they stand."""
        self.tell(transfers)
        for each in transfers:
            if each.key not in self._told:
                self._tell_end(each)

    def _tell_end(self, transfer: Transfer) -> None:
        facts = {
            "state": transfer.state,
            "name": transfer.name,
            "folder": transfer.folder,
            "path": str(transfer.path),
            "size": transfer.total,
            "sha256": transfer.sha256,
            "sound": transfer.sound_id,
            "note": transfer.note,
        }
        print(msgspec.json.encode(facts).decode())
