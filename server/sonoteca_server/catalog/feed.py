"""The feed of changes, in commit order: what a client has to hear to stay true."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from sqlalchemy import Connection, func, select

from sonoteca_server.catalog.schema import changes, facts, sounds
from sonoteca_shared.errors import BadRequestError, SonotecaError

# What SQLite can compare a number with.
_Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class CursorExpiredError(SonotecaError):
    """The cursor belongs to another catalogue, or to a later state than this one has."""

    code = "cursor-expired"

    def __init__(self) -> None:
        super().__init__("this cursor is not of this library any more; start again without one")


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """How far a client has come. `upto` is set while it still reads its first snapshot."""

    library: str
    seq: int
    upto: int | None = None

    def text(self) -> str:
        """The opaque form that travels."""
        data = msgspec.json.encode([self.library, self.seq, self.upto])
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Change documents as they are sent, the cursor behind them, and whether more are there."""

    docs: list[str]
    cursor: FeedCursor
    more: bool


def parse_cursor(text: str) -> FeedCursor:
    """A feed cursor from its opaque form."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        library, seq, upto = msgspec.json.decode(data, type=tuple[str, _Number, _Number | None])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadRequestError("since is not a cursor that this server gave") from error
    return FeedCursor(library, seq, upto)


def append(connection: Connection, kind: str, subject: str, rev: int, at: str) -> int:
    """Note a change; its number, which is its place in the feed."""
    values = {"type": kind, "subject": subject, "rev": rev, "at": at}
    key = connection.execute(changes.insert().values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def read(connection: Connection, since: FeedCursor | None, limit: int) -> FeedPage:
    """The changes after the cursor; without one, each sound's latest state once."""
    library = connection.execute(
        select(facts.c.value).where(facts.c.name == "library")
    ).scalar_one()
    newest = connection.execute(select(func.coalesce(func.max(changes.c.seq), 0))).scalar_one()
    if since is None:
        since = FeedCursor(library, 0, newest)
    if since.library != library or since.seq > newest:
        raise CursorExpiredError
    query = (
        select(changes, sounds.c.doc)
        .outerjoin(sounds, sounds.c.id == changes.c.subject)
        .where(changes.c.seq > since.seq)
        .order_by(changes.c.seq)
        .limit(limit + 1)
    )
    if since.upto is not None:
        # A snapshot leaves out what a later change has overtaken; what changes meanwhile comes
        # after it, as a change like any other.
        query = query.where(changes.c.seq == sounds.c.changed, changes.c.seq <= since.upto)
    rows = list(connection.execute(query))
    more, rows = len(rows) > limit, rows[:limit]
    if more:
        cursor = FeedCursor(library, rows[-1].seq, since.upto)
    else:
        # Nothing is left before `newest`: a write that commits from now on has a greater number.
        cursor = FeedCursor(library, since.upto if since.upto is not None else newest)
    docs = [_doc(row.type, row.subject, row.rev, row.at, row.doc) for row in rows]
    return FeedPage(docs, cursor, more or (since.upto is not None and newest > since.upto))


def timestamp(at: datetime) -> str:
    """A moment as the catalogue keeps it: UTC in whole seconds, sortable as text."""
    return at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _doc(kind: str, subject: str, rev: int, at: str, sound: str | None) -> str:
    parts = (("type", kind), ("id", subject), ("rev", rev), ("at", at))
    head = ",".join(f'"{name}":{msgspec.json.encode(value).decode()}' for name, value in parts)
    gone = kind in ("sound.trashed", "sound.purged") or sound is None
    return f'{{{head},"sound":{"null" if gone else sound}}}'
