"""Upkeep: what nobody refers to goes, late; what anybody may still want stays."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, text

from sonoteca_server.app import Library
from sonoteca_server.catalog import feed
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.pages import Ask
from sonoteca_server.jobs.leftovers import Leftovers
from sonoteca_server.jobs.upkeep import Swept, Upkeep
from sonoteca_server.library import objects
from sonoteca_server.library.archives import Archives
from sonoteca_server.library.ingest import Ingest, OnConflict, Wish
from sonoteca_server.library.objects import Kept, Objects
from sonoteca_server.library.trash import Trash
from sonoteca_server.library.uploads import Uploads
from sonoteca_server.storage import Incoming
from sonoteca_server.storage.growing import GrowingParts
from sonoteca_shared.wav.audio_digest import AudioHasher
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav

HOUR, DAY = 3_600.0, 86_400.0
WAV = build_wav(Plan(frames=500))


def nothing(*_neighbours: object) -> None:
    """Nobody has to hear of anything."""


class World:
    """A library without a server, and a clock that moves when it is told to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.library = Library(folder, home_of("sqlite", folder))
        self.catalog, self.blobs = self.library.catalog, self.library.blobs
        self.objects = Objects(self.catalog, self.blobs)
        self.ingest = Ingest(self.catalog, self.blobs, lambda: None)
        self.now = time.time() + 2 * HOUR  # so that nothing looks as if it were under way
        self.trash = Trash(self.catalog, lambda: None, keep_s=30 * DAY)
        self.uploads = Uploads(self.catalog, self.library.parts, self.ingest, expiry_s=7 * DAY)
        # What it makes has expired when it is made.
        self.archives = Archives(self.catalog, self.blobs, nothing, nothing, expiry_s=0)
        self.fetching = GrowingParts(folder, "fetching")
        self.upkeep = self.make_upkeep(grace_s=DAY, clock=lambda: self.now)

    def make_upkeep(self, **times: Any) -> Upkeep:
        leftovers = Leftovers(self.catalog, self.fetching)
        neighbours = (self.trash, self.uploads, self.archives, leftovers)
        return Upkeep(self.catalog, self.blobs, *neighbours, **times)

    def part(self, data: bytes) -> Incoming:
        part = self.blobs.begin()
        part.append(data)
        return part

    async def put(self, data: bytes) -> str:
        part = self.part(data)
        await self.objects.put("main", part)
        return part.sha256

    async def post(self, data: bytes = WAV, *, version: bool = False) -> str:
        part = self.part(data)
        conflict = OnConflict.VERSION if version else OnConflict.RENAME
        wish = Wish(name="a.wav", on_conflict=conflict)
        await self.ingest.admit(part, wish, AudioHasher())
        return part.sha256

    async def data(self, oid: str) -> bytes:
        content = await self.objects.content("main", oid, "")
        return self.blobs.path(content.blob).read_bytes()

    async def run(self, statement: str, **values: Any) -> None:
        def execute(connection: Connection) -> None:
            connection.execute(text(statement), values)

        await self.catalog.write(execute)

    async def purge(self, oid: str) -> None:
        """The sounds of an object are gone from the trash."""
        statement = "DELETE FROM sounds WHERE object = (SELECT seq FROM objects WHERE oid = :oid)"
        await self.run(statement, oid=oid)

    async def rows(self) -> int:
        def count(connection: Connection) -> int:
            return int(connection.execute(text("SELECT count(*) FROM objects")).scalar_one())

        return await self.catalog.read(count)

    def moment(self, seconds: float) -> str:
        """A moment this far from now, as the catalogue writes it."""
        return feed.timestamp(datetime.fromtimestamp(self.now + seconds, UTC))

    def listed(self) -> set[str]:
        return {listed.key for listed in self.blobs.list_blobs()}

    async def later(self, seconds: float = DAY + 1) -> Swept:
        self.now += seconds
        return await self.upkeep.once()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
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
async def test_what_a_crash_left_goes_after_a_day_and_not_before(world: World) -> None:
    oid = await world.put(b"live")
    live = world.listed()
    left = world.blobs.keep(world.part(b"kept, but never named"))
    assert await world.upkeep.once() == Swept()
    assert await world.later(DAY - 1) == Swept()
    assert world.listed() == live | {left}
    assert await world.later(2) == Swept(blobs=1)
    assert world.listed() == live
    assert await world.data(oid) == b"live"


