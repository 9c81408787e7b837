"""Archives of URLs as their job fills them: what came, what did not, and what became of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, text

from sonoteca_server.app import Library
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.pages import Ask
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library import objects
from sonoteca_server.library.archive_rows import ArchiveEndedError, ArchiveState, OnError
from sonoteca_server.library.archives import ArchiveRequest, Archives
from sonoteca_server.library.objects import Objects
from sonoteca_server.library.repositories import HIDDEN, Repositories
from sonoteca_server.library.zips import Part
from sonoteca_shared.errors import BadRequestError, NotFoundError
from sonoteca_shared.models import ArchiveStatus
from sonoteca_shared.ranges import ByteRange
from tests.kit.archives import unpacked
from tests.server.conftest import BOTH
from tests.server.test_upkeep import nothing

DATABASES = BOTH
ORIGIN = "http://here:8282"

T = TypeVar("T")


class World:
    """A library without a server, and the hand that would fetch."""

    def __init__(self, folder: Path, database: str) -> None:
        self.library = Library(folder, home_of(database, folder))
        self.catalog, self.blobs = self.library.catalog, self.library.blobs
        self.archives = Archives(self.catalog, self.blobs, nothing, nothing, expiry_s=86_400)

    async def create(self, *files: str, on_error: OnError = OnError.SKIP) -> str:
        """An archive of these files of a server elsewhere."""
        urls = [f"http://files.example/{file}" for file in files]
        request = ArchiveRequest(urls=urls, on_error=on_error, origin=ORIGIN, digest="")
        return await self.archives.create(request)

    async def write(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await self.catalog.write(function, *args, **kwargs)

    async def fetched(self, archive: str, position: int, name: str, data: bytes) -> None:
        part = self.blobs.begin()
        part.append(data)
        kept = await objects.keep_hidden(self.catalog, self.blobs, part)
        unused = await self.write(rows.note_fetched, archive, position, name=name, kept=kept)
        if unused is not None:
            self.blobs.discard(unused)

    async def failed(self, archive: str, position: int) -> None:
        await self.write(rows.note_failed, archive, position, "not-found", "it answered 404")

    async def pending(self, archive: str) -> list[int]:
        return [each.position for each in await self.catalog.read(rows.pending, archive)]

    async def status(self, archive: str) -> ArchiveStatus:
        return await self.archives.status(archive, ORIGIN)

    async def files(self, archive: str) -> dict[str, bytes]:
        """What the zip has in it."""
        zipped = await self.archives.layout(archive)
        pieces = [
            self.blobs.path(piece.blob).read_bytes() if isinstance(piece, Part) else piece
            for piece in zipped.cut(ByteRange(0, zipped.size))
        ]
        return unpacked(b"".join(pieces))


@pytest.fixture
def world(tmp_path: Path, database: str) -> Iterator[World]:
    made = World(tmp_path, database)
    yield made
    made.library.close()


def story(steps: Callable[[World], Awaitable[None]]) -> Callable[[World], None]:
    """A test whose steps are a coroutine."""

    def run(world: World) -> None:
        asyncio.run(_awaited(steps(world)))

    run.__name__ = steps.__name__
    return run


async def _awaited(steps: Awaitable[None]) -> None:
    await steps


@story
async def test_files_are_in_the_order_they_were_asked_for_whichever_came_first(
    world: World,
) -> None:
    archive = await world.create("a", "b", "c")
    assert await world.pending(archive) == [0, 1, 2]
    await world.fetched(archive, 2, "take.wav", b"third")
    await world.fetched(archive, 0, "TAKE.wav", b"first")
    assert await world.pending(archive) == [1]
    await world.write(rows.note_progress, archive, 7, 20)
    told = await world.status(archive)
    assert (told.status, told.progress and told.progress.files_done) == ("in-progress", 2)
    assert told.progress
    assert (told.progress.bytes_done, told.progress.bytes_total) == (7, 20)
    await world.fetched(archive, 1, "../take.wav", b"second")
    await world.write(rows.finish, archive)
    told = await world.status(archive)
    assert (told.status, told.url, told.errors) == (
        "completed", f"{ORIGIN}/archive/get/{archive}.zip", (),
    )  # fmt: skip
    assert list((await world.files(archive)).items()) == [
        ("TAKE.wav", b"first"), ("take (2).wav", b"second"), ("take (3).wav", b"third"),
    ]  # fmt: skip


@story
async def test_what_did_not_come_is_told_inside_and_outside(world: World) -> None:
    archive = await world.create("a", "MANIFEST.json")
    await world.fetched(archive, 1, "MANIFEST.json", b"theirs")
    await world.failed(archive, 0)
    await world.write(rows.finish, archive)
    told = await world.status(archive)
    assert [(each.url, each.code) for each in told.errors] == [
        ("http://files.example/a", "not-found")
    ]
    files = await world.files(archive)
    assert files["MANIFEST (2).json"] == b"theirs"
    assert json.loads(files["MANIFEST.json"])["missing"] == [
        {"url": "http://files.example/a", "code": "not-found", "detail": "it answered 404"}
    ]


@story
async def test_when_nothing_came_it_has_failed(world: World) -> None:
    archive = await world.create("a")
    await world.failed(archive, 0)
    await world.write(rows.finish, archive)
    told = await world.status(archive)
    assert (told.status, len(told.errors)) == ("failed", 1)


@story
async def test_who_wants_all_or_nothing_gets_nothing_when_one_is_missing(world: World) -> None:
    archive = await world.create("a", "b", on_error=OnError.FAIL)
    await world.fetched(archive, 0, "a", b"a")
    await world.failed(archive, 1)
    await world.write(rows.finish, archive)
    assert (await world.status(archive)).status == "failed"


@story
async def test_files_with_the_same_bytes_are_one_object_and_two_entries(world: World) -> None:
    archive = await world.create("a", "b")
    await world.fetched(archive, 0, "a.wav", b"same")
    await world.fetched(archive, 1, "b.wav", b"same")
    await world.write(rows.finish, archive)
    assert await world.files(archive) == {"a.wav": b"same", "b.wav": b"same"}
    assert len(list(world.blobs.list_blobs())) == 1


@story
async def test_a_cancelled_archive_takes_nothing_and_its_job_ends(world: World) -> None:
    archive = await world.create("a")
    await world.archives.cancel(archive)
    for late in (world.fetched(archive, 0, "a", b"a"), world.failed(archive, 0)):
        with pytest.raises(ArchiveEndedError):
            await late
    with pytest.raises(ArchiveEndedError):
        await world.write(rows.finish, archive)
    assert (await world.status(archive)).status == "cancelled"
    (state,) = await world.catalog.read(
        lambda connection: connection.execute(text("SELECT state FROM jobs")).scalars().all()
    )
    assert state == "cancelled"


@pytest.mark.parametrize(
    ("job", "state"),
    [("failed", ArchiveState.FAILED), ("cancelled", ArchiveState.CANCELLED)],
)
def test_an_archive_whose_job_has_ended_does_not_wait_for_ever(
    world: World, job: str, state: ArchiveState
) -> None:
    async def steps() -> None:
        archive = await world.create("a")

        def end(connection: Connection) -> None:
            connection.execute(text("UPDATE jobs SET state = :state"), {"state": job})

        await world.write(end)
        assert (await world.status(archive)).status == state
        await world.write(lambda connection: connection.execute(text("DELETE FROM jobs")))
        assert (await world.status(archive)).status == "failed"

    asyncio.run(steps())


@story
async def test_nobody_sees_the_repository_of_archives(world: World) -> None:
    archive = await world.create("a")
    await world.fetched(archive, 0, "a", b"a")
    repositories = Repositories(world.catalog, lambda: None)
    _page, listed = await repositories.page(Ask(size=10))
    assert listed == []
    (key,) = (each.key for each in world.blobs.list_blobs())
    oid = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert world.blobs.path(key).read_bytes() == b"a"
    for refused in (
        Objects(world.catalog, world.blobs).content(HIDDEN, oid, ""),
        repositories.make(HIDDEN, "members"),
    ):
        with pytest.raises((BadRequestError, NotFoundError)):
            await refused


@story
async def test_a_crc32_that_is_not_known_yet_is_computed_first(world: World) -> None:
    archive = await world.create("a")
    await world.fetched(archive, 0, "a.wav", b"RIFF" * 1_000)
    await world.write(rows.finish, archive)

    def forget(connection: Connection) -> None:
        connection.execute(text("UPDATE objects SET crc32 = NULL"))

    await world.write(forget)
    assert await world.files(archive) == {"a.wav": b"RIFF" * 1_000}
