"""Which sounds match, and in which order: probe what is rare, then plan; pages, never offsets.

A page of a rare kind of sound in another order is the trap: walking the order, row after row, looks
at the whole catalogue for it. So each condition that an index knows is counted first, up to a
limit. When few sounds can match, these are fetched and sorted; when many do, the order is walked,
and a page is full soon. Either way the planner is left no choice between the two.
"""

from __future__ import annotations

from collections.abc import Iterator
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
# To fetch and sort so many costs what walking an order costs that finds one sound in 150.
_FEW = 8_000
# How many sounds are looked at, at most, to count those that match.
_EXAMINED = 20_000


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


def count(connection: Connection, wanted: SoundFilter) -> tuple[int, bool]:
    """How many sounds match, and whether there may be more: neither goes on for ever."""
    asked = asked_of(connection, wanted)
    base, _ = _rarest(connection, asked)
    if base is None:
        base = select(sounds.c.seq).where(sounds.c.trashed.is_(None))
    looked_at = base.limit(_EXAMINED + 1).subquery()
    matching = select(sounds.c.seq).where(sounds.c.seq.in_(select(looked_at.c.seq)))
    matching = _holding(matching, asked).limit(COUNT_LIMIT + 1)
    number = _size(connection, matching if asked else base.limit(COUNT_LIMIT + 1))
    if number > COUNT_LIMIT:
        return COUNT_LIMIT, True
    return number, bool(asked) and _size(connection, base.limit(_EXAMINED + 1)) > _EXAMINED


def _rows(
    connection: Connection, wanted: SoundFilter, order: Order, size: int, cursor: Cursor | None
) -> list[Row[*tuple[Any, ...]]]:
    """The first rows from the cursor on, in the direction that it looks."""
    asked = asked_of(connection, wanted)
    few, number = _rarest(connection, asked)
    if number > _FEW:
        few, asked = None, asked_of(connection, wanted, walked=order.column)
    rows: list[Row[*tuple[Any, ...]]] = []
    for section in sections(order, cursor):
        query = _section(section, order, asked, few)
        rows += connection.execute(query.limit(size - len(rows)))
        if len(rows) == size:
            break
    return rows


def _section(section: Section, order: Order, asked: list[Condition], few: Seqs | None) -> Rows:
    query: Rows = select(
        sounds.c.doc, sounds.c.name, order.column.label("value"), order.tie.label("tie")
    )
    keys: tuple[ColumnElement[Any], ...] = section.keys
    if few is not None:
        query = query.where(sounds.c.seq.in_(few))
        keys = tuple(Unindexed(key) for key in keys)
    query = _holding(query, asked)
    if section.only is not None:
        query = query.where(section.only)
    if section.after is not None:
        place = tuple_(*keys)
        start = tuple_(*section.after)
        query = query.where(place < start if section.descending else place > start)
    return query.order_by(*(key.desc() if section.descending else key for key in keys))


def _holding(query: Rows, asked: list[Condition]) -> Rows:
    return query.where(sounds.c.trashed.is_(None), *(condition.holds for condition in asked))


def _rarest(connection: Connection, asked: list[Condition]) -> tuple[Seqs | None, int]:
    """What finds the fewest sounds, of all that must match, and how many: beyond few, just many."""
    best, least = None, _FEW + 2
    for seqs in _found(asked):
        number = _size(connection, seqs.limit(min(_FEW + 1, least)))
        if number < least:
            best, least = seqs, number
    return best, least


def _found(asked: list[Condition]) -> Iterator[Seqs]:
    return (condition.found_by for condition in asked if condition.found_by is not None)


def _size(connection: Connection, seqs: Seqs) -> int:
    return connection.execute(select(func.count()).select_from(seqs.subquery())).scalar_one()
