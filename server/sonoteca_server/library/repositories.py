"""Repositories: made by the first who names them, renamed with what is in them, removed empty."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    cast,
    func,
    select,
    text,
)

from sonoteca_server.catalog import Catalog, feed, pages
from sonoteca_server.catalog.schema import objects, repositories, revisions, sounds
from sonoteca_server.library.unused import drop_object, in_archives
from sonoteca_shared import names, routes
from sonoteca_shared.errors import BadRequestError, ConflictError, NameTakenError, NotFoundError
from sonoteca_shared.models import Repository, Sound

VISIBILITIES = ("members", "own")
_BATCH = 1_000
# Where the files of archives lie. No one else's repository can be called so, and no path leads in.
HIDDEN = ".archives"

T = TypeVar("T")
RepositoryRow = Row[*tuple[Any, ...]]


class NotEmptyError(ConflictError):
    """The repository holds something still, so that it cannot be removed."""

    code = "not-empty"


class Repositories:
    """The repositories of one library; `announce` is called after each commit.

    What they hold is counted when somebody asks, in indexes alone. Counters kept in their rows
    would make all who upload wait for each other.
    """

    def __init__(self, catalog: Catalog, announce: Callable[[], None]) -> None:
        self._catalog = catalog
        self._announce = announce

    async def page(self, ask: pages.Ask) -> tuple[pages.Page, list[Repository]]:
        """Some of the repositories, by name."""
        page = await self._catalog.read(_page, ask)
        return page, [_repository(row) for row in page.rows]

    async def find(self, name: str) -> Repository:
        """The repository of this name."""
        return _repository(await self._catalog.read(_find, name))

    async def make(self, name: str, visibility: str) -> Repository:
        """A new, empty repository; NameTakenError when there is one of that name."""
        checked_name(name)
        return await self._commit(_make, name, _checked_visibility(visibility))

    async def edit(self, name: str, patch: dict[str, Any]) -> Repository:
        """Rename a repository, or say who sees what is in it."""
        readers = {"name": _read_name, "visibility": _checked_visibility}
        if unknown := set(patch) - set(readers):
            raise BadRequestError(
                f"“{min(unknown)[:100]}” cannot be edited; what can: {', '.join(readers)}"
            )
        values = {field: readers[field](value) for field, value in patch.items()}
        return await self._commit(_edit, name, values)

    async def remove(self, name: str) -> None:
        """Remove a repository; NotEmptyError says what it still holds."""
        await self._commit(_remove, name)

    async def _commit(self, function: Callable[..., T], *args: Any) -> T:
        done = await self._catalog.write(function, *args)
        self._announce()
        return done


def checked_name(name: str) -> str:
    """The name, if it may be a repository's; BadRequestError says what such a name is made of."""
    if not names.is_repository(name):
        raise BadRequestError(
            f"“{name[:100]}” cannot name a repository: use up to 100 letters, digits, “.”, “_” "
            "and “-”, beginning with a letter or digit"
        )
    return name


def find_or_make(connection: Connection, name: str, at: str) -> int:
    """The row of a repository whose name was checked; the first upload that names it makes it."""
    query = select(repositories.c.seq).where(repositories.c.name == name)
    found = connection.execute(query).scalar()
    return int(found) if found is not None else _insert(connection, name, "members", at)


def _insert(connection: Connection, name: str, visibility: str, at: str) -> int:
    values = {"name": name, "visibility": visibility, "created": at}
    made = connection.execute(repositories.insert().values(values))
    assert made.inserted_primary_key is not None
    if name != HIDDEN:  # which nobody hears of
        feed.append(connection, "repository.created", name, 1, at)
    return int(made.inserted_primary_key[0])


def _page(connection: Connection, ask: pages.Ask) -> pages.Page:
    order = pages.Order(repositories.c.name, repositories.c.seq)
    listed = _counted().where(repositories.c.name != HIDDEN)
    return pages.find_page(connection, listed, order, ask)


def _find(connection: Connection, name: str) -> RepositoryRow:
    # What cannot name a repository need not be asked for, and might not be text to a database.
    query = _counted().where(repositories.c.name == name)
    row = connection.execute(query).first() if names.is_repository(name) else None
    if row is None:
        raise NotFoundError(f"there is no repository “{name[:100]}”")
    return row


def _make(connection: Connection, name: str, visibility: str) -> Repository:
    _refuse_taken(connection, name)
    _insert(connection, name, visibility, feed.timestamp(feed.now(connection)))
    return _repository(_find(connection, name))


def _edit(connection: Connection, name: str, values: dict[str, Any]) -> Repository:
    if "name" in values and connection.dialect.name == "postgresql":
        # Before the first look, so that it sees the sounds of all who are adding some now, and
        # those who come later wait and then meet the new name.
        connection.execute(text("LOCK TABLE repositories IN EXCLUSIVE MODE"))
    row = _find(connection, name)
    values = {field: value for field, value in values.items() if value != getattr(row, field)}
    if not values:
        return _repository(row)
    at, rev = feed.timestamp(feed.now(connection)), row.rev + 1
    if "name" in values:
        _refuse_taken(connection, values["name"])
    same = repositories.c.seq == row.seq
    connection.execute(repositories.update().where(same).values(values | {"rev": rev}))
    if "name" not in values:
        feed.append(connection, "repository.changed", name, rev, at)
        return _repository(_find(connection, name))
    # To those who follow, a repository is its name: the new one comes, its sounds go there, and
    # then the old one is empty and goes.
    feed.append(connection, "repository.created", values["name"], rev, at)
    _rename_in_sounds(connection, row.seq, values["name"], at)
    _rename_in_revisions(connection, row.seq, values["name"])
    feed.append(connection, "repository.removed", name, rev, at)
    return _repository(_find(connection, values["name"]))