@story
async def test_bytes_that_were_deleted_go_after_a_day(world: World) -> None:
    await world.put(b"live")
    live = world.listed()
    oid = await world.put(b"deleted")
    await world.objects.delete("main", oid)
    assert await world.upkeep.once() == Swept()
    assert len(world.listed()) == 2
    assert await world.later() == Swept(blobs=1)
    assert world.listed() == live


@story
async def test_of_a_sound_that_was_purged_the_row_goes_first_and_the_blobs_later(
    world: World,
) -> None:
    await world.put(b"live")
    live = world.listed()
    oid = await world.post()
    waveform = world.blobs.keep(world.part(b"waveform"))
    await world.run("UPDATE objects SET peaks_blob = :key WHERE oid = :oid", key=waveform, oid=oid)
    assert await world.upkeep.once() == await world.later() == Swept()
    assert waveform in world.listed()
    await world.purge(oid)
    assert await world.upkeep.once() == Swept()
    assert await world.later() == Swept(objects=1)
    assert len(world.listed()) == 3
    assert await world.later() == Swept(blobs=2)
    assert world.listed() == live


@story
async def test_what_was_put_or_has_a_sound_or_a_history_is_never_unused(world: World) -> None:
    oid = await world.put(b"put")
    wav = await world.post()
    await world.run("UPDATE sounds SET trashed = '9999-01-01T00:00:00Z'")
    old = await world.post(build_wav(Plan(frames=600)))
    await world.run(
        "INSERT INTO revisions (sound, rev, step, kind, at, object, doc) "
        "SELECT max(sound.seq), 1, 's', 'changed', 'a', object.seq, '{}' "
        "FROM sounds AS sound, objects AS object WHERE object.oid = :oid",
        oid=old,
    )
    await world.run(
        "UPDATE sounds SET object = (SELECT seq FROM objects WHERE oid = :wav)", wav=wav
    )
    before = world.listed()
    for _ in range(4):
        assert await world.later() == Swept()
    assert world.listed() == before
    assert await world.data(oid) == b"put"
    assert await world.data(wav) == WAV


@story
async def test_a_second_upload_between_the_two_steps_keeps_the_bytes(world: World) -> None:
    oid = await world.post()
    await world.purge(oid)
    assert await world.upkeep.once() == Swept()
    world.now += DAY + 1
    assert await world.post() == oid
    assert await world.upkeep.once() == await world.later() == Swept()
    assert await world.data(oid) == WAV
    assert len(world.listed()) == 1


@story
async def test_a_row_that_is_committed_after_its_blob_was_listed_keeps_it(world: World) -> None:
    await world.put(b"live")
    kept = await objects.keep(world.catalog, world.blobs, world.part(b"slow"), "main")
    assert await world.upkeep.once() == Swept()

    def name(connection: Connection, kept: Kept) -> tuple[objects.Held, None]:
        return objects.hold(connection, kept, "2026-01-01T00:00:00Z", put=True), None

    await objects.enter(world.catalog, world.blobs, kept, name)
    assert await world.later() == await world.later() == Swept()
    assert await world.data(kept.sha256) == b"slow"


@pytest.mark.parametrize("what", ["blob", "object"])
def test_what_comes_into_use_right_before_the_drop_stays(world: World, what: str) -> None:
    """The last look is in the transaction that drops."""

    async def steps() -> None:
        await world.put(b"live")
        kept = await objects.keep(world.catalog, world.blobs, world.part(WAV), "main")
        if what == "object":
            await objects.enter(world.catalog, world.blobs, kept, enter, put=False)
        await world.upkeep.once()
        drop = world.upkeep._drop

        async def late(due: list[str], now: float) -> Swept:
            assert len(due) == 1
            if what == "object":
                await world.post()
            else:
                await objects.enter(world.catalog, world.blobs, kept, enter, put=True)
            return await drop(due, now)

        world.upkeep._drop = late  # type: ignore[method-assign]
        assert await world.later() == Swept()
        assert await world.data(kept.sha256) == WAV

    def enter(connection: Connection, kept: Kept, *, put: bool) -> tuple[objects.Held, None]:
        return objects.hold(connection, kept, "2026-01-01T00:00:00Z", put=put), None

    asyncio.run(steps())


