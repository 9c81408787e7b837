"""How a page is to be found: probe what is rare, then plan, so that no page reads the catalogue.

A page of a rare kind of sound in another order is the trap: walking the order, row after row, looks
at the whole catalogue for it. So each condition that an index knows is counted first, up to a
limit. When few sounds can match, these are fetched and sorted. When many do, the order is walked,
and a page is full soon. In between SQLite walks the order too, but looks each number up among those
that can match, and reads no row in vain.

The order in which sounds came needs less: their numbers are in it, and indexes that hold one value
have the numbers in it too. The planner is left no choice between these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from sonoteca_server.catalog.conditions import Condition, Seqs
from sonoteca_server.catalog.filters import SoundFilter, asked_of
from sonoteca_server.catalog.orders import Order
from sonoteca_server.catalog.schema import sounds

# So many rows are fetched and sorted in a few milliseconds.
_FEW = 4_000
# PostgreSQL cannot look numbers up on its way, so it fetches and sorts more.
_FEW_POSTGRESQL = 8_000
# So many numbers are collected in 5 ms at most; where more match, 50 are met on a short way.
_SOME = 18_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How a page is found: from a few sounds, sorted; else along the order, where `among` some.

    `along` are numbers in the order that is asked for, or have to be put `in_order` first: then
    they are, as they may be else, `alone`: just those of the sounds that match.
    """

    asked: list[Condition]
    few: ColumnElement[bool] | None = None
    among: Seqs | None = None
    along: Seqs | None = None
    alone: bool = False
    in_order: bool = True


def plan(connection: Connection, wanted: SoundFilter, order: Order) -> Plan:
    """The plan for a page of these sounds in this order."""
    asked = asked_of(connection, wanted)
    if not asked:
        return Plan(asked)
    if connection.dialect.name == "postgresql":
        return _plan_on_postgresql(connection, wanted, order, asked)
    if order.sort == "created":
        return _plan_as_they_came(connection, asked)
    most = min(_SOME, _worth_collecting(connection))
    found, number = rarest(connection, asked, most)
    if found is not None and number <= _FEW:
        return Plan(asked, few=sounds.c.seq.in_(found.numbers))
    walked = asked_of(connection, wanted, walked=order.column)
    return Plan(walked, among=found.numbers if found is not None and number <= most else None)


def rarest(
    connection: Connection, asked: list[Condition], most: int
) -> tuple[Condition | None, int]:
    """What finds the fewest sounds, of all that must match; and how many, but not beyond `most`."""
    best: Condition | None = None
    least = most + 1
    for condition in asked:
        if condition.found_by is not None:
            number = least if _is_common(connection, condition, least - 1) else 0
            if number < least:
                number = count_up_to(connection, condition.found_by, least - 1)
            if best is None or number < least:
                best, least = condition, number
    return best, least


def count_up_to(connection: Connection, seqs: Seqs, most: int) -> int:
    """How many there are, but not beyond one more than `most`."""
    capped = seqs.limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(capped)).scalar_one()


def _plan_as_they_came(connection: Connection, asked: list[Condition]) -> Plan:
    """On SQLite, in the order of the numbers."""
    listed = [condition for condition in asked if condition.found_by is not None]
    only = listed[0] if len(listed) == 1 else None
    if only is not None and only.in_order:
        if _is_common(connection, only, _SOME):
            return Plan(asked)
        return Plan(asked, along=only.found_by, alone=_is_all(asked))
    found, number = rarest(connection, asked, _SOME)
    if found is None or (number > _SOME and not found.in_order):
        return Plan(asked)
    if found.in_order or _is_all(asked):
        return Plan(asked, along=found.found_by, alone=_is_all(asked), in_order=found.in_order)
    if number <= _FEW:
        return Plan(asked, few=sounds.c.seq.in_(found.numbers))
    return Plan(asked, among=found.found_by)


def _plan_on_postgresql(
    connection: Connection, wanted: SoundFilter, order: Order, asked: list[Condition]
) -> Plan:
    found, number = rarest(connection, asked, _FEW_POSTGRESQL)
    if found is not None and number <= _FEW_POSTGRESQL:
        # As an array, so that each is looked up; it would rather join with all sounds.
        array: Any = func.array(found.numbers.scalar_subquery())
        return Plan(asked, few=sounds.c.seq == func.any(array))
    return Plan(asked_of(connection, wanted, walked=order.column))


def _is_common(connection: Connection, condition: Condition, most: int) -> bool:
    """Whether what can be counted fast is more than `most` already."""
    return condition.some is not None and count_up_to(connection, condition.some, most) > most


def _is_all(asked: list[Condition]) -> bool:
    """Whether the numbers that the one condition finds are those of all sounds that match."""
    return len(asked) == 1 and asked[0].exact


def _worth_collecting(connection: Connection) -> int:
    """Beyond so many matches the rows read in vain on the way to 50 cost less than these numbers.

    Of n sounds and m that match those are 50 n/m rows, each as dear as some 20 numbers.
    """
    newest = connection.execute(select(func.max(sounds.c.seq))).scalar_one() or 0
    return 30 * math.isqrt(newest)
