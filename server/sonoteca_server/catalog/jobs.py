"""The rows of jobs: functions on a connection, by which processes agree on who runs what.

A job that runs is under a lease: it belongs to the owner whose name is in its row until the lease
ends, by the clock of the database, or somebody else writes another state. Whatever the owner
writes to the row or beside it proves first that the job is still its own. An owner's name is new
with each claim, so that a process which has slept does not take a second try for its own first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Update, func, select, text, update

from sonoteca_server.catalog import feed
from sonoteca_server.catalog.constructs import clock
from sonoteca_server.catalog.schema import changes, jobs, of_jobs
from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.ids import new_id

READY, RUNNING, DONE, FAILED, CANCELLED = STATES = (
    "ready",
    "running",
    "done",
    "failed",
    "cancelled",
)

# A job whose process ended this often, without getting any further, may be what ends it.
_MAX_LOSSES = 20
# After the second loss in a row the next try waits, so that other jobs come first.
_AT_ONCE = 2
_PAUSE_S = 10.0
_LONGEST_S = 300.0

JobRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this process runs from now on, under the name of `owner`."""

    owner: str
    id: str
    kind: str
    args: dict[str, Any]
    checkpoint: dict[str, Any]
    attempt: int


def submit_now(
    connection: Connection,
    kind: str,
    args: Any,
    *,
    job_id: str | None = None,
    key: str | None = None,
    subject: str | None = None,
    priority: int = 0,
    delay_s: float = 0,
    quiet: bool = False,
) -> str:
    """Put a job into the caller's own transaction; its id, or that of the one with this key.

    Wake the worker after the commit: it finds the job within a second anyway. The feed does not
    tell of a `quiet` one.
    """
    if key is not None:
        same = select(jobs.c.id).where(jobs.c.kind == kind, jobs.c.key == key)
        known: str | None = connection.execute(same).scalar()
        if known is not None:
            return known
    made, at = job_id or new_id(), feed.timestamp(feed.now(connection))
    values = {
        "id": made,
        "kind": kind,
        "key": key,
        "subject": subject,
        "args": _json(args),
        "rank": -priority,
        "due": clock() + delay_s,
        "quiet": int(quiet),
        "created": at,
    }
    connection.execute(jobs.insert().values(values))
    if not quiet:
        feed.append(connection, "job.changed", made, 1, at)
    return made


def has_work(connection: Connection, kinds: list[str]) -> bool:
    """Whether a job of these kinds is due, or the lease of any has ended."""
    waiting = select(jobs.c.seq).where(
        jobs.c.state == READY, jobs.c.kind.in_(kinds), jobs.c.due <= clock()
    )
    lost = select(jobs.c.seq).where(jobs.c.state == RUNNING, jobs.c.due <= clock())
    return any(connection.execute(query.limit(1)).first() for query in (waiting, lost))


def claim(
    connection: Connection, owner: str, room: Mapping[str, int], lease_s: float
) -> list[Claim]:
    """Take up to so many jobs of each kind, the most urgent first; each under a lease."""
    if connection.dialect.name == "postgresql":
        # Who came first is skipped, not waited for; in a snapshot they would be conflicts.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
    _take_back(connection)
    taken: list[JobRow] = []
    for kind, count in room.items():
        waiting = jobs.c.state == READY, jobs.c.kind == kind, jobs.c.due <= clock()
        first = select(jobs.c.seq).where(*waiting).order_by(jobs.c.rank, jobs.c.due)
        locked = first.limit(count).with_for_update(skip_locked=True).cte("first")
        # PostgreSQL may run a LIMIT within another statement twice, and lock too many.
        locked = locked.prefix_with("MATERIALIZED", dialect="postgresql")
        values = {
            "state": RUNNING,
            "owner": owner,
            "tries": jobs.c.tries + 1,
            "due": clock() + lease_s,
        }
        mine = update(jobs).where(jobs.c.seq.in_(select(locked.c.seq))).values(values)
        taken += _announced(connection, mine)
    return [
        Claim(
            owner=owner,
            id=row.id,
            kind=row.kind,
            args=msgspec.json.decode(row.args),
            checkpoint=msgspec.json.decode(row.checkpoint or "{}"),
            attempt=row.tries,
        )
        for row in taken
    ]


def hold(
    connection: Connection,
    owner: str,
    job_id: str,
    values: Mapping[str, Any],
    *,
    tell: bool = True,
) -> bool:
    """Write to a job of ours, told in the feed if wished; False when it is not ours any more."""
    mine = _owned([owner]).where(jobs.c.id == job_id).values(values)
    if tell:
        return bool(_announced(connection, mine))
    return bool(connection.execute(mine).rowcount)


