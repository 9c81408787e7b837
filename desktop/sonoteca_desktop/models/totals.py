"""All transfers together: how many stand how, how far and how fast they are, what has ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sonoteca_desktop.models import units
from sonoteca_desktop.transfers.queue import State, Transfer

MOVING = frozenset({State.PREPARING, State.HASHING, State.RUNNING, State.VERIFYING})
ENDED = frozenset({State.DONE, State.FAILED})
_NEXT = MOVING | {State.QUEUED}


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over a list of transfers; sizes in bytes, speed in bytes a second."""

    running: int = 0
    queued: int = 0
    waiting: int = 0
    """For the network, the server, a disk or a folder."""
    paused: int = 0
    failed: int = 0
    done: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    """Of what is on its way, and of what was done since all was at rest."""
    speed: float = 0.0
    seconds_left: float | None = None

    @property
    def open(self) -> int:
        """How many go on by themselves when they are left alone."""
        return self.running + self.queued + self.waiting

    @property
    def share(self) -> float:
        """How far all of it is, from 0 to 1."""
        return self.bytes_done / self.bytes_total if self.bytes_total else 0.0

    def words(self) -> str:
        """A line or two for a person; nothing when all is at rest."""
        counts = ((self.running, "running"), (self.waiting, "held up"), (self.queued, "to come"))
        parts = [f"{count} {word}" for count, word in counts if count]
        if self.paused and (parts or self.bytes_total):
            parts.append(f"{self.paused} paused")
        words = []
        if self.open and self.bytes_total:
            words.append(units.size_of(self.bytes_done, self.bytes_total))
        if self.seconds_left is not None:
            words.append(units.time_left(self.seconds_left))
        return "\n".join(each for each in (", ".join(parts), " · ".join(words)) if each)


class Filter(StrEnum):
    """Which transfers are shown."""

    ALL = "All"
    OPEN = "Open"
    FAILED = "Failed"
    DONE = "Done"

    def shows(self, transfer: Transfer) -> bool:
        """Whether a transfer is one of them."""
        match self:
            case Filter.ALL:
                return True
            case Filter.OPEN:
                return transfer.state not in ENDED
            case Filter.FAILED:
                return transfer.state is State.FAILED
            case Filter.DONE:
                return transfer.state is State.DONE


@dataclass(frozen=True, slots=True)
class Batch:
    """What has ended since all was at rest the last time."""

    done: tuple[Transfer, ...]
    failed: tuple[Transfer, ...]

    @classmethod
    def of(cls, ended: Sequence[Transfer]) -> Batch:
        """The batch of these."""
        done = tuple(each for each in ended if each.state is State.DONE)
        return cls(done, tuple(each for each in ended if each.state is not State.DONE))

    @property
    def sentence(self) -> str:
        """What became of it, for a notification."""
        done = _counted(self.done, "transfer is", "transfers are")
        failed = _counted(self.failed, "transfer has", "transfers have")
        if not self.failed:
            return f"{done} done."
        return f"{failed} failed, {done} done." if self.done else f"{failed} failed."


def _counted(transfers: Sequence[Transfer], one: str, many: str) -> str:
    if len(transfers) == 1:
        return f"1 {one}"
    return f"{len(transfers):,} {many}"


def add_up(transfers: Sequence[Transfer], before: Collection[int] = ()) -> Totals:
    """The totals; what has one of the keys `before` was over before all this began."""
    states = [each.state for each in transfers]
    speed = sum(each.speed for each in transfers if each.state in MOVING)
    going = [each for each in transfers if each.state is not State.FAILED]
    batch = [each for each in going if each.key not in before]
    return Totals(
        running=sum(state in MOVING for state in states),
        queued=states.count(State.QUEUED),
        waiting=states.count(State.WAITING) + states.count(State.BLOCKED),
        paused=states.count(State.PAUSED),
        failed=states.count(State.FAILED),
        done=states.count(State.DONE),
        bytes_done=sum(_sent(each) for each in batch),
        bytes_total=sum(each.total for each in batch),
        speed=speed,
        seconds_left=_seconds_left(transfers, speed),
    )


def in_order(transfers: Sequence[Transfer]) -> list[Transfer]:
    """What still has to be done in the order of the queue, then what ended, the latest first.

    What failed stands above what is done: one bad file of five hundred must not be looked for.
    """
    open_ones = [row for row in transfers if row.state not in ENDED]
    failed = [row for row in reversed(transfers) if row.state == State.FAILED]
    return open_ones + failed + [row for row in reversed(transfers) if row.state == State.DONE]


def _sent(transfer: Transfer) -> int:
    # What was read for a hash was not sent.
    return 0 if transfer.state is State.HASHING else min(transfer.done, transfer.total)


def _seconds_left(transfers: Sequence[Transfer], speed: float) -> float | None:
    """Nobody knows before one of them knows."""
    if speed < 1.0 or all(each.seconds_left is None for each in transfers):
        return None
    return sum(each.total - _sent(each) for each in transfers if each.state in _NEXT) / speed
