"""Values as people type them in a search: `96k`, `2G`, `1:30`, `10s`, `-23`, `2026-01`.

Each is read as the span that it stands for: `2026-01` is a month, `dur:4` about four seconds.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

Value = int | float | str

_NUMBER = re.compile(r"([+-]?)([0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})([a-zA-Z]*)")
_CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2}(?:\.[0-9]{0,9})?)")
_DATE = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?Z?)?)?)?"
)

_COUNTS = {"": 1, "k": 1_000}
_UNITS: dict[str, dict[str, int | Decimal]] = {
    "rate": {**_COUNTS, "hz": 1, "khz": 1_000},
    "size": {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "kb": 10**3, "mb": 10**6,
             "gb": 10**9, "t": 10**12, "tb": 10**12},
    "dur": {"": 1, "s": 1, "ms": Decimal("0.001"), "m": 60, "min": 60, "h": 3_600},
    "loud": {"": 1, "db": 1, "lufs": 1},
    "peak": {"": 1, "db": 1, "dbtp": 1},
}  # fmt: skip
WHOLE = frozenset({"rate", "ch", "bits", "size", "rating"})
NUMBERS = WHOLE | {"dur", "loud", "peak"}
DATES = frozenset({"date", "rec"})

# What both engines can compare a number with: sizes with 64 bits, other whole numbers with 32.
_MOST = (1 << 63) - 1
_MOST_OF_COUNTS = (1 << 31) - 1


def number(field: str, text: str) -> Value | None:
    """A number of this field, whole where the field is and the text too; None when it is none."""
    read = _read(field, text)
    return None if read is None else _stored(field, read[0])


def number_span(field: str, text: str) -> tuple[Value, Value] | None:
    """The numbers that `field:text` means, the second left out: 4 is all that rounds to it.

    Of a field that has whole numbers, the number alone: both are the same.
    """
    read = _read(field, text)
    if read is None:
        return None
    exact, half = read[0], read[1] / 2
    if field in WHOLE:
        return _stored(field, exact), _stored(field, exact)
    return _stored(field, exact - half), _stored(field, exact + half)


def date_span(text: str) -> tuple[str, str | None] | None:
    """The first moment of a year, month, day, minute or second, and the first one after it.

    A day alone stands for its midnight, so that it compares with days and with moments. None in
    the second place is the end of time.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    parts = [int(part) for part in found.groups() if part is not None]
    try:
        start = datetime(*(parts + [1, 1][len(parts) - 1 :] if len(parts) < 3 else parts))  # type: ignore[arg-type]  # noqa: DTZ001 - compared as text
    except ValueError:
        return None
    try:
        end = _following(start, len(parts))
    except (ValueError, OverflowError):
        return _moment(start), None
    return _moment(start), _moment(end)


def _following(start: datetime, precision: int) -> datetime:
    if precision == 1:
        return start.replace(year=start.year + 1)
    if precision == 2:
        return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    steps = {3: timedelta(days=1), 5: timedelta(minutes=1), 6: timedelta(seconds=1)}
    return start + steps[precision]


def _moment(at: datetime) -> str:
    midnight = (at.hour, at.minute, at.second) == (0, 0, 0)
    return date.isoformat(at) if midnight else at.isoformat(timespec="seconds")


def _read(field: str, text: str) -> tuple[Decimal, Decimal] | None:
    """The value, and how much its last digit is worth."""
    if field == "dur" and (clock := _CLOCK.fullmatch(text)):
        hours, minutes, seconds = (Decimal(part or 0) for part in clock.groups())
        return hours * 3_600 + minutes * 60 + seconds, _step(clock[3])
    found = _NUMBER.fullmatch(text)
    unit = _UNITS.get(field, _COUNTS).get(found[3].lower()) if found else None
    if found is None or unit is None:
        return None
    return Decimal(found[1] + found[2]) * unit, _step(found[2]) * unit


def _step(digits: str) -> Decimal:
    return Decimal(1).scaleb(-len(digits.partition(".")[2]))


def _stored(field: str, exact: Decimal) -> Value:
    most = _MOST_OF_COUNTS if field in WHOLE - {"size"} else _MOST
    bounded = max(min(exact, Decimal(most)), Decimal(-most))
    whole = field in WHOLE and bounded == bounded.to_integral_value()
    return int(bounded) if whole else float(bounded)
