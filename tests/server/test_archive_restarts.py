"""Archives of URLs whose server stops: what is remembered, and what the next one goes on with."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from sonoteca_server.catalog import jobs as job_rows
from sonoteca_server.catalog.schema import jobs
from sonoteca_server.storage.growing import GrowingPart
from tests.kit.archiving import Archiving, Made
from tests.kit.jobs import World, in_world
from tests.kit.upstream import File, Upstream, Visit, upstream
from tests.server.test_archive_jobs import DATA, largest

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def test_a_restart_does_not_count_bytes_twice(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    begun = threading.Event()

    def later(visit: Visit) -> None:
        if not begun.is_set():
            begun.set()
            visit.stall()
        File(b"x" * 300)(visit)

    async def work(world: World) -> None:
        twice = remote.url("/twice.wav", File(bytes(600)))
        same = remote.url("/same.wav", File(bytes(600)))
        urls = [twice, twice, same, remote.url("/later.wav", later)]
        archive = await Archiving(world, tmp_path, remote).order(urls)
        async with (first := Archiving(world, tmp_path, remote, max_bytes=1_500)).working():
            await asyncio.to_thread(begun.wait)
            await first.until(lambda made: len(made.files) == 2, archive)
        async with Archiving(world, tmp_path, remote, max_bytes=1_500).working():
            job = await world.until(archive)
        assert (await first.find(archive)).errors == []
        assert job.progress is not None
        assert job.progress.bytes_done == 1_500

    in_world(database, tmp_path, work)


def test_a_server_that_stops_leaves_the_bytes_for_the_next(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    held = threading.Event()

    def answer(visit: Visit, file: File) -> None:
        if visit.asked:
            return file(visit)
        visit.head(ETag=file.etag, Content_Length=len(DATA))
        visit.send(DATA[:18_000_000])
        held.set()
        visit.stall()
        return None

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        file = File(DATA)
        url = remote.url("/a.wav", partial(answer, file=file))
        archive = await archiving.order([url])
        async with archiving.working():
            await asyncio.to_thread(held.wait)
            # So much that the rest alone does not have all of it heard again.
            await archiving.until(lambda made: promised(made) >= 16 << 20, archive)
        again = Archiving(world, tmp_path, remote)
        async with again.working():
            await world.until(archive)
        assert (await again.find(archive)).files == {"a.wav": DATA}
        assert await largest(world) == (hashlib.sha256(DATA).hexdigest(), zlib.crc32(DATA))
        # What was promised is not fetched a second time.
        assert file.sent <= len(DATA) - (16 << 20)
        assert remote.paths() == ["/a.wav", "/a.wav"]

    in_world(database, tmp_path, work)


def test_a_part_is_never_closed_beside_a_write(
    tmp_path: Path, database: str, remote: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, closed, beside = threading.Event(), threading.Event(), []
    append, close = GrowingPart.append, GrowingPart.close

    def append_late(part: GrowingPart[Any], data: bytes) -> None:
        begun.set()
        beside.append(closed.wait(0.5))
        append(part, data)

    def close_noting(part: GrowingPart[Any]) -> None:
        closed.set()
        close(part)

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        await archiving.order([remote.url("/a.wav", File(b"sound"))])
        async with archiving.working():
            await asyncio.to_thread(begun.wait)
        assert beside == [False]
        assert closed.is_set()

    monkeypatch.setattr(GrowingPart, "append", append_late)
    monkeypatch.setattr(GrowingPart, "close", close_noting)
    in_world(database, tmp_path, work)


def promised(made: Made) -> int:
    """How many bytes are promised of all files together."""
    return sum(each["offset"] for each in made.promised.values())


def test_what_a_job_remembers_does_not_grow_with_the_length_of_its_urls(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    begun = threading.Event()

    def unsized(visit: Visit) -> None:
        visit.head(Content_Type="audio/wav")
        visit.send(b"sound")

    def last(visit: Visit) -> None:
        begun.set()
        visit.stall()

    async def work(world: World) -> None:
        urls = [remote.url(f"/{n}.wav?{'x' * 3_000}", unsized) for n in range(20)]
        archiving = Archiving(world, tmp_path, remote)
        archive = await archiving.order([*urls, remote.url("/last.wav", last)])
        async with archiving.working():
            await asyncio.to_thread(begun.wait)
            await archiving.until(lambda made: len(made.files) == len(urls), archive)
        row = await world.catalog.read(job_rows.find, archive)
        assert len(row.checkpoint) < 1_000
        remote.url("/last.wav", unsized)
        async with Archiving(world, tmp_path, remote).working():
            job = await world.until(archive)
        assert job.result["unproven"] == [*urls, remote.url("/last.wav")]

    in_world(database, tmp_path, work)


def test_progress_that_is_not_certain_forgives_no_lost_process(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    def stalling(visit: Visit) -> None:
        visit.head(Content_Length=1_000)
        visit.send(bytes(100))
        visit.stall()

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        archive = await archiving.order([remote.url("/a.wav", stalling)])
        lost = update(jobs).where(jobs.c.id == archive).values(losses=7)
        await world.catalog.write(lambda connection: connection.execute(lost))
        async with archiving.working():
            await archiving.until(lambda made: made.bytes_done == 100, archive)
            row = await world.catalog.read(job_rows.find, archive)
        assert row.losses == 7

    in_world(database, tmp_path, work)
