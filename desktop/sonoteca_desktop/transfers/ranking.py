"""Which transfer comes before which: the rules of moving them in the list, without any IO.

The place in the list is the priority: whoever stands first runs first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum


class Move(StrEnum):
    """Where to, from where one stands."""

    TOP = "Move to the top"
    UP = "Move up"
    DOWN = "Move down"
    BOTTOM = "Move to the bottom"


def moved(order: Sequence[int], chosen: Collection[int], move: Move) -> list[int]:
    """The order after the chosen ones moved; among themselves they stay as they were."""
    match move:
        case Move.TOP:
            return moved_before(order, chosen, order[0]) if order else []
        case Move.BOTTOM:
            return moved_before(order, chosen, None)
        case Move.UP:
            return _one_up(order, chosen)
        case Move.DOWN:
            return _one_up(order[::-1], chosen)[::-1]


def moved_before(order: Sequence[int], chosen: Collection[int], other: int | None) -> list[int]:
    """The order with the chosen ones together, right before another one; None is the end."""
    if other is not None and other not in order:
        raise ValueError(f"{other} is not in the order")
    picked = [key for key in order if key in chosen]
    place = len(order) if other is None else list(order).index(other)
    before = [key for key in order[:place] if key not in chosen]
    return before + picked + [key for key in order[place:] if key not in chosen]


def _one_up(order: Sequence[int], chosen: Collection[int]) -> list[int]:
    result = list(order)
    for place in range(1, len(result)):
        if result[place] in chosen and result[place - 1] not in chosen:
            result[place - 1 : place + 1] = result[place], result[place - 1]
    return result
