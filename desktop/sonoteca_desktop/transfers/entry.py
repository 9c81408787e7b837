"""One transfer in the queue: what is remembered of it, and how it goes just now."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

from sonoteca_desktop.transfers.bandwidth import Meter
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.journal import Row
from sonoteca_desktop.transfers.plan import PROGRESS, Kind, State
from sonoteca_desktop.transfers.ways_out import way_out
from sonoteca_desktop.transfers.zipped import MISSING
from sonoteca_shared import routes

_CHANGING = frozenset({State.HASHING, State.RUNNING, State.WAITING})


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer at one moment, for those who show it."""

    key: int
    kind: Kind
    name: str
    folder: str
    total: int
    done: int
    state: State
    note: str
    """One sentence: why it waits or failed, "already there", "saved as take1 (2).wav"."""
    speed: float
    """Bytes a second now, 0 when not running."""
    seconds_left: float | None
    path: Path
    sound_id: str | None
    sha256: str | None
    is_computed: bool = False
    """The server makes it when it is asked; until it has, `total` is 0."""
    has_gaps: bool = False
    """A zip that came without some of the files that were asked for, and says so."""
    kept: bool = False
    """Nobody asked for this one: it is fetched for a pin."""
    url: str = ""
    """Where its bytes are on the server: a download's always, an upload's once it is done."""
    way_out: str = ""
    """What can be done when it waits, is blocked or has failed; or what happens by itself."""


class Entry:
    """A row of the journal, and what is not worth remembering: the queue's lock guards both."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.done = row.size if row.state is State.DONE else row.durable
        self.began_at = self.done
        self.next_at = 0.0
        self.busy = False
        """A worker has it in hand: perhaps still, after a pause."""
        self.control: Control | None = None
        self._meter = Meter(time.monotonic())
        self._view: Transfer | None = None

    def begin(self, control: Control) -> None:
        """A run of it starts."""
        self.control = control
        self.done = self.began_at = self.row.durable
        self._meter = Meter(time.monotonic())
        self.touch()

    def end(self) -> None:
        """The run is over, whatever became of it."""
        self.control = None
        self.busy = False
        # What was sent of an upload may be there, though the server could not tell; and of what
        # was read for its hash nothing is.
        if self.row.state is not State.DONE and (
            self.row.kind is Kind.DOWNLOAD or not self.row.url
        ):
            self.done = self.row.durable
        self.touch()

    def begin_phase(self) -> None:
        """Progress starts over: first a file is read, then it is sent."""
        self.done = self.row.durable
        self._meter = Meter(time.monotonic())

    def progressed(self, position: int) -> None:
        """The run has come so far; called by its own thread alone, often, and without the lock."""
        self._meter.add(max(0, position - self.done), time.monotonic())
        self.done = position

    def commit(self, position: int) -> None:
        """So many bytes are safe; enough new ones show that the next trouble is the first."""
        self.row.durable = position
        if position - self.began_at >= PROGRESS:
            self.row.tries = 0
            self.began_at = position

    def touch(self) -> None:
        """Something about it has changed."""
        self._view = None

    def view(self, now: float, held: float = 0.0) -> Transfer:
        """How it stands; made anew only when it may have changed, for long lists are polled.

        Nothing is tried before `held`.
        """
        view = self._view
        if view is None or self.row.state in _CHANGING or view.done != self.done:
            view = self._view = self._make_view(now, held)
        return view

    def _make_view(self, now: float, held: float) -> Transfer:
        row, done = self.row, self.done
        running = row.state is State.RUNNING
        return Transfer(
            key=row.key,
            kind=row.kind,
            name=row.name,
            folder=row.folder,
            total=row.size,
            done=done,
            state=row.state,
            note=self._note(now, held),
            speed=self._meter.speed(now) if running else 0.0,
            seconds_left=self._meter.seconds_left(row.size - done, now) if running else None,
            path=row.path,
            sound_id=row.sound_id or None,
            sha256=row.sha256 or None,
            is_computed=row.is_computed,
            has_gaps=row.code == MISSING,
            kept=bool(row.kept),
            url=_address(row),
            way_out=way_out(row.state, row.code),
        )

    def _note(self, now: float, held: float) -> str:
        if self.row.state is not State.WAITING:
            return self.row.note
        seconds = math.ceil(max(self.next_at, held) - now)
        when = f"in {seconds} s" if seconds > 0 else "now"
        return f"{self.row.note}; trying again {when}"


def _address(row: Row) -> str:
    if row.kind is Kind.DOWNLOAD:
        return row.url
    return routes.fill(routes.SOUND_FILE, id=row.sound_id) if row.sound_id else ""