def renew(
    connection: Connection, owners: Collection[str], lease_s: float, tell: Collection[str] = ()
) -> set[tuple[str, str]]:
    """Renew the leases of these owners; owner and id of each job that is still theirs.

    The feed tells of those with the ids of `tell`.
    """
    if tell:
        _announced(connection, _owned(owners).where(jobs.c.id.in_(tell)).values(due=jobs.c.due))
    mine = _owned(owners).values(due=clock() + lease_s).returning(jobs.c.owner, jobs.c.id)
    return {(row.owner, row.id) for row in connection.execute(mine)}


def hand_back(connection: Connection, owners: Collection[str]) -> None:
    """Whatever these owners run is for others from now on, as if it had not been begun."""
    _announced(connection, _owned(owners).values(_as_if_never_begun()))


def free(connection: Connection, place: str) -> None:
    """What the process before us in a place ran, which only one can have: it has ended.

    On PostgreSQL there may be others of its kind, on other machines; there their leases end.
    """
    if connection.dialect.name == "postgresql":
        return
    _lose(connection, jobs.c.owner.startswith(f"{place}/"))


def cancel(connection: Connection, job_id: str) -> None:
    """A job that has not ended yet is cancelled; who runs it hears of it when it next writes."""
    row = find(connection, job_id)
    if row.state in (READY, RUNNING):
        one = update(jobs).where(jobs.c.seq == row.seq)
        _announced(connection, one.values(state=CANCELLED, owner=None, due=clock()))


def drop_ended(connection: Connection, older_s: float, most: int) -> int:
    """Drop jobs that ended so long ago, up to so many, and what the feed told; how many jobs."""
    old = select(jobs.c.seq).where(
        jobs.c.state.in_((DONE, FAILED, CANCELLED)), jobs.c.due <= clock() - older_s
    )
    dropped = connection.execute(jobs.delete().where(jobs.c.seq.in_(old.limit(most)))).rowcount
    before = feed.timestamp(feed.now(connection) - timedelta(seconds=older_s))
    # The last number stays: cursors behind the end would have expired.
    newest = select(func.max(changes.c.seq)).scalar_subquery()
    told = of_jobs, changes.c.at < before, changes.c.seq < newest
    connection.execute(changes.delete().where(*told))
    return dropped


def state_of(connection: Connection, job_id: str) -> str:
    """The state of a job; NotFoundError when there is none with this id."""
    return str(find(connection, job_id).state)


def find(connection: Connection, job_id: str) -> JobRow:
    """The row of a job; NotFoundError when there is none with this id."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).first()
    if row is None:
        raise NotFoundError("there is no job with this id")
    return row


def _take_back(connection: Connection) -> None:
    """Whatever has outlived its lease is ready again: its process has ended, or hangs."""
    _lose(connection, jobs.c.due <= clock())


def _lose(connection: Connection, theirs: ColumnElement[bool]) -> None:
    """What ran there is ready again: at once, later and later, or not at all any more."""
    lost = select(jobs).where(jobs.c.state == RUNNING, theirs)
    for row in connection.execute(lost.with_for_update(skip_locked=True)).all():
        losses = row.losses + 1
        values = _as_if_never_begun() | {"losses": losses}
        if losses >= _MAX_LOSSES:
            detail = f"the process that ran this job ended {losses} times, and the job got nowhere"
            values |= {"state": FAILED, "error": _json({"code": "lost", "detail": detail})}
        elif losses > _AT_ONCE:
            values["due"] = clock() + min(_LONGEST_S, _PAUSE_S * 2 ** (losses - _AT_ONCE - 1))
        _announced(connection, update(jobs).where(jobs.c.seq == row.seq).values(values))


def _owned(owners: Collection[str]) -> Update:
    return update(jobs).where(jobs.c.owner.in_(owners), jobs.c.state == RUNNING)


def _as_if_never_begun() -> dict[str, Any]:
    tries: ColumnElement[int] = jobs.c.tries - 1
    return {"state": READY, "owner": None, "due": clock(), "tries": tries}


def _announced(connection: Connection, change: Update) -> list[JobRow]:
    """Carry out a change of jobs and tell it in the feed; the rows as they are then."""
    rows = list(connection.execute(change.values(rev=jobs.c.rev + 1).returning(jobs)))
    loud = [(row.id, row.rev) for row in rows if not row.quiet]
    if loud:
        at = feed.timestamp(feed.now(connection))
        feed.append_many(connection, "job.changed", loud, at)
    return rows


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
