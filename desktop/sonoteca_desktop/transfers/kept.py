"""Files that are fetched for pins, into a folder of our own: asked for, listed, and given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sonoteca_desktop.transfers import orders, target
from sonoteca_desktop.transfers.entry import Entry
from sonoteca_desktop.transfers.journal import Pin, Row
from sonoteca_desktop.transfers.plan import PathBlockedError, State
from sonoteca_desktop.transfers.roster import Roster
from sonoteca_shared.models import Sound


class Kept:
    """The part of the queue that nobody waits for; callable from any thread."""

    def __init__(
        self,
        roster: Roster,
        server: str,
        *,
        add: Callable[[list[Row]], object],
        remove: Callable[[Callable[[Entry], bool]], None],
        changed: Callable[[], None],
    ) -> None:
        self._roster = roster
        self._server = server
        self._add = add
        self._remove = remove
        self._changed = changed

    def fetch(self, wanted: Iterable[tuple[Sound, Pin]], folder: Path) -> None:
        """Fetch sounds for pins into a folder of ours, when nobody waits for anything else."""
        self._add([orders.keep(self._server, sound, folder, pin) for sound, pin in wanted])

    def rows(self) -> list[Row]:
        """What was fetched for pins, or is to be."""
        return self._roster.kept()

    def free(self, rows: Iterable[Row]) -> None:
        """Give up what was fetched for pins, and remove its files; waits for the disk.

        What cannot be removed is still known; the last such PathBlockedError is raised at the end.
        """
        freed, unfinished, trouble = [], set(), None
        for row in rows:
            if row.state is not State.DONE:
                unfinished.add(row.key)
                continue
            try:
                with target.local_trouble(row.path):
                    row.path.unlink(missing_ok=True)
            except PathBlockedError as error:
                trouble = error
            else:
                freed.append(row.key)
        self._roster.free(freed)
        self._remove(lambda entry: entry.row.key in unfinished)
        self._changed()
        if trouble is not None:
            raise trouble

    def reassign(self, pins: Mapping[int, Pin]) -> None:
        """Let these transfers, by key, be kept for other pins than before."""
        with self._roster.changing():
            for key, pin in pins.items():
                self._roster.assign(key, pin.key)
        self._roster.write()
