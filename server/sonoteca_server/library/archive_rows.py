"""What the catalogue knows of archives: functions on a connection, for `archives.py` and its job.

An archive of URLs is filled by a job, file by file: each is noted in the same transaction as the
job's own checkpoint, so that it is fetched once, whoever is killed. Then `finish` decides what
became of it. How one of our own sounds is filled is in `archive_sounds.py`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, func, select

from sonoteca_server.catalog import feed
from sonoteca_server.catalog.schema import archive_members as members
from sonoteca_server.catalog.schema import archives, jobs, objects
from sonoteca_server.library.objects import Kept, hold
from sonoteca_shared import routes
from sonoteca_shared.entry_names import entry_name, unique_entries
from sonoteca_shared.errors import ConflictError
from sonoteca_shared.models import ArchiveStatus, FileError, Progress

MANIFEST = "MANIFEST.json"
# Whether a member is to come, is there, or will not come.
PENDING, READY, FAILED = "pending", "ready", "failed"
_HASH = re.compile("[0-9a-f]{40}")
# An archive that nobody has finished in so long never will be.
_ABANDONED_S = 7 * 86_400.0

AT_ONCE = 2_000
"""So many members are written in one transaction: nobody else writes for the time that takes."""

ArchiveRow = Row[*tuple[Any, ...]]


class ArchiveState(StrEnum):
    """How far an archive is."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class OnError(StrEnum):
    """What becomes of an archive when one of its files cannot be had."""

    SKIP = "skip"
    FAIL = "fail"


