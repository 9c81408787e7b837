"""Orders of sounds, and places in them: what a page begins behind, so that no page shifts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from sqlalchemy import BigInteger, Column, ColumnElement

from sonoteca_server.catalog.constructs import Unindexed
from sonoteca_server.catalog.schema import sounds
from sonoteca_shared.errors import BadRequestError

_Number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Value = str | _Number | float | None

# What a sort may be called → the column that orders it.
SORTS: dict[str, Column[Any]] = {
    # Sounds are numbered in the transaction that says when they were created.
    "created": sounds.c.seq,
    "name": sounds.c.name_key,
    "folder": sounds.c.folder_key,
    "duration": sounds.c.duration,
    "size": sounds.c.size,
    "samplerate": sounds.c.samplerate,
    "bitdepth": sounds.c.bitdepth,
    "channels": sounds.c.channels,
    "format": sounds.c.format,
    "container": sounds.c.container,
    "loudness": sounds.c.loudness,
    "peak": sounds.c.peak,
    "rating": sounds.c.rating,
    "recorded": sounds.c.recorded,
}
# Sounds that have no value of these come last, whichever way they are sorted.
_OPTIONAL = frozenset({"loudness", "peak", "rating", "recorded"})
# What PostgreSQL compares an INTEGER with.
_MOST = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Order:
    """A sort by its name and direction; equal sounds come as they came in."""

    sort: str = "created"
    descending: bool = False

    @property
    def column(self) -> Column[Any]:
        """What is sorted by."""
        return SORTS[self.sort]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place between two rows where a page begins; `backward` reads towards the start."""

    order: Order
    value: Any
    seq: int
    backward: bool = False

    def text(self) -> str:
        """The opaque form that travels."""
        parts = [self.order.sort, self.order.descending, self.value, self.seq, self.backward]
        return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of an order: its keys, and behind which values of the first of them it begins."""

    keys: tuple[ColumnElement[Any], ...]
    descending: bool
    only: ColumnElement[bool] | None = None
    after: tuple[Any, ...] | None = None


def parse_cursor(text: str) -> Cursor:
    """A cursor from its opaque form."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        sort, descending, value, seq, backward = msgspec.json.decode(
            data, type=tuple[str, bool, _Value, _Number, bool]
        )
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _not_ours() from error
    if not _fits(sort, value):
        raise _not_ours()
    return Cursor(Order(sort, descending), value, seq, backward)


def sections(order: Order, cursor: Cursor | None, *, walked: bool) -> Iterator[Section]:
    """The order from the cursor on, in the direction that it looks.

    `walked` along an index, else sorted: then the planner must not look the keys up.
    """
    backward = cursor is not None and cursor.backward
    descending = order.descending != backward
    column: ColumnElement[Any] = order.column if walked else Unindexed(order.column)
    seq: ColumnElement[Any] = sounds.c.seq if walked else Unindexed(sounds.c.seq)
    if order.sort == "created":
        yield Section((seq,), descending, after=(cursor.seq,) if cursor is not None else None)
        return
    optional = order.sort in _OPTIONAL
    valued = Section((column, seq), descending, column.is_not(None) if optional else None)
    empty = Section((seq,), descending, column.is_(None))
    if cursor is not None and cursor.value is None:
        after = replace(empty, after=(cursor.seq,))
        yield from (after, valued) if backward else (after,)
        return
    yield from _after(valued, cursor, walked=walked)
    if optional and not backward:
        yield empty


def _after(section: Section, cursor: Cursor | None, *, walked: bool) -> Iterator[Section]:
    """What of a section lies behind the cursor."""
    if cursor is None:
        yield section
    elif not walked:
        yield replace(section, after=(cursor.value, cursor.seq))
    else:
        # In one comparison of both keys SQLite would use the index for the first one only, and
        # read all that is equal in it: of a sample rate that may be half of all sounds.
        column, seq = section.keys
        yield Section((seq,), section.descending, column == cursor.value, (cursor.seq,))
        yield replace(section, after=(cursor.value,))


def _fits(sort: str, value: Any) -> bool:
    """Whether a value of this kind can stand in this order: the database is not asked to guess."""
    if sort not in SORTS:
        return False
    if value is None:
        return sort in _OPTIONAL
    column = SORTS[sort].type
    if column.python_type is str:
        return isinstance(value, str) and "\0" not in value
    if column.python_type is float:
        return isinstance(value, int | float)
    return isinstance(value, int) and (isinstance(column, BigInteger) or abs(value) <= _MOST)


def _not_ours() -> BadRequestError:
    return BadRequestError("cursor is not one that this server gave; start again without it")
