"""Which sounds match, and in which order: probe what is rare, then plan; pages, never offsets.

A page of a rare kind of sound in another order is the trap: walking the order, row after row, looks
at the whole catalogue for it. So each condition that an index knows is counted first, up to a
limit. When few sounds can match, these are fetched and sorted. When many do, the order is walked,
and a page is full soon. In between SQLite walks the order too, but looks each number up among those
that can match, and reads no row in vain. The planner is left no choice between the three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, tuple_

from sonoteca_server.catalog.conditions import Condition, Seqs
from sonoteca_server.catalog.constructs import Unindexed
from sonoteca_server.catalog.filters import SoundFilter, asked_of
from sonoteca_server.catalog.orders import Cursor, Order, Section, sections
from sonoteca_server.catalog.schema import sounds

COUNT_LIMIT = 10_000
# A SELECT of whatever columns.
Rows = Select[*tuple[Any, ...]]
# So many rows are fetched and sorted in 5 ms at most.
_FEW = 1_500
# PostgreSQL cannot look numbers up on its way, so it fetches and sorts more.
_FEW_POSTGRESQL = 8_000
# So many numbers are collected in 5 ms at most; where more match, 50 are met on a short way.
_SOME = 20_000
# How many rows are looked at, at most, to count those that match.
_EXAMINED = 4_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a page is made: from a few sounds, sorted; else along the order, where `among` some."""

    asked: list[Condition]
    few: ColumnElement[bool] | None = None
    among: Seqs | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A page: the documents of its sounds as they are sent, and where its neighbours begin."""

    docs: list[str]
    names: list[str]
    next: Cursor | None
    previous: Cursor | None


def find_page(
    connection: Connection,
    wanted: SoundFilter,
    order: Order,
    *,
    size: int,
    cursor: Cursor | None = None,
) -> Found:
    """Up to `size` matching sounds from the cursor on, in the order asked for."""
    if cursor is not None:
        order = cursor.order
    backward = cursor is not None and cursor.backward
    rows = _rows(connection, wanted, order, size + 1, cursor)
    more, rows = len(rows) > size, rows[:size]
    if backward:
        rows.reverse()
    if not rows:
        return Found([], [], None, None)
    first = Cursor(order, rows[0].value, rows[0].tie, backward=True)
    last = Cursor(order, rows[-1].value, rows[-1].tie)
    return Found(
        docs=[row.doc for row in rows],
        names=[row.name for row in rows],
        next=last if more or backward else None,
        previous=first if (more if backward else cursor is not None) else None,
    )


def find_counted_page(
    connection: Connection,
    wanted: SoundFilter,
    order: Order,
    *,
    size: int,
    cursor: Cursor | None = None,
) -> tuple[Found, int, bool]:
    """A page as of `find_page`, and the count of all that matches, of the same moment."""
    found = find_page(connection, wanted, order, size=size, cursor=cursor)
    return found, *count(connection, wanted)


def count(connection: Connection, wanted: SoundFilter) -> tuple[int, bool]:
    """How many sounds match, and whether there may be more: neither goes on for ever."""
    asked = asked_of(connection, wanted)
    found, number = _rarest(connection, asked, COUNT_LIMIT)
    if found is None:
        found = select(sounds.c.seq).where(sounds.c.trashed.is_(None))
        number = _size(connection, found, COUNT_LIMIT)
    if all(condition.exact for condition in asked) and len(asked) < 2:
        return min(number, COUNT_LIMIT), number > COUNT_LIMIT
    looked_at = found.limit(_EXAMINED).subquery()
    matching = select(sounds.c.seq).where(sounds.c.seq.in_(select(looked_at.c.seq)))
    matches = _size(connection, _holding(matching, asked), COUNT_LIMIT)
    more = matches > COUNT_LIMIT or _size(connection, found, _EXAMINED) > _EXAMINED
    return min(matches, COUNT_LIMIT), more


def matching(connection: Connection, wanted: SoundFilter, most: int) -> Seqs | None:
    """The numbers of all sounds that match; None when there may be more than `most`."""
    asked = asked_of(connection, wanted)
    found, number = _rarest(connection, asked, most)
    if found is None:
        found = select(sounds.c.seq).where(sounds.c.trashed.is_(None))
        number = _size(connection, found, most)
    if number > most:
        return None
    return _holding(select(sounds.c.seq).where(sounds.c.seq.in_(found)), asked)


def _rows(
    connection: Connection, wanted: SoundFilter, order: Order, size: int, cursor: Cursor | None
) -> list[Row[*tuple[Any, ...]]]:
    """The first rows from the cursor on, in the direction that it looks."""
    plan = _plan(connection, wanted, order)
    rows: list[Row[*tuple[Any, ...]]] = []
    for section in sections(order, cursor, walked=plan.few is None):
        rows += connection.execute(_section(section, order, plan).limit(size - len(rows))).all()
        if len(rows) == size:
            break
    return rows


def _plan(connection: Connection, wanted: SoundFilter, order: Order) -> _Plan:
    asked = asked_of(connection, wanted)
    if not asked:
        return _Plan(asked)
    postgresql = connection.dialect.name == "postgresql"
    some = _FEW_POSTGRESQL if postgresql else min(_SOME, _worth_collecting(connection))
    few = some if postgresql else min(_FEW, some)
    found, number = _rarest(connection, asked, some)
    if found is not None and number <= few:
        # As an array, so that PostgreSQL looks each one up; it would rather join with all sounds.
        listed = func.any(func.array(found.scalar_subquery()))
        return _Plan(asked, few=sounds.c.seq == listed if postgresql else sounds.c.seq.in_(found))
    asked = asked_of(connection, wanted, walked=order.column)
    return _Plan(asked, among=None if postgresql or number > some else found)


def _worth_collecting(connection: Connection) -> int:
    """Beyond so many matches the rows read in vain on the way to 50 cost less than these numbers.

    Of n sounds and m that match those are 50 n/m rows, each as dear as some 20 numbers.
    """
    newest = connection.execute(select(func.max(sounds.c.seq))).scalar_one() or 0
    return 30 * math.isqrt(newest)


def _section(section: Section, order: Order, plan: _Plan) -> Rows:
    query: Rows = select(
        sounds.c.doc, sounds.c.name, order.column.label("value"), order.tie.label("tie")
    )
    if plan.few is not None:
        query = query.where(plan.few)
    if plan.among is not None:
        query = query.where(Unindexed(sounds.c.seq).in_(plan.among))
    query = _holding(query, plan.asked)
    if section.only is not None:
        query = query.where(section.only)
    if section.after is not None:
        place = tuple_(*section.keys[: len(section.after)])
        start = tuple_(*section.after)
        query = query.where(place < start if section.descending else place > start)
    return query.order_by(*(key.desc() if section.descending else key for key in section.keys))


def _holding(query: Rows, asked: list[Condition]) -> Rows:
    return query.where(sounds.c.trashed.is_(None), *(condition.holds for condition in asked))


def _rarest(connection: Connection, asked: list[Condition], most: int) -> tuple[Seqs | None, int]:
    """What finds the fewest sounds, of all that must match; and how many, but not beyond `most`."""
    best, least = None, most + 1
    for condition in asked:
        if condition.found_by is not None:
            number = 0 if condition.some is None else _size(connection, condition.some, least - 1)
            if number < least:
                number = _size(connection, condition.found_by, least - 1)
            if best is None or number < least:
                best, least = condition.found_by, number
    return best, least


def _size(connection: Connection, seqs: Seqs, most: int) -> int:
    """How many there are, but not beyond one more than `most`."""
    capped = seqs.limit(most + 1).subquery()
    return connection.execute(select(func.count()).select_from(capped)).scalar_one()
