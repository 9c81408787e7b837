"""How fast bytes go, and how fast they may go."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from sonoteca_desktop.transfers.schedule import Schedule, limit_at

_BURST = 0.25
_REFILL = 0.05
_SMOOTHING = 3.0
_WARM_UP = 2.0


class Bucket:
    """A token bucket: `rate` tokens a second come in, a quarter of a second's worth fits."""

    def __init__(self, rate: int, now: float) -> None:
        self._tokens = 0.0
        self._rate = rate
        self._at = now

    @property
    def portion(self) -> int:
        """The most that is handed out at once: 1/20 s of the rate, so that the flow is even."""
        return max(1, int(self._rate * _REFILL))

    def take(self, wanted: int, now: float) -> int:
        """Up to `wanted` tokens, at most a portion; 0 while there is less than that."""
        self._tokens = min(self._rate * _BURST + 1, self._tokens + self._rate * (now - self._at))
        self._at = now
        given = min(wanted, self.portion)
        if self._tokens < given:
            return 0
        self._tokens -= given
        return given

    def give_back(self, count: int) -> None:
        """Tokens that were taken and not used."""
        self._tokens += count

    def wait(self, wanted: int) -> float:
        """Seconds until `take` gives something."""
        return max(0.0, (min(wanted, self.portion) - self._tokens) / self._rate)


def minute_of_day() -> int:
    """Minutes after midnight by the clock of this computer, as its user reads it."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min


class Bandwidth:
    """The one speed limit that all transfers share; a change of it is felt at once.

    `minute` is asked for the minute of the day whenever bytes are to go, as long as there is a
    schedule.
    """

    def __init__(
        self,
        limit: int | None = None,
        schedule: Schedule | None = None,
        *,
        minute: Callable[[], int] = minute_of_day,
    ) -> None:
        self._changed = threading.Condition()
        self._minute = minute
        self._bucket: Bucket | None = None
        self._rate: int | None = None
        self._line: deque[object] = deque()
        self.limit: int | None = None
        self.schedule = schedule
        self.set_limit(limit)

    @property
    def limit_now(self) -> int | None:
        """The limit that holds at this time of the day."""
        schedule = self.schedule
        return self.limit if schedule is None else limit_at(self._minute(), self.limit, schedule)

    def set_limit(self, bytes_per_second: int | None) -> None:
        """Limit all transfers together, or (None) let them run."""
        if bytes_per_second is not None and bytes_per_second < 1:
            raise ValueError("a speed limit is at least one byte a second")
        with self._changed:
            self.limit = bytes_per_second
            self._follow()

    def set_schedule(self, schedule: Schedule | None) -> None:
        """Let another limit hold at certain hours, or (None) the same one all day."""
        with self._changed:
            self.schedule = schedule
            self._follow()

    def wake(self) -> None:
        """Let everyone who waits look whether they are still wanted."""
        with self._changed:
            self._changed.notify_all()

    def take(self, wanted: int, stopped: Callable[[], bool]) -> int:
        """How many of the `wanted` bytes may go now; waits for at least one, 0 once stopped."""
        if self._bucket is None and self.schedule is None:
            return wanted
        me = object()
        with self._changed:
            # Those who wait are served in turn: a fair share for each, whatever its line.
            self._line.append(me)
            try:
                return self._wait(me, wanted, stopped)
            finally:
                self._line.remove(me)
                self._changed.notify_all()

    def give_back(self, count: int) -> None:
        """Bytes that were allowed and did not go."""
        with self._changed:
            if self._bucket is not None and count:
                self._bucket.give_back(count)

    def _follow(self) -> None:
        rate = self.limit_now
        if rate != self._rate:
            self._rate = rate
            self._bucket = None if rate is None else Bucket(rate, time.monotonic())
            self._changed.notify_all()

    def _wait(self, me: object, wanted: int, stopped: Callable[[], bool]) -> int:
        while not stopped():
            self._follow()  # the hour may have come
            bucket = self._bucket
            if bucket is None:
                return wanted
            if self._line[0] is not me:
                self._changed.wait()
            elif given := bucket.take(wanted, time.monotonic()):
                return given
            else:
                self._changed.wait(bucket.wait(wanted))
        return 0


class Meter:
    """The speed of one transfer, smoothed over three seconds; fed by one thread, read by another.

    The average forgets exponentially in time, not by calls, so it does not matter how often it is
    fed or read.
    """

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self._began = now
        self._at = now
        self._rate = 0.0

    def add(self, count: int, now: float) -> None:
        """So many bytes went just now."""
        with self._lock:
            fading = math.exp(-max(0.0, now - self._at) / _SMOOTHING)
            self._rate = self._rate * fading + count / _SMOOTHING
            self._at = now

    def speed(self, now: float) -> float:
        """Bytes a second."""
        with self._lock:
            # What an average over the time before the beginning would count as silence.
            known = 1.0 - math.exp(-max(0.1, now - self._began) / _SMOOTHING)
            return self._rate * math.exp(-max(0.0, now - self._at) / _SMOOTHING) / known

    def seconds_left(self, count: int, now: float) -> float | None:
        """How long so many bytes will take; None as long as nobody can know."""
        speed = self.speed(now)
        if now - self._began < _WARM_UP or speed < 1.0:
            return None
        return count / speed