def test_nothing_goes_when_something_cannot_be_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir, calls = os.scandir, []

    def broken(path: Any) -> Any:
        calls.append(path)
        if len(calls) > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(path)

    async def steps() -> None:
        for number in range(30):
            await world.put(bytes([number]))
        world.blobs.keep(world.part(b"left"))
        await world.upkeep.once()
        before = world.listed()
        with monkeypatch.context() as patched:
            patched.setattr(os, "scandir", broken)
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                await world.later()
        assert world.listed() == before
        await world.run("UPDATE unused SET since = 'no moment'")
        with pytest.raises(TypeError, match="not supported"):
            await world.upkeep.once()
        assert world.listed() == before

    asyncio.run(steps())


@pytest.mark.parametrize("left", [0, 1])
def test_blobs_are_not_dropped_for_want_of_rows(world: World, left: int) -> None:
    async def steps() -> None:
        for number in range(102):
            await world.put(bytes([number]))
        before = world.listed()
        await world.run("DELETE FROM objects WHERE seq > :left", left=left)
        for _ in range(3):
            with pytest.raises(Exception, match="restore it from a backup"):
                await world.later()
        assert world.listed() == before

    asyncio.run(steps())


@story
async def test_everything_may_be_deleted_by_those_who_put_it(world: World) -> None:
    for number in range(102):
        oid = await world.put(bytes([number]))
        await world.objects.delete("main", oid)
    await world.upkeep.once()
    assert await world.later() == Swept(blobs=102)
    assert world.listed() == set()
    assert await world.rows() == 0


@story
async def test_a_blob_that_is_on_its_way_is_not_even_noted(world: World) -> None:
    world.now = time.time()
    world.blobs.keep(world.part(b"on its way into an empty library"))
    assert await world.upkeep.once() == Swept()
    with pytest.raises(Exception, match="restore it from a backup"):
        await world.later(2 * HOUR)


def test_a_round_that_fails_is_told_and_the_next_one_comes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps() -> None:
        await world.put(b"live")
        left = world.blobs.keep(world.part(b"left"))
        upkeep = world.make_upkeep(grace_s=0, every_s=0.01)
        once, tries = upkeep.once, []

        async def fails_at_first() -> Swept:
            tries.append(1)
            if len(tries) == 1:
                raise OSError(errno.EIO, "the disk is odd")
            return await once()

        upkeep.once = fails_at_first  # type: ignore[method-assign]
        task = asyncio.create_task(upkeep.run())
        async with asyncio.timeout(10):
            while left in world.listed():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(steps())
    assert "the disk is odd" in caplog.text


@story
async def test_what_is_too_long_in_the_trash_is_purged_and_its_bytes_go_later(
    world: World,
) -> None:
    await world.put(b"live")
    live = world.listed()
    oid = await world.post()
    await world.post(build_wav(Plan(frames=600)), version=True)
    await world.run("UPDATE sounds SET trashed = :at", at=world.moment(-30 * DAY + HOUR))
    assert await world.upkeep.once() == Swept()
    assert await world.later(HOUR) == Swept(sounds=1)
    assert await world.data(oid) == WAV
    assert await world.upkeep.once() == await world.later(DAY - 1) == Swept()
    assert await world.later(2) == Swept(objects=2)
    assert len(world.listed()) == 3
    assert await world.later() == Swept(blobs=2)
    assert world.listed() == live


@story
async def test_nothing_is_purged_when_something_is_in_doubt(world: World) -> None:
    await world.post()
    await world.run("UPDATE sounds SET trashed = '2020-01-01T00:00:00Z'")
    for number in range(101):
        world.blobs.keep(world.part(bytes([number])))
    with pytest.raises(Exception, match="restore it from a backup"):
        await world.upkeep.once()
    assert (await world.trash.page(Ask(10)))[0].count == 1


def test_the_server_looks_when_it_starts(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        requests.put(f"{server}/data/main", data=b"live", timeout=10)
        oid = requests.put(f"{server}/data/main", data=b"dead", timeout=10).json()["oid"]
        assert requests.delete(f"{server}/data/main/{oid}", timeout=10).status_code == 200
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        changed = connection.execute("UPDATE unused SET since = 1 WHERE name LIKE 'unused-blob %'")
        assert changed.rowcount >= 1
        connection.commit()

    def files() -> list[bytes]:
        return [path.read_bytes() for path in (tmp_path / "blobs").rglob("*") if path.is_file()]

    assert sorted(files()) == [b"dead", b"live"]
    with serve(tmp_path):
        until(lambda: files() == [b"live"])
