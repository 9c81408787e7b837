"""The feed of changes, in commit order: what a client has to hear to stay true.

On SQLite there is one writer, so a change's number is its place. On PostgreSQL numbers are drawn
before their transactions commit, and a reader that went by them would lose what commits late. There
the place is (transaction, number), and a page ends below the oldest transaction that still runs:
whatever commits from then on comes after it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, func, select, text, tuple_

from sonoteca_server.catalog.schema import changes, facts, of_the_library, sounds
from sonoteca_shared.errors import BadRequestError, SonotecaError
from sonoteca_shared.ids import new_id

# The transactions below which nothing can be written any more, and who counts them: a copy of the
# database in another cluster, or in another life of this one, counts anew.
_OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_COUNTER = """SELECT system_identifier || '/' || (SELECT oid FROM pg_database
    WHERE datname = current_database()) || '/' || timeline_id
    FROM pg_control_system(), pg_control_checkpoint()"""
_MAY_COUNT = """SELECT has_function_privilege('pg_control_system()', 'execute')
    AND has_function_privilege('pg_control_checkpoint()', 'execute')"""

_GONE = ("sound.trashed", "sound.purged")
# What both engines can compare a number with.
_Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class CursorExpiredError(SonotecaError):
    """The cursor belongs to another catalogue, or to a later state than this one has."""

    code = "cursor-expired"

    def __init__(self) -> None:
        super().__init__("this cursor is not of this library any more; start again without one")


class FeedCursor(msgspec.Struct, frozen=True, array_like=True):
    """How far a client has come. `upto` is set while it still reads its first snapshot.

    `seq` and `xid` are the place of a change; `upto` is the seq, or on PostgreSQL the xid, up to
    which the snapshot goes.
    """

    library: str
    seq: _Number
    upto: _Number | None = None
    xid: _Number = 0

    def text(self) -> str:
        """The opaque form that travels."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


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
        return msgspec.json.decode(data, type=FeedCursor)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise BadRequestError("since is not a cursor that this server gave") from error


def begin(connection: Connection) -> None:
    """Make sure that the feed has a name, and another one than any feed with other numbers."""
    counter = _counter(connection)
    ours = select(facts).where(facts.c.name.in_(("library", "counter")))
    known = {row.name: row.value for row in connection.execute(ours)}
    if "library" not in known:
        _set(connection, "library", _new_name())
        _set(connection, "counter", counter)
    elif known.get("counter", counter) != counter:
        renew(connection)


def renew(connection: Connection) -> None:
    """Begin the feed anew, as after a restore: every cursor that was given has expired."""
    _set(connection, "library", _new_name())
    _set(connection, "counter", _counter(connection))
    # Transaction numbers of another cluster may lie in our future.
    connection.execute(changes.update().where(changes.c.xid != 0).values(xid=0))


def name(connection: Connection) -> str:
    """The name of the library, which no other one has; a new one after a restore."""
    found: str = connection.execute(_LIBRARY).scalar_one()
    return found


def append(connection: Connection, kind: str, subject: str, rev: int, at: str) -> int:
    """Note a change; its number, by which a sound knows its latest."""
    values = {"type": kind, "subject": subject, "rev": rev, "at": at}
    key = connection.execute(changes.insert(), values).inserted_primary_key
    assert key is not None
    return int(key[0])


def append_many(
    connection: Connection, kind: str, subjects: Iterable[tuple[str, int]], at: str
) -> dict[str, int]:
    """Note the same change of many subjects, each with its revision; the number of each."""
    rows = [{"type": kind, "subject": subject, "rev": rev, "at": at} for subject, rev in subjects]
    if not rows:
        return {}
    noted = connection.execute(changes.insert().returning(changes.c.subject, changes.c.seq), rows)
    return {row.subject: row.seq for row in noted}


def read(connection: Connection, since: FeedCursor | None, limit: int) -> FeedPage:
    """The changes after the cursor; without one, each sound's latest state once."""
    library = name(connection)
    line = _line(connection)
    if since is None:
        since = FeedCursor(library, 0, line.end[0])
    snapshot = since.upto is not None
    upto = line.at(since.upto) if since.upto is not None else line.end
    if since.library != library or max(line.place(since), upto) > line.end:
        raise CursorExpiredError
    query = (
        select(changes, sounds.c.doc, sounds.c.trashed)
        .outerjoin(sounds, sounds.c.id == changes.c.subject)
        .where(line.key > tuple_(*line.place(since)), line.key <= tuple_(*upto))
        .order_by(*line.columns)
        .limit(limit + 1)
    )
    if snapshot:
        # A snapshot leaves out what a later change has overtaken; what changes meanwhile comes
        # after it, as a change like any other.
        query = query.where(changes.c.seq == sounds.c.changed, sounds.c.trashed.is_(None))
    rows = list(connection.execute(query))
    more, rows = len(rows) > limit, rows[:limit]
    docs = [_doc(row) for row in rows]
    if snapshot and not more:
        later = select(changes.c.seq).where(line.key > tuple_(*upto), line.key <= tuple_(*line.end))
        more = connection.execute(later.limit(1)).first() is not None
        return FeedPage(docs, line.cursor(library, upto), more)
    if not rows:
        return FeedPage(docs, since, more)
    last = line.cursor(library, (rows[-1].xid, rows[-1].seq)[-len(line.columns) :])
    return FeedPage(docs, msgspec.structs.replace(last, upto=since.upto), more)


