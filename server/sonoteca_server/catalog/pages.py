"""Pages of a list in any order: they begin at a row, not at a number, so nothing is skipped."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select, tuple_

from sonoteca_shared.errors import BadRequestError

COUNT_LIMIT = 10_000
_Number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]


@dataclass(frozen=True, slots=True)
class Place:
    """The row beside which a page begins; `backward` reads towards the start."""

    key: str | int
    seq: int
    backward: bool = False

    def text(self) -> str:
        """The opaque form that travels."""
        parts = [self.key, self.seq, self.backward]
        return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, how many it has (capped), and where the neighbouring pages begin."""

    rows: list[Row[*tuple[Any, ...]]]
    count: int
    more: bool
    next: Place | None
    previous: Place | None


@dataclass(frozen=True, slots=True)
class Ask:
    """How large a page somebody wants, and the cursor of where it begins; None is the start."""

    size: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """By this column, then by row number, which is unique."""

    key: ColumnElement[Any]
    seq: ColumnElement[int]
    descending: bool = False


def find_page(connection: Connection, query: Select[Any], order: Order, ask: Ask) -> Page:
    """The rows of a page; the query says which rows there are, and must not be ordered."""
    place = _parse(ask.cursor, order) if ask.cursor is not None else None
    backward = place is not None and place.backward
    down = order.descending != backward
    rest = query.add_columns(order.key.label("place_key"), order.seq.label("place_seq"))
    if place is not None:
        here, there = tuple_(order.key, order.seq), tuple_(place.key, place.seq)
        rest = rest.where(here < there if down else here > there)
    ends = (order.key.desc(), order.seq.desc()) if down else (order.key, order.seq)
    rows = list(connection.execute(rest.order_by(*ends).limit(ask.size + 1)))
    more, rows = len(rows) > ask.size, rows[: ask.size]
    if backward:
        rows.reverse()
    count = _count(connection, query)
    if not rows:
        return Page([], min(count, COUNT_LIMIT), count > COUNT_LIMIT, None, None)
    first = Place(rows[0].place_key, rows[0].place_seq, backward=True)
    last = Place(rows[-1].place_key, rows[-1].place_seq)
    return Page(
        rows,
        min(count, COUNT_LIMIT),
        count > COUNT_LIMIT,
        next=last if more or backward else None,
        previous=first if (more if backward else place is not None) else None,
    )


def _count(connection: Connection, query: Select[Any]) -> int:
    capped = query.with_only_columns(literal(1).label("one"), maintain_column_froms=True)
    found = select(func.count()).select_from(capped.limit(COUNT_LIMIT + 1).subquery())
    return int(connection.execute(found).scalar_one())


def _parse(text: str, order: Order) -> Place:
    kind: Any = str if order.key.type.python_type is str else _Number
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        key, seq, backward = msgspec.json.decode(data, type=tuple[kind, _Number, bool])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadRequestError(
            "cursor is not one that this server gave; start again without it"
        ) from error
    return Place(key.replace("\0", "") if isinstance(key, str) else key, seq, backward)
