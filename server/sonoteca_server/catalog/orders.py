"""Orders of sounds, and places in them: what a page begins behind, so that no page shifts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
from sqlalchemy import Column, ColumnElement

from sonoteca_server.catalog.schema import sounds
from sonoteca_shared.errors import BadRequestError

_Number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Value = str | _Number | float | None

# What a sort may be called → the column that orders it.
SORTS: dict[str, Column[Any]] = {
    "created": sounds.c.created,
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
_TEXTS = frozenset({"created", "name", "folder", "format", "container", "recorded"})


@dataclass(frozen=True, slots=True)
class Order:
    """A sort by its name and direction; equal sounds come as they came in."""

    sort: str = "created"
    descending: bool = False

    @property
    def column(self) -> Column[Any]:
        """What is sorted by."""
        return SORTS[self.sort]

    @property
    def tie(self) -> Column[Any]:
        """What orders sounds that are equal."""
        return sounds.c.id if self.sort == "created" else sounds.c.seq


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place between two rows where a page begins; `backward` reads towards the start."""

    order: Order
    value: Any
    tie: str | int
    backward: bool = False

    def text(self) -> str:
        """The opaque form that travels."""
        parts = [self.order.sort, self.order.descending, self.value, self.tie, self.backward]
        return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of an order that one index walks: its keys, and behind which it begins."""

    keys: tuple[ColumnElement[Any], ...]
    descending: bool
    only: ColumnElement[bool] | None = None
    after: tuple[Any, ...] | None = None


def parse_cursor(text: str) -> Cursor:
    """A cursor from its opaque form."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        sort, descending, value, tie, backward = msgspec.json.decode(
            data, type=tuple[str, bool, _Value, str | _Number, bool]
        )
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise _not_ours() from error
    if not _fits(sort, value, tie):
        raise _not_ours()
    return Cursor(Order(sort, descending), value, tie, backward)


def sections(order: Order, cursor: Cursor | None) -> Iterator[Section]:
    """The order from the cursor on, in the direction that it looks."""
    backward = cursor is not None and cursor.backward
    descending = order.descending != backward
    if order.sort not in _OPTIONAL:
        after = (cursor.value, cursor.tie) if cursor is not None else None
        yield Section((order.column, order.tie), descending, after=after)
        return
    among_empty = cursor is not None and cursor.value is None
    column, here = order.column, None
    if cursor is not None:
        here = (cursor.tie,) if among_empty else (cursor.value, cursor.tie)
    valued = Section((column, order.tie), descending, column.is_not(None))
    empty = Section((order.tie,), descending, column.is_(None))
    parts = (
        [valued, replace(empty, after=here)]
        if among_empty
        else [replace(valued, after=here), empty]
    )
    if backward:
        parts.reverse()
    # The other part lies behind whoever looks from the second one on.
    yield from parts[1:] if among_empty != backward else parts


def _fits(sort: str, value: Any, tie: str | int) -> bool:
    """Whether a value of this kind can stand in this order: the database is not asked to guess."""
    if sort not in SORTS or isinstance(tie, str) != (sort == "created"):
        return False
    if value is None:
        return sort in _OPTIONAL
    return isinstance(value, str) == (sort in _TEXTS)


def _not_ours() -> BadRequestError:
    return BadRequestError("cursor is not one that this server gave; start again without it")