class ArchiveEndedError(ConflictError):
    """The archive takes no more files: it was cancelled, or is finished, or has expired."""

    code = "archive-ended"

    def __init__(self) -> None:
        super().__init__("the archive was cancelled, is finished or has expired: it takes no files")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is noted of a new archive; it is kept for `keep_s` seconds once it is whole."""

    hash: str
    name: str
    on_error: OnError
    origin: str
    callback_url: str | None
    request_digest: str | None
    keep_s: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of our sounds that is to be in an archive: its object, and where it stands."""

    object: int
    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that is still to be fetched."""

    position: int
    url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to become of an archive; a `recipe` names the bytes of one that will be whole.

    `names` are those of the members, by their places, that did not get theirs.
    """

    recipe: str | None
    size: int = 0
    names: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of an archive, and who wants to hear of it."""

    hash: str
    state: ArchiveState
    origin: str
    callback_url: str | None


def new_hash() -> str:
    """A name for an archive that nobody guesses: 160 random bits."""
    return secrets.token_hex(20)


def add(connection: Connection, draft: Draft, within_s: float = _ABANDONED_S) -> int:
    """Note a new archive, which is to be finished within so many seconds; its row."""
    now = feed.now(connection)
    values = {
        "hash": draft.hash,
        "name": draft.name,
        "state": ArchiveState.IN_PROGRESS,
        "on_error": draft.on_error,
        "origin": draft.origin,
        "callback_url": draft.callback_url,
        "request_digest": draft.request_digest,
        "keep_s": draft.keep_s,
        "created": feed.timestamp(now),
        "expires": now.timestamp() + within_s,
    }
    made = connection.execute(archives.insert().values(values))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def add_urls(connection: Connection, archive: int, urls: Sequence[str], job: str) -> None:
    """Note the files that a job is to fetch."""
    connection.execute(archives.update().where(archives.c.seq == archive).values(job=job))
    rows = [
        {"archive": archive, "position": position, "state": PENDING, "url": url}
        for position, url in enumerate(urls)
    ]
    connection.execute(members.insert(), rows)


def pending(connection: Connection, archive_hash: str) -> list[Pending]:
    """What is still to be fetched, in the order it was asked for."""
    row = _running(connection, archive_hash)
    query = select(members.c.position, members.c.url).where(
        members.c.archive == row.seq, members.c.state == PENDING
    )
    found = connection.execute(query.order_by(members.c.position))
    return [Pending(each.position, each.url) for each in found]


def note_fetched(
    connection: Connection, archive_hash: str, position: int, *, name: str, kept: Kept
) -> str | None:
    """A file is there, kept by `keep_hidden`; the blob that no row names since, to be discarded.

    ArchiveEndedError when nobody wants it any more: then the kept blob is to be discarded.
    """
    row = _running(connection, archive_hash)
    held = hold(connection, kept, feed.timestamp(feed.now(connection)))
    values = {"state": READY, "object": held.seq, "name": entry_name("", name)}
    _settle(connection, row, position, values)
    return held.unused


def note_failed(
    connection: Connection, archive_hash: str, position: int, code: str, detail: str
) -> None:
    """A file will not come; the reason is told in the status, and in the archive."""
    row = _running(connection, archive_hash)
    _settle(connection, row, position, {"state": FAILED, "code": code, "detail": _storable(detail)})


def note_progress(
    connection: Connection, archive_hash: str, bytes_done: int, bytes_total: int | None
) -> None:
    """How many bytes are there, and of how many if that is known."""
    row = _running(connection, archive_hash)
    values = {"bytes_done": bytes_done, "bytes_total": bytes_total}
    connection.execute(archives.update().where(archives.c.seq == row.seq).values(values))


def judge(connection: Connection, archive_hash: str) -> Outcome:
    """What is to become of an archive of which no file is pending; writes nothing."""
    row = _running(connection, archive_hash)
    query = _ready(row.seq, members.c.position, objects.c.oid)
    names, oids, positions, size = [], [], [], 0
    # Rows that all stay would keep the garbage collector busy, and everything else waiting.
    for each in connection.execute(query.execution_options(yield_per=1_000)):
        names.append(each.name)
        oids.append(each.oid)
        positions.append(each.position)
        size += each.size
    failed = failures(connection, row.seq)
    if not names or (failed and row.on_error == OnError.FAIL):
        return Outcome(None)
    entries = list(unique_entries(names, [MANIFEST] if failed else ()))
    recipe = hashlib.sha256(manifest(failed) if failed else b"")
    for entry, oid in zip(entries, oids, strict=True):
        recipe.update(f"{entry}\0{oid}\n".encode())
    others = [
        {"place": position, "other": entry}
        for position, name, entry in zip(positions, names, entries, strict=True)
        if name != entry
    ]
    return Outcome(recipe.hexdigest(), size, others)


def finish(connection: Connection, archive_hash: str, outcome: Outcome | None = None) -> Finished:
    """Close an archive, once no file is pending: completed, or failed when it has to be."""
    row = _running(connection, archive_hash)
    outcome = outcome or judge(connection, archive_hash)
    if outcome.recipe is None:
        return fail(connection, row)
    _rename(connection, row.seq, outcome.names)
    values = {
        "state": ArchiveState.COMPLETED,
        "recipe": outcome.recipe,
        "bytes_done": outcome.size,
        "bytes_total": outcome.size,
        "expires": feed.now(connection).timestamp() + row.keep_s,
    }
    connection.execute(archives.update().where(archives.c.seq == row.seq).values(values))
    return Finished(row.hash, ArchiveState.COMPLETED, row.origin, row.callback_url)


def cancel(connection: Connection, row: ArchiveRow) -> Finished:
    """End an archive that nobody wants any more, whether it is whole or not.

    Of more members than `AT_ONCE` the others are still to be let go, with `release`.
    """
    return _end(connection, row, ArchiveState.CANCELLED)


def fail(connection: Connection, row: ArchiveRow) -> Finished:
    """End an archive that nobody can fill."""
    return _end(connection, row, ArchiveState.FAILED)


def release(connection: Connection, archive: int, start: int) -> bool:
    """Let go of what some members hold, from this place on; whether there were any."""
    some = members.c.position.between(start, start + AT_ONCE - 1)
    mine = members.update().where(members.c.archive == archive, some)
    return connection.execute(mine.values(object=None)).rowcount > 0


def find(connection: Connection, archive_hash: str) -> ArchiveRow | None:
    """An archive by its hash, with the state of its job, unless it has expired."""
    query = select(archives, jobs.c.state.label("job_state"))
    query = query.outerjoin(jobs, jobs.c.id == archives.c.job)
    # What cannot be a hash need not be asked for, and might not be text to a database.
    known = _HASH.fullmatch(archive_hash)
    row = (
        connection.execute(query.where(archives.c.hash == archive_hash)).first() if known else None
    )
    if row is None or row.expires <= feed.now(connection).timestamp():
        return None
    return row


def state_of(row: ArchiveRow) -> ArchiveState:
    """How far an archive is; nobody finishes it any more when its job has ended before it."""
    state = ArchiveState(row.state)
    if state is not ArchiveState.IN_PROGRESS or row.job is None:
        return state
    ended = {"cancelled": ArchiveState.CANCELLED, "failed": ArchiveState.FAILED}
    return ended.get(row.job_state or "failed", state)


def find_by_key(connection: Connection, key_digest: str) -> ArchiveRow | None:
    """The archive that was asked for with this key, unless it has expired."""
    row = connection.execute(select(archives).where(archives.c.key_digest == key_digest)).first()
    return row if row is not None and row.expires > feed.now(connection).timestamp() else None


def give_key(connection: Connection, archive: int, key_digest: str) -> None:
    """Let an archive be found by this key; one that has expired leaves it."""
    expired = archives.update().where(archives.c.key_digest == key_digest)
    connection.execute(expired.values(key_digest=None))
    one = archives.update().where(archives.c.seq == archive)
    connection.execute(one.values(key_digest=key_digest))


def failures(connection: Connection, archive: int) -> list[FileError]:
    """The files that did not come, in the order they were asked for."""
    query = select(members.c.url, members.c.code, members.c.detail).where(
        members.c.archive == archive, members.c.state == FAILED
    )
    found = connection.execute(query.order_by(members.c.position))
    return [FileError(url=each.url, code=each.code, detail=each.detail) for each in found]


def counts(connection: Connection, archive: int) -> tuple[int, int]:
    """How many files are settled, one way or the other, and how many were asked for."""
    mine = select(func.count()).where(members.c.archive == archive)
    waiting = connection.execute(mine.where(members.c.state == PENDING)).scalar_one()
    total = connection.execute(mine).scalar_one()
    return total - waiting, total


def entries(connection: Connection, archive: int) -> Iterator[ArchiveRow]:
    """What a whole archive is made of, in its order: name, size, CRC-32 and blob of each."""
    query = _ready(archive, objects.c.crc32, objects.c.blob)
    yield from connection.execute(query.execution_options(yield_per=1_000))


def status(connection: Connection, row: ArchiveRow, origin: str) -> ArchiveStatus:
    """What is said of an archive to whoever found us under this address."""
    done, total = counts(connection, row.seq)
    path = routes.fill(routes.ARCHIVE_FILE, hash=row.hash)
    return ArchiveStatus(
        status=state_of(row),
        url=origin + path if row.state == ArchiveState.COMPLETED else None,
        errors=tuple(failures(connection, row.seq)),
        progress=Progress(
            files_done=done,
            files_total=total,
            bytes_done=row.bytes_done,
            bytes_total=row.bytes_total,
        ),
        expires=datetime.fromtimestamp(int(row.expires), UTC),
    )


def manifest(failed: Iterable[FileError]) -> bytes:
    """What an archive says of the files that are not in it."""
    document = msgspec.json.encode({"missing": list(failed)})
    return msgspec.json.format(document) + b"\n"


def expire(connection: Connection, most: int) -> bool:
    """Forget archives whose time is over, up to so many of their files; whether more are left."""
    over = archives.c.expires <= feed.now(connection).timestamp()
    query = select(archives.c.seq).where(over).order_by(archives.c.expires).limit(most)
    for seq in connection.execute(query).scalars().all():
        some = select(members.c.position).where(members.c.archive == seq).limit(most)
        mine = members.c.archive == seq, members.c.position.in_(some)
        most -= connection.execute(members.delete().where(*mine)).rowcount
        if most <= 0:
            return True
        connection.execute(archives.delete().where(archives.c.seq == seq))
    return False


def _running(connection: Connection, archive_hash: str) -> ArchiveRow:
    row = find(connection, archive_hash)
    if row is None or row.state != ArchiveState.IN_PROGRESS:
        raise ArchiveEndedError
    return row


def _settle(connection: Connection, row: ArchiveRow, position: int, values: dict[str, Any]) -> None:
    one = (members.c.archive == row.seq) & (members.c.position == position)
    connection.execute(members.update().where(one).values(values))


def _storable(text: str) -> str:
    """The text as both engines take it: PostgreSQL has none with NUL in it."""
    return text.replace("\0", "")


def _ready(archive: int, *columns: Any) -> Select[Any]:
    """The members that are there, in their order."""
    query = select(members.c.name, objects.c.size, *columns).join(objects)
    ready = query.where(members.c.archive == archive, members.c.state == READY)
    return ready.order_by(members.c.position)


def _rename(connection: Connection, archive: int, names: Sequence[dict[str, Any]]) -> None:
    """Give those members another name that did not get theirs."""
    one = (members.c.archive == archive) & (members.c.position == bindparam("place"))
    if names:
        connection.execute(members.update().where(one).values(name=bindparam("other")), names)


def _end(connection: Connection, row: ArchiveRow, state: ArchiveState) -> Finished:
    """End an archive of which there will be no zip: what it held is not held any more."""
    release(connection, row.seq, 0)
    expires = feed.now(connection).timestamp() + row.keep_s
    values = {"state": state, "expires": expires}
    connection.execute(archives.update().where(archives.c.seq == row.seq).values(values))
    return Finished(row.hash, state, row.origin, row.callback_url)
