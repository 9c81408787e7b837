"""Which sounds match, and in which order: pages of them, and their count."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Integer, Row, Select, bindparam, select, tuple_

from sonoteca_server.catalog.conditions import Condition, Seqs
from sonoteca_server.catalog.constructs import Unindexed
from sonoteca_server.catalog.filters import SoundFilter, asked_of
from sonoteca_server.catalog.orders import Cursor, Order, Section, sections
from sonoteca_server.catalog.planning import Plan, count_up_to, plan, rarest
from sonoteca_server.catalog.schema import sounds

COUNT_LIMIT = 10_000
# A SELECT of whatever columns.
Rows = Select[*tuple[Any, ...]]
# How many rows are looked at, at most, to count those that match.
_EXAMINED = 4_000


@dataclass(frozen=True, slots=True)
class Found:
    """A page of sounds, and where its neighbours begin."""

    rows: Sequence[Row[*tuple[Any, ...]]]
    next: Cursor | None = None
    previous: Cursor | None = None

    @property
    def docs(self) -> list[str]:
        """The sounds as they are sent."""
        return [row.doc for row in self.rows]

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [row.name for row in self.rows]


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
        return Found(rows)
    first = Cursor(order, rows[0].value, rows[0].seq, backward=True)
    last = Cursor(order, rows[-1].value, rows[-1].seq)
    return Found(
        rows,
        next=last if more or backward else None,
        previous=first if (more if backward else cursor is not None) else None,
    )


def count(connection: Connection, wanted: SoundFilter) -> tuple[int, bool]:
    """How many sounds match, and whether there may be more: neither goes on for ever."""
    asked = asked_of(connection, wanted)
    best, number = rarest(connection, asked, COUNT_LIMIT)
    found = best.found_by if best is not None else None
    if found is None:
        found = select(sounds.c.seq).where(sounds.c.trashed.is_(None))
        number = count_up_to(connection, found, COUNT_LIMIT)
    if all(condition.exact for condition in asked) and len(asked) < 2:
        return min(number, COUNT_LIMIT), number > COUNT_LIMIT
    looked_at = found.limit(_EXAMINED).subquery()
    matching = select(sounds.c.seq).where(sounds.c.seq.in_(select(looked_at.c.seq)))
    matches = count_up_to(connection, _holding(matching, asked), COUNT_LIMIT)
    more = matches > COUNT_LIMIT or count_up_to(connection, found, _EXAMINED) > _EXAMINED
    return min(matches, COUNT_LIMIT), more


def matching(connection: Connection, wanted: SoundFilter, most: int) -> Seqs | None:
    """The numbers of all sounds that match; None when there may be more than `most`."""
    asked = asked_of(connection, wanted)
    best, number = rarest(connection, asked, most)
    found = best.found_by if best is not None else None
    if found is None:
        found = select(sounds.c.seq).where(sounds.c.trashed.is_(None))
        number = count_up_to(connection, found, most)
    if number > most:
        return None
    return _holding(select(sounds.c.seq).where(sounds.c.seq.in_(found)), asked)


def _rows(
    connection: Connection, wanted: SoundFilter, order: Order, count: int, cursor: Cursor | None
) -> list[Row[*tuple[Any, ...]]]:
    """The first rows from the cursor on, in the direction that it looks."""
    planned = plan(connection, wanted, order)
    queries: Iterable[Rows]
    if planned.asked:
        queries = _queries(order, cursor, planned)
    else:
        values = None if cursor is None else "empty" if cursor.value is None else "valued"
        queries = _prepared(order, values, backward=cursor is not None and cursor.backward)
    behind = {} if cursor is None else {"value": cursor.value, "seq": cursor.seq}
    rows: list[Row[*tuple[Any, ...]]] = []
    for query in queries:
        rows += connection.execute(query, behind | {"count": count - len(rows)}).all()
        if len(rows) == count:
            break
    return rows


@functools.lru_cache(maxsize=200)
def _prepared(order: Order, behind: str | None, *, backward: bool) -> tuple[Rows, ...]:
    """What lists all sounds: to make SQL of it costs more than the answer."""
    cursor = None
    if behind is not None:
        value: Any = bindparam("value") if behind == "valued" else None
        cursor = Cursor(order, value, cast(Any, bindparam("seq")), backward)
    return tuple(_queries(order, cursor, Plan([])))


def _queries(order: Order, cursor: Cursor | None, planned: Plan) -> Iterator[Rows]:
    """The sections of the order from the cursor on, each as the query for its first rows."""
    walked = planned.few is None
    return (_section(part, order, planned) for part in sections(order, cursor, walked=walked))


def _section(section: Section, order: Order, planned: Plan) -> Rows:
    query: Rows = select(
        sounds.c.doc, sounds.c.name, order.column.label("value"), sounds.c.seq.label("seq")
    )
    keys = section.keys
    if planned.along is not None:
        found = _part_of(section, planned).subquery()
        query = query.select_from(found.join(sounds, sounds.c.seq == found.c.seq))
        keys = (found.c.seq,)
    if planned.few is not None:
        query = query.where(planned.few)
    if planned.among is not None:
        query = query.where(Unindexed(sounds.c.seq).in_(planned.among))
    query = _holding(query, planned.asked)
    if order.sort == "created":
        query = query.where(*_bounds(keys[0], planned.asked))
    if section.only is not None:
        query = query.where(section.only)
    query = query.where(*_behind(keys, section))
    return query.order_by(*_directed(keys, section)).limit(bindparam("count", type_=Integer))


def _part_of(section: Section, planned: Plan) -> Seqs:
    """The numbers to go along: when no row has to say more, as many as are asked for."""
    assert planned.along is not None
    if not planned.alone:
        return planned.along
    seq = planned.along.selected_columns.seq
    # An index that has them in another order must not be left for one that has them in this.
    keys = (seq if planned.in_order else Unindexed(seq),)
    part = planned.along.where(*_behind(keys, section))
    return part.order_by(*_directed(keys, section)).limit(bindparam("count", type_=Integer))


def _behind(keys: Sequence[ColumnElement[Any]], section: Section) -> Iterator[ColumnElement[bool]]:
    """What lies behind the place at which the section begins."""
    if section.after is not None:
        place, start = tuple_(*keys[: len(section.after)]), tuple_(*section.after)
        yield place < start if section.descending else place > start


def _directed(keys: Sequence[ColumnElement[Any]], section: Section) -> Iterator[ColumnElement[Any]]:
    return (key.desc() if section.descending else key for key in keys)


def _bounds(seq: ColumnElement[int], asked: Iterable[Condition]) -> Iterator[ColumnElement[bool]]:
    for condition in asked:
        if condition.after is not None:
            yield seq >= condition.after
        if condition.until is not None:
            yield seq <= condition.until


def _holding(query: Rows, asked: list[Condition]) -> Rows:
    return query.where(sounds.c.trashed.is_(None), *(condition.holds for condition in asked))
