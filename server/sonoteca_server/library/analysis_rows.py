"""What is to be computed of objects, who does it, and what came of it: functions on a connection.

The rows of objects are themselves the queue. An object is somebody's for the time of a lease, by
the clock of the database; when nobody renews it, another takes over. What was computed is written
only by whoever holds the lease, together with the change in the feed: once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, or_, select, text

from sonoteca_server.catalog import feed
from sonoteca_server.catalog.schema import ANALYSE_AGAIN, ANALYSE_NEW, objects, sounds
from sonoteca_server.library.sounds import columns_of
from sonoteca_shared import routes
from sonoteca_shared.models import Finding, Links, Loudness, Sound

LEASE_S = 10.0
# Of what `/data` put and no sound uses: nobody asked how it looks.
NO_PEAKS = "none"
UNWANTED = {"peaks_state": NO_PEAKS, "analysis": None}
_TRIES = 2
_COMPUTED = ("doc", "loudness", "peak", "finding_count")


class LostError(Exception):
    """Somebody else computes this now, for we were silent too long; nothing was written."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that is ours to analyse; without `peaks` only its loudness is to be measured."""

    seq: int
    blob: str
    size: int
    peaks: bool


def is_any(connection: Connection, given_up: Collection[int]) -> bool:
    """Whether there is anything to do, for us or for another."""
    query = select(objects.c.seq).where(_waiting(given_up)).limit(1)
    return connection.execute(query).first() is not None


def claim(connection: Connection, owner: str, given_up: Collection[int]) -> Wanted | None:
    """The object whose turn it is, ours from now on; the newest first, for people look at it."""
    if connection.dialect.name == "postgresql":
        # What another one has just taken is skipped; in a snapshot it would be a conflict.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL READ COMMITTED"))
    now = feed.now(connection).timestamp()
    until = objects.c.analysis_until
    free = or_(until.is_(None), until <= now, objects.c.analysis_owner == owner)
    row = connection.execute(
        select(objects.c.seq, objects.c.blob, objects.c.size, objects.c.peaks_state)
        .where(_waiting(given_up), free)
        .order_by(objects.c.analysis, objects.c.seq.desc())
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    values = {"analysis_owner": owner, "analysis_until": now + LEASE_S}
    connection.execute(objects.update().where(objects.c.seq == row.seq).values(values))
    return Wanted(row.seq, row.blob, row.size, row.peaks_state == "pending")


def free(connection: Connection, place: str) -> None:
    """What the process before us in a place had is for others, where only one can have the place.

    On PostgreSQL there may be others of its kind, on other machines; there their leases end.
    """
    if connection.dialect.name != "postgresql":
        _let_go(connection, objects.c.analysis_owner.startswith(f"{place}/"))


def hand_back(connection: Connection, owner: str) -> None:
    """Whatever this owner has is for others."""
    _let_go(connection, objects.c.analysis_owner == owner)


def renew(connection: Connection, seq: int, owner: str) -> None:
    """It still is ours; LostError when it is not."""
    _write(connection, seq, owner, analysis_until=feed.now(connection).timestamp() + LEASE_S)


def note_ready(
    connection: Connection, seq: int, owner: str, loudness: Loudness, peaks: str | None
) -> None:
    """It was analysed: its loudness, and the blob of its waveform if that was computed too."""
    values: dict[str, Any] = {"loudness": msgspec.json.encode(loudness).decode()}
    if peaks is not None:
        values |= {"peaks_state": "ready", "peaks_blob": peaks}
    _write(connection, seq, owner, **values, **_DONE)
    _rewrite(connection, seq, lambda sound: with_computed(connection, seq, sound))


def note_failure(connection: Connection, seq: int, owner: str) -> None:
    """A try is used up; after the last one the sound says so itself."""
    row = connection.execute(
        select(objects.c.analysis_tries, objects.c.peaks_state).where(objects.c.seq == seq)
    ).one()
    tries = row.analysis_tries + 1
    if tries < _TRIES:
        values = {"analysis": ANALYSE_AGAIN, "analysis_until": None, "analysis_owner": None}
        _write(connection, seq, owner, **values, analysis_tries=tries)
        return
    state = "ready" if row.peaks_state == "ready" else "failed"
    _write(connection, seq, owner, **_DONE, analysis_tries=tries, peaks_state=state)
    _rewrite(connection, seq, _with_failure)


def with_computed(connection: Connection, content: int, sound: Sound) -> Sound:
    """The sound with all that was computed of its object so far."""
    query = select(objects.c.peaks_state, objects.c.loudness).where(objects.c.seq == content)
    row = connection.execute(query).one()
    link = routes.fill(routes.SOUND_PEAKS, id=sound.id) if row.peaks_state == "ready" else None
    loudness = row.loudness and msgspec.json.decode(row.loudness, type=Loudness)
    links = Links(file=sound.links.file, peaks=link)
    return msgspec.structs.replace(sound, links=links, loudness=loudness)


def want(connection: Connection, seq: int) -> None:
    """A sound is to use this object: it is analysed, if nobody wanted it so far."""
    unasked = (objects.c.seq == seq) & (objects.c.peaks_state == NO_PEAKS)
    values = {"peaks_state": "pending", "analysis": ANALYSE_NEW}
    connection.execute(objects.update().where(unasked).values(values))


def _waiting(given_up: Collection[int]) -> ColumnElement[bool]:
    return and_(objects.c.analysis.is_not(None), objects.c.seq.not_in(given_up))


_DONE = {"analysis": None, "analysis_until": None, "analysis_owner": None}


def _write(connection: Connection, seq: int, owner: str, **values: Any) -> None:
    ours = (objects.c.seq == seq) & (objects.c.analysis_owner == owner)
    if not connection.execute(objects.update().where(ours).values(values)).rowcount:
        raise LostError("another process has taken over this analysis")


def _let_go(connection: Connection, theirs: ColumnElement[bool]) -> None:
    values = {"analysis_owner": None, "analysis_until": None}
    connection.execute(objects.update().where(theirs).values(values))


def _with_failure(sound: Sound) -> Sound:
    finding = Finding(code="analysis.failed", severity="warning")
    return msgspec.structs.replace(sound, findings=(*sound.findings, finding))


def _rewrite(connection: Connection, content: int, change: Callable[[Sound], Sound]) -> None:
    """Change the documents of all sounds of an object, each a change in the feed."""
    at = feed.timestamp(feed.now(connection))
    rows = connection.execute(select(sounds).where(sounds.c.object == content)).all()
    for row in rows:
        sound = change(msgspec.json.decode(row.doc, type=Sound))
        place = feed.append(connection, "sound.changed", sound.id, sound.rev, at)
        columns = columns_of(sound)
        values = {name: columns[name] for name in _COMPUTED} | {"changed": place}
        connection.execute(sounds.update().where(sounds.c.seq == row.seq).values(values))
