"""Large archives of our own sounds: noted and let go some files at a time, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, text

from sonoteca_server.catalog import Catalog
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library import archives as archives_module
from sonoteca_server.library.archive_rows import Chosen, OnError
from sonoteca_server.library.archives import ArchiveRequest, Archives
from sonoteca_server.library.choices import Choice
from sonoteca_server.library.objects import Objects
from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.models import FileError
from tests.server.conftest import BOTH
from tests.server.test_archive_rows import ORIGIN, World, story, world
from tests.server.test_upkeep import nothing

__all__ = ["world"]
DATABASES = BOTH
FILES = 7
MISSING = FileError(url="/api/v1/sounds/x", code="not-found", detail="there is none")


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven files are many."""
    monkeypatch.setattr(rows, "AT_ONCE", 2)
    monkeypatch.setattr(archives_module, "_EXPIRED_AT_ONCE", 2)


class KilledError(Exception):
    """The server ends here."""


@dataclass
class Steps:
    """A catalogue that looks at itself after each write; the last one is followed by a kill."""

    catalog: Catalog
    look: str
    last: int = 1_000

    def __post_init__(self) -> None:
        self.seen: list[int] = []
        self.read, self.glance = self.catalog.read, self.catalog.glance

    async def write(self, function: Callable[..., Any], *args: Any) -> Any:
        if len(self.seen) == self.last:
            raise KilledError
        done = await self.catalog.write(function, *args)
        self.seen.append(await count(self.catalog, self.look))
        return done


async def count(catalog: Catalog, query: str) -> int:
    def ask(connection: Connection) -> int:
        return int(connection.execute(text(query)).scalar_one())

    return await catalog.read(ask)


MEMBERS = "SELECT count(*) FROM archive_members"
HELD = "SELECT count(object) FROM archive_members"
ARCHIVES = "SELECT count(*) FROM archives"


async def asked(world: World, *missing: FileError, **wishes: Any) -> ArchiveRequest:
    """A request for one sound, seven times."""
    part = world.blobs.begin()
    part.append(b"sound")
    await Objects(world.catalog, world.blobs).put("main", part)
    seq = await count(world.catalog, "SELECT min(seq) FROM objects")
    choice = Choice([Chosen(seq, "", "take.wav")] * FILES, missing)
    return ArchiveRequest(choose=lambda _: choice, origin=ORIGIN, digest="", **wishes)


def archives_of(world: World, steps: Steps) -> Archives:
    catalog: Any = steps
    return Archives(catalog, world.blobs, nothing, nothing, expiry_s=86_400)


@story
async def test_others_write_while_a_large_archive_is_noted_and_let_go(world: World) -> None:
    steps = Steps(world.catalog, HELD)
    archives = archives_of(world, steps)
    archive = await archives.create(await asked(world))
    assert steps.seen == [0, 2, 4, 6, 7, 7]
    files = await world.files(archive)
    assert list(files) == ["take.wav", *(f"take ({number}).wav" for number in range(2, 8))]
    steps.seen.clear()
    await archives.cancel(archive)
    assert steps.seen[:4] == [5, 3, 1, 0]
    await world.write(lambda connection: connection.execute(text("UPDATE archives SET expires=0")))
    steps = Steps(world.catalog, MEMBERS)
    await archives_of(world, steps).expire()
    assert steps.seen == [5, 3, 1, 0]
    assert await count(world.catalog, ARCHIVES) == 0


@story
async def test_what_a_killed_server_noted_is_nobodys_archive_and_goes(world: World) -> None:
    request = await asked(world, key="again")
    with pytest.raises(KilledError):
        await archives_of(world, Steps(world.catalog, MEMBERS, last=3)).create(request)
    assert await count(world.catalog, MEMBERS) == 4
    archive = await world.archives.create(request)
    assert await world.archives.create(request) == archive
    assert len(await world.files(archive)) == FILES
    soon = "UPDATE archives SET expires = expires - 3600"
    await world.write(lambda connection: connection.execute(text(soon)))
    await world.archives.expire()
    assert await count(world.catalog, MEMBERS) == FILES
    assert await count(world.catalog, ARCHIVES) == 1


@story
async def test_an_archive_that_fails_holds_nothing(world: World) -> None:
    request = await asked(world, MISSING, on_error=OnError.FAIL)
    archive = await world.archives.create(request)
    assert (await world.status(archive)).status == "failed"
    assert await count(world.catalog, HELD) == 0


@story
async def test_a_sound_that_goes_meanwhile_is_chosen_no_more(world: World) -> None:
    first = await asked(world)
    assert first.choose is not None
    choices = iter((Choice([Chosen(10_000, "", "gone.wav")]), first.choose))

    def choose(connection: Connection) -> Choice:
        choice = next(choices)
        return choice if isinstance(choice, Choice) else choice(connection)

    request = ArchiveRequest(choose=choose, origin=ORIGIN, digest="")
    archive = await world.archives.create(request)
    assert len(await world.files(archive)) == FILES


@story
async def test_a_key_is_free_again_when_its_archive_has_expired(world: World) -> None:
    request = await asked(world, key="again")
    archive = await world.archives.create(request)
    await world.write(lambda connection: connection.execute(text("UPDATE archives SET expires=0")))
    other = await world.archives.create(request)
    assert other != archive
    assert await world.archives.create(request) == other
    with pytest.raises(NotFoundError):
        await world.archives.find(archive)