def _rename_in_sounds(connection: Connection, repository: int, name: str, at: str) -> None:
    """Make the documents of all its sounds true, each a change in the feed."""
    columns = (sounds.c.seq, sounds.c.id, sounds.c.rev, sounds.c.trashed, sounds.c.changed)
    query = select(*columns, sounds.c.doc).where(sounds.c.repository == repository)
    one = sounds.update().where(sounds.c.seq == bindparam("one"))
    change = one.values(doc=bindparam("moved"), changed=bindparam("place"))
    last = 0
    while rows := connection.execute(_after(query, sounds.c.seq, last)).all():
        told = [(row.id, row.rev) for row in rows if row.trashed is None]
        places = feed.append_many(connection, "sound.changed", told, at)
        values = [
            {
                "one": row.seq,
                "moved": _moved(row.doc, name),
                "place": places.get(row.id, row.changed),
            }
            for row in rows
        ]
        connection.execute(change, values)
        last = rows[-1].seq


def _rename_in_revisions(connection: Connection, repository: int, name: str) -> None:
    """What can come back comes back to where the repository is then."""
    query = select(revisions.c.seq, revisions.c.doc).join(sounds, sounds.c.seq == revisions.c.sound)
    query = query.where(sounds.c.repository == repository)
    change = revisions.update().where(revisions.c.seq == bindparam("one"))
    last = 0
    while rows := connection.execute(_after(query, revisions.c.seq, last)).all():
        values = [{"one": row.seq, "moved": _moved(row.doc, name)} for row in rows]
        connection.execute(change.values(doc=bindparam("moved")), values)
        last = rows[-1].seq


def _after(query: Select[Any], seq: ColumnElement[int], last: int) -> Select[Any]:
    """A batch of what comes after the last one."""
    return query.where(seq > last).order_by(seq).limit(_BATCH)


def _moved(doc: str, repository: str) -> str:
    sound = msgspec.json.decode(doc, type=Sound)
    file = routes.content_path(repository, sound.sha256, sound.name)
    links = msgspec.structs.replace(sound.links, file=file)
    moved = msgspec.structs.replace(sound, repository=repository, links=links)
    return msgspec.json.encode(moved).decode()


def _remove(connection: Connection, name: str) -> None:
    row = _find(connection, name)
    moment = feed.now(connection)
    # What only waits for upkeep is nobody's any more, and does not hold the repository.
    idle = (
        objects.c.repository == row.seq,
        objects.c.put == 0,
        objects.c.seq.not_in(select(sounds.c.object)),
        objects.c.seq.not_in(select(revisions.c.object)),
    )
    waiting = connection.execute(
        select(objects).where(*idle, objects.c.seq.not_in(in_archives()))
    ).all()
    lent = select(func.count()).where(*idle, objects.c.seq.in_(in_archives()))
    held = _held(connection, row, len(waiting), connection.execute(lent).scalar_one())
    if held:
        raise NotEmptyError(f"“{name}” still holds {held}; remove or move them first")
    for each in waiting:
        drop_object(connection, each, moment.timestamp())
    connection.execute(repositories.delete().where(repositories.c.seq == row.seq))
    at = feed.timestamp(moment)
    feed.append(connection, "repository.removed", name, row.rev + 1, at)


def _held(connection: Connection, row: RepositoryRow, waiting: int, lent: int) -> str:
    """What a repository holds, in words; "" when it is nothing."""
    trashed = select(func.count()).where(
        sounds.c.repository == row.seq, sounds.c.trashed.is_not(None)
    )
    in_trash = connection.execute(trashed).scalar_one()
    parts = (
        (row.sounds, "sound", ""),
        (in_trash, "sound", " in the trash"),
        (row.objects - waiting - lent, "object", ""),
        (lent, "object", " in archives"),
    )
    return ", ".join(f"{n} {noun}{'s' * (n != 1)}{rest}" for n, noun, rest in parts if n)


def _counted() -> Any:
    """Repositories with how much each holds."""
    here = (sounds.c.repository == repositories.c.seq) & sounds.c.trashed.is_(None)
    size = cast(func.coalesce(func.sum(objects.c.size), 0), BigInteger)
    there = objects.c.repository == repositories.c.seq
    return select(
        repositories,
        select(func.count()).select_from(sounds).where(here).scalar_subquery().label("sounds"),
        select(func.count()).select_from(objects).where(there).scalar_subquery().label("objects"),
        select(size).where(there).scalar_subquery().label("bytes"),
    )


def _refuse_taken(connection: Connection, name: str) -> None:
    taken = select(repositories.c.seq).where(repositories.c.name == name)
    if connection.execute(taken).first() is not None:
        raise NameTakenError(f"there is a repository “{name}” already; choose another name")


def _repository(row: RepositoryRow) -> Repository:
    return Repository(
        name=row.name,
        visibility=row.visibility,
        created=datetime.fromisoformat(row.created),
        sounds=row.sounds,
        objects=row.objects,
        bytes=row.bytes,
    )


def _read_name(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequestError("“name” takes text")
    return checked_name(value)


def _checked_visibility(value: Any) -> str:
    if value not in VISIBILITIES:
        raise BadRequestError("“visibility” is members or own")
    return str(value)
