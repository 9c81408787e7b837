"""How long a connection waits for its client: rules without a socket, asked again and again."""

from __future__ import annotations

import enum
from dataclasses import dataclass

# Bytes a second. Whoever is slower for long is given up, so that a byte now and then buys no time.
SLOWEST = 1_024


class Awaits(enum.Enum):
    """What has to come next, and from whom."""

    REQUEST = "the first byte of another request"
    HEAD = "the rest of a head"
    BODY = "more of a body"
    ANSWER = "our own answer"


@dataclass(frozen=True, slots=True)
class Limits:
    """The patience of a server, in seconds."""

    head_s: float
    body_idle_s: float
    idle_s: float


class Credit:
    """Seconds that a client may let us wait: used up by waiting, earned by bytes, never hoarded."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._left = most
        self._since: float | None = None

    def wait(self, now: float) -> None:
        """From now on it is the client that we wait for."""
        if self._since is None:
            self._since = now

    def rest(self, now: float) -> None:
        """From now on it is not."""
        if self._since is not None:
            self._left -= now - self._since
            self._since = None

    def earn(self, count: int, now: float) -> None:
        """So many bytes moved."""
        waiting = self._since is not None
        self.rest(now)
        self._left = min(self._most, self._left + count / SLOWEST)
        if waiting:
            self.wait(now)

    def used_up(self, now: float) -> bool:
        """Whether the client let us wait for too long."""
        return self._since is not None and now - self._since > self._left


class Patience:
    """One connection's: what it awaits, and whether that has taken too long."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self.awaits = Awaits.HEAD
        self.since = now
        self._body = Credit(limits.body_idle_s)
        self._reading = Credit(limits.body_idle_s)

    def expect(self, what: Awaits, now: float) -> None:
        """Something else is awaited from now on."""
        if what is Awaits.BODY:
            self._body.wait(now)
        elif what is Awaits.ANSWER:
            self._body.rest(now)
        else:
            self._body = Credit(self._limits.body_idle_s)
        self.awaits, self.since = what, now

    def received(self, count: int, now: float) -> None:
        """Bytes came from the client."""
        if self.awaits is Awaits.REQUEST:
            self.expect(Awaits.HEAD, now)
        elif self.awaits is Awaits.BODY:
            self._body.earn(count, now)

    def sent(self, count: int, now: float) -> None:
        """Bytes went to the client."""
        self._reading.earn(count, now)

    def is_over(self, now: float, *, writing: bool) -> bool:
        """Whether to give the client up; `writing` when bytes lie ready that it does not take."""
        if writing:
            self._reading.wait(now)
            if self._reading.used_up(now):
                return True
        else:
            self._reading = Credit(self._limits.body_idle_s)
        if self.awaits is Awaits.HEAD:
            return now - self.since > self._limits.head_s
        if self.awaits is Awaits.REQUEST:
            return now - self.since > self._limits.idle_s
        return self.awaits is Awaits.BODY and self._body.used_up(now)
