"""What the catalogue knows of uploads: functions on a connection, for `uploads.py`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Row, func, select

from sonoteca_server.catalog import feed
from sonoteca_server.catalog.schema import uploads
from sonoteca_shared.tus import Creation, Upload

OPEN, DONE, REFUSED, EXPIRED = "open", "done", "refused", "expired"


@dataclass(frozen=True, slots=True)
class Record:
    """An upload: how far it has come, what it was asked to become, and what became of it."""

    key: str
    upload: Upload
    metadata: str
    concat: str
    state: str
    outcome: str | None
    expires: float

    @property
    def sound(self) -> str | None:
        """The sound that it became."""
        return self.outcome if self.state == DONE else None


def add(connection: Connection, key: str, creation: Creation, expires: float) -> Record:
    """Note a new upload."""
    values = {
        "id": key,
        "length": creation.length,
        "metadata": creation.metadata,
        "concat": creation.concat,
        "created": feed.timestamp(feed.now(connection)),
        "expires": expires,
    }
    connection.execute(uploads.insert().values(values))
    upload = Upload(creation.length)
    return Record(key, upload, creation.metadata, creation.concat, OPEN, None, expires)


def find(connection: Connection, key: str) -> Record | None:
    """An upload by its key."""
    row = connection.execute(select(uploads).where(uploads.c.id == key)).first()
    return None if row is None else _record(row)


def advance(connection: Connection, key: str, upload: Upload, expires: float) -> None:
    """Note that so many bytes are certain."""
    values = {"durable": upload.offset, "length": upload.length, "expires": expires}
    change = uploads.update().where(uploads.c.id == key, uploads.c.state == OPEN)
    connection.execute(change.values(values))


def end(connection: Connection, key: str, state: str, outcome: str | None, until: float) -> None:
    """Note what became of it; told until then."""
    values = {"state": state, "outcome": outcome, "expires": until}
    connection.execute(uploads.update().where(uploads.c.id == key).values(values))


def expire_parts(connection: Connection, keys: Iterable[str], until: float) -> None:
    """What a final upload was made of is not needed for much longer."""
    parts = uploads.c.id.in_(list(keys)) & (uploads.c.expires > until)
    connection.execute(uploads.update().where(parts).values(expires=until))


def remove(connection: Connection, key: str) -> None:
    """Forget an upload."""
    connection.execute(uploads.delete().where(uploads.c.id == key))


def awaited(connection: Connection) -> int:
    """How many bytes the open uploads are still to bring."""
    missing = select(func.sum(uploads.c.length - uploads.c.durable))
    return int(connection.execute(missing.where(uploads.c.state == OPEN)).scalar() or 0)


def list_open(connection: Connection) -> set[str]:
    """The uploads that have a part."""
    query = select(uploads.c.id).where(uploads.c.state == OPEN)
    return set(connection.execute(query).scalars())


def expire(connection: Connection, now: float, until: float) -> None:
    """Forget what is over and was told for long enough; end what was quiet for too long."""
    due = uploads.c.expires <= now
    connection.execute(uploads.delete().where(due, uploads.c.state != OPEN))
    ended = {"state": EXPIRED, "expires": until}
    connection.execute(uploads.update().where(due).values(ended))


def _record(row: Row[tuple[object, ...]]) -> Record:
    return Record(
        row.id,
        Upload(row.length, row.durable),
        row.metadata,
        row.concat,
        row.state,
        row.outcome,
        row.expires,
    )
