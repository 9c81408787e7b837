"""Which sounds match, and in which order: filters as SQL, keyset pages instead of offsets."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from sonoteca_server.catalog.schema import repositories, sounds
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.query import words_of

COUNT_LIMIT = 10_000
# More words than this, or longer ones, say nothing more; SQLite has limits of its own.
_MAX_WORDS = 50
_MAX_WORD = 1_000
_MAX_PATTERN = 1_000
_FORGED = "cursor is not one that this server gave; start again without it"
_Number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]

# What a sort may be called → the column that orders it.
SORTS: dict[str, ColumnElement[Any]] = {
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
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFilter:
    """What a sound must be like; None asks nothing. Durations in seconds, sizes in bytes."""

    name: str | None = None
    folder: str | None = None
    repository: str | None = None
    minduration: float | None = None
    maxduration: float | None = None
    minsize: int | None = None
    maxsize: int | None = None
    samplerate: int | None = None
    channels: int | None = None
    bitdepth: int | None = None
    format: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A sort by its name and direction; sounds that are equal in it come by id."""

    sort: str = "created"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place between two rows where a page begins; `backward` reads towards the start."""

    order: Order
    value: Any
    id: str
    backward: bool = False

    def text(self) -> str:
        """The opaque form that travels."""
        parts = [self.order.sort, self.order.descending, self.value, self.id, self.backward]
        return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Found:
    """A page: the documents of its sounds as they are sent, and where its neighbours begin."""

    docs: list[str]
    names: list[str]
    next: Cursor | None
    previous: Cursor | None


def parse_cursor(text: str) -> Cursor:
    """A cursor from its opaque form."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        sort, descending, value, sound_id, backward = msgspec.json.decode(
            data, type=tuple[str, bool, str | _Number | float, str, bool]
        )
        fits = isinstance(value, str) is (SORTS[sort].type.python_type is str)
    except (binascii.Error, ValueError, KeyError, msgspec.DecodeError) as error:
        raise BadRequestError(_FORGED) from error
    if not fits or "\0" in f"{value}{sound_id}":
        raise BadRequestError(_FORGED)
    return Cursor(Order(sort, descending), value, sound_id, backward)


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
    column = SORTS[order.sort]
    query = _where(select(sounds.c.doc, sounds.c.name, sounds.c.id, column.label("value")), wanted)
    down = order.descending != backward
    if cursor is not None:
        place, start = tuple_(column, sounds.c.id), tuple_(cursor.value, cursor.id)
        query = query.where(place < start if down else place > start)
    ends = (column.desc(), sounds.c.id.desc()) if down else (column, sounds.c.id)
    rows = list(connection.execute(query.order_by(*ends).limit(size + 1)))
    more, rows = len(rows) > size, rows[:size]
    if backward:
        rows.reverse()
    if not rows:
        return Found([], [], None, None)
    first = Cursor(order, rows[0].value, rows[0].id, backward=True)
    last = Cursor(order, rows[-1].value, rows[-1].id)
    return Found(
        docs=[row.doc for row in rows],
        names=[row.name for row in rows],
        next=last if more or backward else None,
        previous=first if (more if backward else cursor is not None) else None,
    )


def count(connection: Connection, wanted: SoundFilter) -> tuple[int, bool]:
    """How many sounds match, and whether there are more than were counted."""
    capped = _where(select(sounds.c.seq), wanted).limit(COUNT_LIMIT + 1).subquery()
    number = connection.execute(select(func.count()).select_from(capped)).scalar_one()
    return min(number, COUNT_LIMIT), number > COUNT_LIMIT


def _where(query: Select[Any], wanted: SoundFilter) -> Select[Any]:
    return query.where(*_conditions(wanted))


def _conditions(wanted: SoundFilter) -> Iterator[ColumnElement[bool]]:
    yield sounds.c.trashed.is_(None)
    yield from _places(wanted)
    for column, least, most in (
        (sounds.c.duration, wanted.minduration, wanted.maxduration),
        (sounds.c.size, wanted.minsize, wanted.maxsize),
        (sounds.c.created, wanted.created_after, wanted.created_before),
    ):
        if least is not None:
            yield column >= least
        if most is not None:
            yield column <= most
    for name in ("samplerate", "channels", "bitdepth", "format"):
        if (value := getattr(wanted, name)) is not None:
            yield sounds.c[name] == value
    for word in words_of(wanted.q or "")[:_MAX_WORDS]:
        yield sounds.c.words.contains(f" {word[:_MAX_WORD]}", autoescape=True)


def _places(wanted: SoundFilter) -> Iterator[ColumnElement[bool]]:
    name, folder = sounds.c.name, sounds.c.folder
    if wanted.name is not None:
        yield Named(name, wanted.name) if "*" in wanted.name else name == wanted.name
    if wanted.folder is not None:
        # "0" follows "/": all that begins with the folder and a slash, told apart by case.
        below = and_(folder > f"{wanted.folder}/", folder < f"{wanted.folder}0")
        yield or_(folder == wanted.folder, below)
    if wanted.repository is not None:
        named = select(repositories.c.seq).where(repositories.c.name == wanted.repository)
        yield sounds.c.repository == named.scalar_subquery()


class Named(ColumnElement[bool]):
    """A text that is as a pattern says, in which `*` stands for anything; case matters."""

    type = Boolean()
    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - SQLAlchemy's own declaration of it
        ("subject", InternalTraversal.dp_clauseelement),
        ("glob_pattern", InternalTraversal.dp_clauseelement),
        ("like_pattern", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, subject: ColumnElement[str], pattern: str) -> None:
        # What is cut off could not have matched either: no name is half as long as what stays.
        short = re.sub(r"\*+", "*", pattern)[:_MAX_PATTERN]
        self.subject = subject
        self.glob_pattern = literal("".join(f"[{c}]" if c in "[?" else c for c in short))
        escaped = "".join(f"\\{c}" if c in "%_\\" else c for c in short)
        self.like_pattern = literal(escaped.replace("*", "%"))


@compiles(Named, "sqlite")
def _named_in_sqlite(element: Named, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.subject, **options)
    return f"{text} GLOB {compiler.process(element.glob_pattern, **options)}"


@compiles(Named, "postgresql")
def _named_in_postgresql(element: Named, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.subject, **options)
    return f"{text} LIKE {compiler.process(element.like_pattern, **options)}"
