"""Which of our sounds are meant: by their ids, by a query, or by the collection they are in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.catalog.schema import collection_sounds, collections, sounds
from sonoteca_server.catalog.search import matching
from sonoteca_server.library.archive_rows import Chosen
from sonoteca_shared import routes
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.ids import is_id
from sonoteca_shared.models import FileError

MOST = 250_000
"""The most sounds that one archive holds: beyond that, its names alone would fill the memory."""

# As many values are in one question at most: databases have a limit.
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Choice:
    """The sounds that were found, and those that were named but are not there."""

    sounds: Sequence[Chosen]
    missing: Sequence[FileError] = ()


def by_ids(connection: Connection, ids: Iterable[str]) -> Choice:
    """The sounds with these ids, each as often as it is named, in this order."""
    wanted = list(ids)
    found: dict[str, Chosen] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        some = sounds.c.id.in_(wanted[start : start + _AT_ONCE])
        query = _chosen(sounds.c.id).where(some)
        found |= {row.id: _row(row) for row in connection.execute(query)}
    missing = [_missing(each) for each in wanted if each not in found]
    return Choice([found[each] for each in wanted if each in found], missing)


def by_query(connection: Connection, wanted: SoundFilter) -> Choice:
    """All sounds that match, in the order that lists have; BadRequestError for none or too many."""
    seqs = matching(connection, wanted, MOST)
    if seqs is None:
        raise BadRequestError(f"“query” matches more than {MOST} sounds: ask for fewer at a time")
    query = _chosen().where(sounds.c.seq.in_(seqs)).order_by(sounds.c.created, sounds.c.seq)
    return _some(connection, query, "“query” matches no sound")


def by_collection(connection: Connection, collection_id: str) -> Choice:
    """The sounds of a collection, in its order; BadRequestError when there are none."""
    known = select(collections.c.seq).where(collections.c.id == collection_id)
    seq = connection.execute(known).scalar() if is_id(collection_id) else None
    if seq is None:
        raise BadRequestError("“collection”: there is no collection with this id")
    inside = collection_sounds
    query = _chosen().join(inside, inside.c.sound == sounds.c.seq)
    query = query.where(inside.c.collection == seq).order_by(inside.c.position, sounds.c.seq)
    return _some(connection, query.limit(MOST + 1), "“collection” has no sounds")


def _chosen(*columns: Any) -> Select[Any]:
    query = select(sounds.c.object, sounds.c.folder, sounds.c.name, *columns)
    return query.where(sounds.c.trashed.is_(None))


def _some(connection: Connection, query: Select[Any], otherwise: str) -> Choice:
    found = [_row(row) for row in connection.execute(query)]
    if not found:
        raise BadRequestError(otherwise)
    if len(found) > MOST:
        raise BadRequestError(f"one archive holds {MOST} sounds at most: ask for fewer at a time")
    return Choice(found)


def _row(row: Any) -> Chosen:
    return Chosen(row.object, row.folder, row.name)


def _missing(sound_id: str) -> FileError:
    place = routes.fill(routes.SOUND, id=sound_id)
    return FileError(url=place, code="not-found", detail="there is no sound with this id")
