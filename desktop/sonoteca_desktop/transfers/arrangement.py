"""What the user arranges for all transfers: their order, how many at once, how fast, and when."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.connections import MOST, Connections
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.ranking import Move, moved, moved_before
from sonoteca_desktop.transfers.roster import Roster
from sonoteca_desktop.transfers.schedule import Schedule

AT_ONCE = 3
AT_ONCE_MOST = MOST


class Arrangement:
    """All of it is kept over restarts and applies at once; callable from any thread.

    `tell` is called after an order changed. Nothing here waits for the disk.
    """

    def __init__(
        self,
        journal: Journal,
        roster: Roster,
        bandwidth: Bandwidth,
        connections: Connections,
        *,
        tell: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._roster = roster
        self._bandwidth = bandwidth
        self._connections = connections
        self._tell = tell

    @property
    def limit(self) -> int | None:
        """The usual speed limit of all transfers together, in bytes a second."""
        return self._bandwidth.limit

    @property
    def limit_now(self) -> int | None:
        """The speed limit that holds at this time of the day, in bytes a second."""
        return self._bandwidth.limit_now

    @property
    def schedule(self) -> Schedule | None:
        """The hours with a speed limit of their own."""
        return self._bandwidth.schedule

    @property
    def at_once(self) -> int:
        """How many transfers may run at once."""
        return self._roster.at_once

    @property
    def several(self) -> bool:
        """Whether a big file may have several connections."""
        return self._connections.several

    def move(self, keys: Collection[int], move: Move) -> None:
        """Let transfers run earlier or later; what runs and is late now makes room."""
        self._reorder(lambda order: moved(order, keys, move))

    def move_before(self, keys: Collection[int], other: int | None) -> None:
        """Put transfers together before another one; None, or one that has ended, is the end."""
        self._reorder(lambda order: moved_before(order, keys, other if other in order else None))

    def set_at_once(self, count: int) -> None:
        """Let at most so many transfers run at once."""
        if not 1 <= count <= AT_ONCE_MOST:
            raise ValueError(f"from 1 to {AT_ONCE_MOST} transfers can run at once")
        self._journal.soon(partial(self._journal.set_at_once, count))
        with self._roster.changing():
            self._roster.at_once = count
            self._make_room()
        self._tell()

    def set_limit(self, bytes_per_second: int | None) -> None:
        """Limit the speed of all transfers together; None lifts it."""
        self._bandwidth.set_limit(bytes_per_second)
        self._journal.soon(partial(self._journal.set_limit, bytes_per_second))

    def set_schedule(self, schedule: Schedule | None) -> None:
        """Let another speed limit hold at certain hours; None ends that."""
        self._bandwidth.set_schedule(schedule)
        self._journal.soon(partial(self._journal.set_schedule, schedule))

    def set_several(self, *, several: bool) -> None:
        """Let big files come over several connections, or over one from now on."""
        self._connections.set_several(several=several)
        self._journal.soon(partial(self._journal.set_several, several=several))

    def _reorder(self, rule: Callable[[list[int]], list[int]]) -> None:
        with self._roster.changing():
            self._roster.reorder(rule)
            self._make_room()
        self._tell()

    def _make_room(self) -> None:
        for entry in self._roster.make_room():
            if entry.control is not None:
                entry.control.stop()
