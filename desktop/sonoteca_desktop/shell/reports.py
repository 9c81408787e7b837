"""Tells how transfers go: as bars on a terminal, as lines in a file, as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from sonoteca_desktop.shell import words
from sonoteca_desktop.transfers.queue import State, Transfer

_MOVING = frozenset({State.HASHING, State.RUNNING, State.VERIFYING})
_ENDED = frozenset({State.DONE, State.FAILED, State.BLOCKED})


class Report(Protocol):
    """Who is told how transfers stand, again and again, and once when all is over."""

    def tell(self, transfers: Sequence[Transfer]) -> None: ...

    def close(self, transfers: Sequence[Transfer]) -> None: ...


def choose(*, json: bool) -> Report:
    """The report that fits where it goes."""
    if json:
        return Objects()
    return Bars() if sys.stdout.isatty() else Lines()


class _Once:
    """Tells of each transfer once, when it has come to an end."""

    def __init__(self) -> None:
        self._told: set[int] = set()

    def tell(self, transfers: Sequence[Transfer]) -> None:
        """Tell of those that ended since the last time."""
        for each in transfers:
            if each.state in _ENDED and each.key not in self._told:
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


class Bars:
    """A bar for everything and one for each file that moves."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(),
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._all = self._progress.add_task("")
        self._bars: dict[int, TaskID] = {}
        self._progress.start()

    def tell(self, transfers: Sequence[Transfer]) -> None:
        """Draw how they stand."""
        moving = {each.key: each for each in transfers if each.state in _MOVING}
        for key in self._bars.keys() - moving.keys():
            self._progress.remove_task(self._bars.pop(key))
        for key, each in moving.items():
            if key not in self._bars:
                self._bars[key] = self._progress.add_task("")
            self._draw(self._bars[key], _label(each), each.done, each.total)
        ended = sum(each.state in _ENDED for each in transfers)
        # While a file is read for its hash nothing of it has moved.
        done = sum(each.done for each in transfers if each.state is not State.HASHING)
        total = sum(each.total for each in transfers)
        self._draw(self._all, f"{ended} of {len(transfers)} files", done, total)
        self._progress.refresh()

    def close(self, transfers: Sequence[Transfer]) -> None:
        """Leave the sum of it in the place of the bars."""
        self._progress.stop()
        print(words.summary(transfers))

    def _draw(self, bar: TaskID, label: str, done: int, total: int) -> None:
        self._progress.update(bar, description=label, completed=done, total=total)


def _label(transfer: Transfer) -> str:
    label = words.name(transfer)
    if transfer.state is State.HASHING:
        return f"{label} (reading)"
    return f"{label} (checking)" if transfer.state is State.VERIFYING else label
