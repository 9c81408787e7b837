"""Hours with a speed limit of their own: which limit holds when, and that it is obeyed."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.schedule import DAY, Schedule, limit_at

NIGHT = Schedule(start=22 * 60, end=6 * 60)
OFFICE = Schedule(start=9 * 60, end=17 * 60, limit=50_000)
ALWAYS = Schedule(start=0, end=0, limit=7)


@pytest.mark.parametrize(
    ("clock", "schedule", "expected"),
    [
        ("12:00", None, 1000),
        ("21:59", NIGHT, 1000),
        ("22:00", NIGHT, None),
        ("23:59", NIGHT, None),
        ("00:00", NIGHT, None),
        ("05:59", NIGHT, None),
        ("06:00", NIGHT, 1000),
        ("08:59", OFFICE, 1000),
        ("09:00", OFFICE, 50_000),
        ("16:59", OFFICE, 50_000),
        ("17:00", OFFICE, 1000),
        ("00:00", ALWAYS, 7),
        ("23:59", ALWAYS, 7),
    ],
)
def test_which_limit_holds(clock: str, schedule: Schedule | None, expected: int | None) -> None:
    hours, minutes = clock.split(":")
    assert limit_at(int(hours) * 60 + int(minutes), 1000, schedule) == expected


def test_the_day_is_shared_without_gap() -> None:
    within = sum(NIGHT.holds(minute) for minute in range(DAY))
    other = Schedule(start=NIGHT.end, end=NIGHT.start)
    assert within == 8 * 60
    assert all(NIGHT.holds(minute) != other.holds(minute) for minute in range(DAY))


def test_the_limit_changes_when_the_hour_comes() -> None:
    now = [21 * 60]
    bandwidth = Bandwidth(1000, NIGHT, minute=lambda: now[0])
    assert bandwidth.limit_now == 1000
    assert bandwidth.take(100_000, lambda: False) <= 50
    now[0] = 22 * 60
    assert bandwidth.limit_now is None
    assert bandwidth.take(100_000, lambda: False) == 100_000
    now[0] = 6 * 60
    assert bandwidth.take(100_000, lambda: False) <= 50


def test_who_waits_goes_on_when_the_schedule_is_lifted() -> None:
    bandwidth = Bandwidth(None, Schedule(start=0, end=0, limit=1), minute=lambda: 0)
    given: list[int] = []
    waiter = threading.Thread(
        target=lambda: given.append(bandwidth.take(100_000, lambda: False)), daemon=True
    )
    waiter.start()
    bandwidth.set_schedule(None)
    waiter.join()
    assert given == [100_000]


def test_is_kept_over_a_restart(tmp_path: Path) -> None:
    for schedule in (NIGHT, OFFICE, None):
        journal = Journal(tmp_path / "transfers.db")
        journal.set_schedule(schedule)
        journal.close()
        journal = Journal(tmp_path / "transfers.db")
        assert journal.schedule() == schedule
        journal.close()


@pytest.mark.parametrize("wrong", [{"start": DAY}, {"end": -1}, {"limit": 0}])
def test_what_is_no_time_of_day_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"start": 0, "end": 60, **wrong}, Schedule)