# So many changes can be on their way at the same time. What jobs do changes no list of sounds.
_recent = (
    select(changes.c.seq).where(of_the_library).order_by(changes.c.seq.desc()).limit(100).subquery()
)
_ends = select(func.max(_recent.c.seq), func.sum(_recent.c.seq))


def place(connection: Connection) -> tuple[int, int]:
    """Where the feed ends, which is another place after each commit to the library.

    On PostgreSQL a change may be committed after one with a higher number: then the sum tells.
    """
    newest, together = connection.execute(_ends).one()
    return int(newest or 0), int(together or 0)


def now(connection: Connection) -> datetime:
    """The time by the database's clock, which all servers of one catalogue share."""
    if connection.dialect.name != "postgresql":
        return datetime.now(UTC)
    moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)


def latest(connection: Connection) -> str:
    """The moment of the latest change; empty where there was none."""
    newest = select(changes.c.at).order_by(changes.c.seq.desc()).limit(1)
    return connection.execute(newest).scalar() or ""


def timestamp(at: datetime) -> str:
    """A moment as the catalogue keeps it: UTC in whole seconds, sortable as text."""
    return at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def note_clock(connection: Connection, at: str) -> None:
    """Note it when the moment of a new sound lies two days or more before that of the latest."""
    latest = connection.execute(_LATEST).scalar()
    if latest is not None and _day(latest) - _day(at) > _A_DAY and not was_set_back(connection):
        _set(connection, _SET_BACK, at)


def _day(at: str) -> date:
    return date.fromisoformat(at[:10])


def was_set_back(connection: Connection) -> bool:
    """Whether sounds are not numbered in the order of their moments, as the clock was set back."""
    return connection.execute(_WAS_SET_BACK).first() is not None


_LIBRARY = select(facts.c.value).where(facts.c.name == "library")
_A_DAY = timedelta(days=1)
_SET_BACK = "clock-set-back"
_LATEST = select(sounds.c.created).order_by(sounds.c.seq.desc()).limit(1)
_WAS_SET_BACK = select(facts.c.value).where(facts.c.name == _SET_BACK)


@dataclass(frozen=True, slots=True)
class _Line:
    """The order of the feed on this engine, and the last place that can be told."""

    columns: tuple[ColumnElement[int], ...]
    end: tuple[int, ...]

    @property
    def key(self) -> ColumnElement[Any]:
        return tuple_(*self.columns)

    def at(self, number: int) -> tuple[int, ...]:
        """The place below which a snapshot ends: numbers of changes begin at 1."""
        return (number,) if len(self.columns) == 1 else (number, 0)

    def place(self, cursor: FeedCursor) -> tuple[int, ...]:
        return (cursor.xid, cursor.seq)[-len(self.columns) :]

    def cursor(self, library: str, place: tuple[int, ...]) -> FeedCursor:
        return FeedCursor(library, place[-1], None, place[0] if len(place) == 2 else 0)


def _line(connection: Connection) -> _Line:
    if connection.dialect.name == "postgresql":
        oldest = connection.execute(text(_OLDEST)).scalar_one()
        return _Line((changes.c.xid, changes.c.seq), (oldest, 0))
    newest = connection.execute(select(func.coalesce(func.max(changes.c.seq), 0))).scalar_one()
    return _Line((changes.c.seq,), (newest,))


def _new_name() -> str:
    return new_id().replace("-", "")


def _counter(connection: Connection) -> str:
    if connection.dialect.name != "postgresql":
        return ""
    allowed = connection.execute(text(_MAY_COUNT)).scalar_one()
    return str(connection.execute(text(_COUNTER)).scalar_one()) if allowed else ""


def _set(connection: Connection, name: str, value: str) -> None:
    connection.execute(facts.delete().where(facts.c.name == name))
    connection.execute(facts.insert().values(name=name, value=value))


def _doc(row: Row[*tuple[Any, ...]]) -> str:
    parts = (("type", row.type), ("id", row.subject), ("rev", row.rev), ("at", row.at))
    head = ",".join(f'"{name}":{msgspec.json.encode(value).decode()}' for name, value in parts)
    # Whoever hears late of an edit must not take what is in the trash by now for what is there.
    sound = None if row.type in _GONE or row.trashed is not None else row.doc
    return f'{{{head},"sound":{sound or "null"}}}'
