"""Hours of the day with a speed limit of their own, as a rule without a clock."""

from __future__ import annotations

from typing import Annotated

import msgspec

DAY = 24 * 60
Minute = Annotated[int, msgspec.Meta(ge=0, lt=DAY)]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """Every day from `start` to `end`, in minutes after midnight of this computer's clock.

    It may go over midnight; when both are the same it is the whole day. `limit` is in bytes a
    second; None is as fast as it goes.
    """

    start: Minute
    end: Minute
    limit: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def holds(self, minute: int) -> bool:
        """Whether a minute of the day is within the hours; the last one is not."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def limit_at(minute: int, usual: int | None, schedule: Schedule | None) -> int | None:
    """The speed limit at a minute of the day, in bytes a second; None is as fast as it goes."""
    return schedule.limit if schedule is not None and schedule.holds(minute) else usual
