"""The rows to take out and put in, to turn one order of ids into another."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_STEPS = 100  # beyond that a view is faster with a fresh start


@dataclass(frozen=True, slots=True)
class Step:
    """Neighbouring rows that leave (`keys` is None) or come, seen after all steps before."""

    row: int
    count: int
    keys: array[int] | None = None


def steps_between(old: array[int], new: array[int]) -> list[Step] | None:
    """The steps from `old` to `new`; None when rows changed places or it takes too many."""
    head = _common_head(old, new)
    tail = _common_tail(old, new, most=min(len(old), len(new)) - head)
    before, after = old[head : len(old) - tail], new[head : len(new) - tail]
    leaving, coming = set(before) - set(after), set(after) - set(before)
    if [key for key in before if key not in leaving] != [key for key in after if key not in coming]:
        return None
    removals = [Step(head + row, count) for row, count in _runs(before, leaving)]
    insertions = [
        Step(head + row, count, after[row : row + count]) for row, count in _runs(after, coming)
    ]
    # From the end: a removal then does not move the rows of the next one.
    steps = removals[::-1] + insertions
    return steps if len(steps) <= _MOST_STEPS else None


def _runs(keys: array[int], wanted: set[int]) -> Iterator[tuple[int, int]]:
    """First row and length of every unbroken run of wanted keys."""
    start = None
    for row, key in enumerate(keys):
        if key in wanted and start is None:
            start = row
        elif key not in wanted and start is not None:
            yield start, row - start
            start = None
    if start is not None:
        yield start, len(keys) - start


def _common_head(old: array[int], new: array[int]) -> int:
    """How many keys are the same from the start on."""
    low, high = 0, min(len(old), len(new))
    while low < high:  # halving compares long stretches as bytes, at the speed of memory
        middle = (low + high + 1) // 2
        if old[low:middle].tobytes() == new[low:middle].tobytes():
            low = middle
        else:
            high = middle - 1
    return low


def _common_tail(old: array[int], new: array[int], *, most: int) -> int:
    """How many keys are the same from the end on, not more than `most`."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        left = old[len(old) - middle : len(old) - low].tobytes()
        if left == new[len(new) - middle : len(new) - low].tobytes():
            low = middle
        else:
            high = middle - 1
    return low
