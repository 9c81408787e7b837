"""What nobody refers to: noted with its moment, so that upkeep can drop it when time has passed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, or_, select

from sonoteca_server.catalog.conversions import derivatives
from sonoteca_server.catalog.schema import archive_members, objects, revisions, sounds, unused

# Of blobs that no row names, and rows that nobody uses: what the notes are called.
UNUSED_BLOB = "unused-blob "
UNUSED_OBJECT = "unused-object "


def is_used(connection: Connection, seq: int) -> bool:
    """Whether a sound uses this object, or one of its earlier revisions, or an archive."""
    by_sound = exists().where(sounds.c.object == seq)
    by_revision = exists().where(revisions.c.object == seq)
    by_archive = exists().where(archive_members.c.object == seq)
    return bool(connection.execute(select(or_(by_sound, by_revision, by_archive))).scalar_one())


def in_archives() -> Select[Any]:
    """The objects that archives hold: an archive stays what it was until it expires."""
    # A NULL among them would make every “not in” of SQL unknown.
    return select(archive_members.c.object).where(archive_members.c.object.is_not(None))


def note_unused(connection: Connection, names: Iterable[str], at: float) -> None:
    """Note since when nothing refers to these; what is noted already keeps its moment."""
    wanted = set(names)
    query = select(unused.c.name).where(unused.c.name.in_(wanted))
    known = set(connection.execute(query).scalars())
    rows = [{"name": name, "since": at} for name in sorted(wanted - known)]
    if rows:
        connection.execute(unused.insert(), rows)


def drop_object(connection: Connection, row: Row[*tuple[Any, ...]], at: float) -> None:
    """Drop the row of an object that nobody uses; its blobs are unused from this moment on."""
    made = derivatives.delete().where(derivatives.c.object == row.seq)
    derived = connection.execute(made.returning(derivatives.c.blob)).scalars().all()
    connection.execute(objects.delete().where(objects.c.seq == row.seq))
    left = [f"{UNUSED_BLOB}{key}" for key in (row.blob, row.peaks_blob, *derived) if key]
    note_unused(connection, left, at)
