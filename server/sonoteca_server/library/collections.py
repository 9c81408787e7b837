"""Collections: sounds that somebody put together, in an order of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, func, select

from sonoteca_server.catalog import Catalog, feed, pages
from sonoteca_server.catalog.schema import collection_sounds as members
from sonoteca_server.catalog.schema import collections, sounds
from sonoteca_server.library.editing import RevisionMismatchError, parse_name
from sonoteca_shared.errors import BadRequestError, NotFoundError, SonotecaError
from sonoteca_shared.ids import is_id, new_id
from sonoteca_shared.models import Collection
from sonoteca_shared.names import sort_key

# How far members lie apart: about thirty times one can be put between two others.
_STEP = 1 << 32
_MOST_OF_A_KEY = 500

T = TypeVar("T")
CollectionRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Member:
    """What became of one sound that was to join or leave: nothing more to say, or why not."""

    id: str
    error: SonotecaError | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where sounds are put: right before this member, or behind all others where it is None."""

    before: str | None


class Collections:
    """The collections of one library; `announce` is called after each commit."""

    def __init__(self, catalog: Catalog, announce: Callable[[], None]) -> None:
        self._catalog = catalog
        self._announce = announce

    async def page(self, ask: pages.Ask) -> tuple[pages.Page, list[Collection]]:
        """Some of the collections, by name."""
        page = await self._catalog.read(_page, ask)
        return page, [_collection(row) for row in page.rows]

    async def find(self, collection_id: str) -> Collection:
        """The collection with this id."""
        return _collection(await self._catalog.read(_find, collection_id))

    async def make(self, name: str) -> Collection:
        """A new, empty collection."""
        return await self._commit(_make, parse_name(name))

    async def edit(self, collection_id: str, patch: dict[str, Any], *, rev: int) -> Collection:
        """Rename a collection that stands at `rev`; RevisionMismatchError when it does not."""
        if unknown := set(patch) - {"name"}:
            raise BadRequestError(f"“{min(unknown)[:100]}” cannot be edited; what can: name")
        values = {name: parse_name(value) for name, value in patch.items()}
        return await self._commit(_edit, collection_id, values, rev)

    async def remove(self, collection_id: str, *, rev: int | None = None) -> None:
        """Remove a collection for good; its sounds stay."""
        await self._commit(_remove, collection_id, rev)

    async def members(self, collection_id: str, ask: pages.Ask) -> pages.Page:
        """Some of a collection's sounds, in its order; those in the trash are left out."""
        return await self._catalog.read(_members, collection_id, ask)

    async def add(
        self, collection_id: str, sound_ids: Sequence[str], where: Spot | None = None
    ) -> tuple[Collection, list[Member]]:
        """Have these sounds in the collection, in their order.

        Without `where` new ones go to the end, and those that are in it stay where they are.
        """
        return await self._commit(_add, collection_id, sound_ids, where)

    async def take(
        self, collection_id: str, sound_ids: Sequence[str]
    ) -> tuple[Collection, list[Member]]:
        """Take these sounds out of the collection."""
        return await self._commit(_take, collection_id, sound_ids)

    async def _commit(self, function: Callable[..., T], *args: Any) -> T:
        done = await self._catalog.write(function, *args)
        self._announce()
        return done


def _page(connection: Connection, ask: pages.Ask) -> pages.Page:
    order = pages.Order(collections.c.name_key, collections.c.seq)
    return pages.find_page(connection, select(collections, _count()), order, ask)


def _find(connection: Connection, collection_id: str) -> CollectionRow:
    query = select(collections, _count()).where(collections.c.id == collection_id)
    row = connection.execute(query).first()
    if row is None:
        raise NotFoundError("there is no collection with this id")
    return row


def _make(connection: Connection, name: str) -> Collection:
    made, at = new_id(), feed.timestamp(feed.now(connection))
    values = {"id": made, "name": name, "name_key": _key(name), "rev": 1, "created": at}
    connection.execute(collections.insert().values(values))
    feed.append(connection, "collection.created", made, 1, at)
    return _collection(_find(connection, made))


def _edit(
    connection: Connection, collection_id: str, values: dict[str, Any], rev: int
) -> Collection:
    row = _at(connection, collection_id, rev)
    if values.get("name", row.name) == row.name:
        return _collection(row)
    return _touch(connection, row, name=values["name"], name_key=_key(values["name"]))


def _remove(connection: Connection, collection_id: str, rev: int | None) -> None:
    row = _at(connection, collection_id, rev)
    connection.execute(collections.delete().where(collections.c.seq == row.seq))
    at = feed.timestamp(feed.now(connection))
    feed.append(connection, "collection.removed", row.id, row.rev + 1, at)


def _members(connection: Connection, collection_id: str, ask: pages.Ask) -> pages.Page:
    row = _find(connection, collection_id)
    query = (
        select(sounds.c.doc)
        .join(members, members.c.sound == sounds.c.seq)
        .where(members.c.collection == row.seq, sounds.c.trashed.is_(None))
    )
    return pages.find_page(connection, query, pages.Order(members.c.position, sounds.c.seq), ask)


def _add(
    connection: Connection, collection_id: str, sound_ids: Sequence[str], where: Spot | None
) -> tuple[Collection, list[Member]]:
    row = _find(connection, collection_id)
    known = _known(connection, sound_ids)
    wanted = list(dict.fromkeys(known[each] for each in sound_ids if each in known))
    anchor = None
    if where is None:
        there = _present(connection, row.seq, wanted)
        wanted = [seq for seq in wanted if seq not in there]
    elif where.before is not None:
        anchor = _anchor(connection, row.seq, where.before)
        if anchor in wanted:
            raise BadRequestError("“before” names one of the sounds that are to be put before it")
    results = [Member(each, None if each in known else _no_sound()) for each in sound_ids]
    if not wanted:
        return _collection(row), results
    _put(connection, row.seq, wanted, anchor)
    return _touch(connection, row), results


def _take(
    connection: Connection, collection_id: str, sound_ids: Sequence[str]
) -> tuple[Collection, list[Member]]:
    row = _find(connection, collection_id)
    known = _known(connection, sound_ids)
    there = _present(connection, row.seq, list(known.values()))
    results = []
    for each in sound_ids:
        inside = each in known and known[each] in there
        results.append(Member(each, None if inside else _not_inside()))
    if not there:
        return _collection(row), results
    _delete(connection, row.seq, sorted(there))
    return _touch(connection, row), results


def _put(connection: Connection, collection: int, wanted: list[int], anchor: int | None) -> None:
    """Have these sounds in the collection, one after the other, right before the anchor."""
    _delete(connection, collection, wanted)
    room = _room(connection, collection, anchor, len(wanted))
    if room is None:
        _spread(connection, collection)
        room = _room(connection, collection, anchor, len(wanted))
    assert room is not None
    rows = [
        {"collection": collection, "sound": seq, "position": position}
        for seq, position in zip(wanted, room, strict=True)
    ]
    connection.execute(members.insert(), rows)


def _room(
    connection: Connection, collection: int, anchor: int | None, count: int
) -> Sequence[int] | None:
    """Positions for so many members, or None when there are not enough between two others."""
    mine = members.c.collection == collection
    last = select(func.max(members.c.position)).where(mine)
    if anchor is None:
        end = connection.execute(last).scalar() or 0
        return range(end + _STEP, end + _STEP * (count + 1), _STEP)
    query = select(members.c.position).where(mine, members.c.sound == anchor)
    end = connection.execute(query).scalar_one()
    start = connection.execute(last.where(members.c.position < end)).scalar()
    if start is None:
        return range(end - _STEP * count, end, _STEP)
    step = (end - start) // (count + 1)
    return range(start + step, start + step * (count + 1), step) if step else None


def _spread(connection: Connection, collection: int) -> None:
    """Lay all members apart again, in their order."""
    mine = members.c.collection == collection
    query = select(members.c.sound).where(mine).order_by(members.c.position, members.c.sound)
    order = connection.execute(query).scalars()
    rows = [{"seq": seq, "place": _STEP * number} for number, seq in enumerate(order, 1)]
    one = mine & (members.c.sound == bindparam("seq"))
    connection.execute(members.update().where(one).values(position=bindparam("place")), rows)


def _delete(connection: Connection, collection: int, seqs: Sequence[int]) -> None:
    these = (members.c.collection == collection) & members.c.sound.in_(seqs)
    connection.execute(members.delete().where(these))


def _known(connection: Connection, sound_ids: Sequence[str]) -> dict[str, int]:
    """The rows of those sounds that are there and not in the trash."""
    ids = [each for each in sound_ids if is_id(each)]
    query = select(sounds.c.id, sounds.c.seq)
    found = connection.execute(query.where(sounds.c.id.in_(ids), sounds.c.trashed.is_(None)))
    return {row.id: row.seq for row in found}


def _present(connection: Connection, collection: int, seqs: list[int]) -> set[int]:
    query = select(members.c.sound).where(members.c.collection == collection)
    return set(connection.execute(query.where(members.c.sound.in_(seqs))).scalars())


def _anchor(connection: Connection, collection: int, sound_id: str) -> int:
    seq = _known(connection, [sound_id]).get(sound_id)
    if seq is None or not _present(connection, collection, [seq]):
        raise BadRequestError("“before” names no sound of this collection")
    return seq


def _at(connection: Connection, collection_id: str, rev: int | None) -> CollectionRow:
    row = _find(connection, collection_id)
    if rev is not None and row.rev != rev:
        raise RevisionMismatchError(given=rev, present=_collection(row))
    return row


def _touch(connection: Connection, row: CollectionRow, **values: Any) -> Collection:
    """The collection as it is after a change, which the feed tells."""
    same = collections.c.seq == row.seq
    connection.execute(collections.update().where(same).values(rev=row.rev + 1, **values))
    at = feed.timestamp(feed.now(connection))
    feed.append(connection, "collection.changed", row.id, row.rev + 1, at)
    return _collection(_find(connection, row.id))


def _count() -> Any:
    """How many sounds a collection has, beside its other columns."""
    here = (members.c.collection == collections.c.seq) & sounds.c.trashed.is_(None)
    count = select(func.count()).select_from(members.join(sounds)).where(here)
    return count.correlate(collections).scalar_subquery().label("sounds")


def _collection(row: CollectionRow) -> Collection:
    created = datetime.fromisoformat(row.created)
    return Collection(id=row.id, rev=row.rev, name=row.name, created=created, sounds=row.sounds)


def _key(name: str) -> str:
    return sort_key(name)[:_MOST_OF_A_KEY]


def _no_sound() -> NotFoundError:
    return NotFoundError("there is no sound with this id")


def _not_inside() -> NotFoundError:
    return NotFoundError("no such sound is in this collection")
