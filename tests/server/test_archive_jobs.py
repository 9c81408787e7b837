"""Archives of URLs: each file fetched once and kept whole, whatever happens; on both engines."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from sonoteca_server.catalog.schema import objects
from sonoteca_server.jobs import fetch
from sonoteca_server.jobs.addresses import Target, parse_url
from sonoteca_server.library.archive_rows import OnError
from tests.kit.archiving import Archiving
from tests.kit.jobs import World, in_world
from tests.kit.upstream import File, Upstream, Visit, upstream
from tests.server.test_fetch import redirect_to

DATABASES = ("sqlite", "postgresql")
DATA = random.Random(3).randbytes(20_000_000)


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def test_what_came_is_kept_with_its_digests_and_what_did_not_is_told(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        made = await archiving.made(
            [
                remote.url("/take1.wav", File(DATA)),
                remote.url("/missing.wav"),
                remote.url("/notes.txt", File(b"any bytes", kind="text/plain")),
                "http://127.0.0.1:1/a.wav",
                "ftp://example.org/a.wav",
            ]
        )
        assert made.state == "completed"
        assert made.files == {"take1.wav": DATA, "notes.txt": b"any bytes"}
        assert [(each.url.rpartition("/")[2], each.code) for each in made.errors] == [
            ("missing.wav", "http-status"),
            ("a.wav", "address-not-public"),
            ("a.wav", "bad-url"),
        ]
        assert made.errors[1].detail.endswith("to allow it add 127.0.0.1:1 to FETCH_ALLOW")
        assert await largest(world) == (hashlib.sha256(DATA).hexdigest(), zlib.crc32(DATA))
        assert list(archiving.parts.list_keys()) == []
        job = await world.jobs.get(archiving.told[0].hash)
        assert job.progress is not None
        assert (job.progress.files_done, job.progress.files_total) == (5, 5)
        assert job.progress.bytes_done == job.progress.bytes_total == len(DATA) + 9

    in_world(database, tmp_path, work)


def test_a_url_that_stands_twice_is_fetched_once_and_is_two_members(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        url = remote.url("/take1.wav", File(b"sound"))
        made = await archiving.made([url, remote.url("/b.wav", File(b"other")), url])
        assert made.files == {
            "take1.wav": b"sound",
            "b.wav": b"other",
            "take1 (2).wav": b"sound",
        }
        assert sorted(remote.paths()) == ["/b.wav", "/take1.wav"]

    in_world(database, tmp_path, work)


def test_an_archive_that_is_to_fail_does_so_with_the_first_file_that_does_not_come(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    def endless(visit: Visit) -> None:
        visit.head(Content_Type="audio/wav")
        while True:
            visit.send(bytes(65536))

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        urls = [remote.url("/endless.wav", endless), remote.url("/missing.wav")]
        made = await archiving.made(urls, OnError.FAIL)
        assert (made.state, made.files) == ("failed", {})
        assert [each.code for each in made.errors] == ["http-status"]
        assert list(archiving.parts.list_keys()) == []

    in_world(database, tmp_path, work)


def test_what_nobody_foresaw_of_one_file_costs_no_other(
    tmp_path: Path, database: str, remote: Upstream, monkeypatch: pytest.MonkeyPatch,
    claim_errors: Callable[[str], None],
) -> None:  # fmt: skip
    def parse_odd(url: str) -> Target:
        if url.endswith("/odd.wav"):
            raise RuntimeError("a fault of ours")
        return parse_url(url)

    monkeypatch.setattr(fetch, "parse_url", parse_odd)

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        urls = [remote.url("/odd.wav"), remote.url("/a.wav", File(b"sound"))]
        made = await archiving.made(urls)
        assert (made.state, made.files) == ("completed", {"a.wav": b"sound"})
        assert [each.code for each in made.errors] == ["internal"]
        job = await world.jobs.get(archiving.told[0].hash)
        assert job.attempts == 1

    in_world(database, tmp_path, work)
    claim_errors("file 0 of archive")


def test_files_that_wait_for_another_try_keep_nothing_open(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    def cut(visit: Visit) -> None:
        visit.head(ETag='"one"', Content_Length=10)
        visit.send(b"x")

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote, pause_s=30.0)
        urls = [remote.url(f"/{n}.wav", cut) for n in range(40)]
        archive = await archiving.order(urls)
        async with archiving.working():
            await archiving.until(lambda _: begun() == len(urls) and not open_parts(), archive)

    def begun() -> int:
        return len(list((tmp_path / "fetching").iterdir()))

    def open_parts() -> int:
        count = 0
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                count += link.readlink().parent == tmp_path / "fetching"
        return count

    in_world(database, tmp_path, work)


def test_archives_that_do_not_get_on_keep_no_other_waiting(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    async def work(world: World) -> None:
        other = f"localhost:{remote.port}"
        archiving = Archiving(world, tmp_path, allow=f"{remote.place},{other}")
        slow = [await archiving.order([remote.url("/slow.wav", Visit.stall)]) for _ in range(8)]
        remote.url("/a.wav", File(b"sound"))
        assert (await archiving.made([f"http://{other}/a.wav"])).state == "completed"
        assert {(await archiving.find(each)).state for each in slow} == {"in-progress"}

    in_world(database, tmp_path, work)


def test_an_archive_ends_with_what_is_there_when_its_time_is_over(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote, max_s=2.0)
        urls = [remote.url("/slow.wav", Visit.stall), remote.url("/a.wav", File(b"sound"))]
        made = await archiving.made(urls)
        assert (made.state, made.files) == ("completed", {"a.wav": b"sound"})
        assert [each.code for each in made.errors] == ["too-slow"]
        assert list(archiving.parts.list_keys()) == []

    in_world(database, tmp_path, work)


def test_an_archive_of_which_nothing_came_has_failed(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        made = await archiving.made([remote.url("/a.wav"), remote.url("/b.wav")])
        assert (made.state, len(made.errors)) == ("failed", 2)
        job = await world.jobs.get(archiving.told[0].hash)
        assert job.error is not None
        assert (job.state, job.error.code) == ("failed", "archive-failed")

    in_world(database, tmp_path, work)


def test_files_have_so_many_bytes_together_and_one_more_is_too_many(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    def unsized(visit: Visit) -> None:
        visit.head(Content_Type="audio/wav")
        visit.send(bytes(1_000_001))

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote, max_bytes=1_000_000)
        for answer in (unsized, File(bytes(1_000_001))):
            made = await archiving.made([remote.url("/a.wav", answer)])
            assert [each.code for each in made.errors] == ["archive-too-large"]
        assert (await archiving.made([remote.url("/a.wav", File(bytes(10**6)))])).errors == []
        halves = [remote.url(f"/{name}.wav", File(bytes(600_000))) for name in "ab"]
        made = await archiving.made(halves)
        assert (len(made.files), len(made.errors)) == (1, 1)

    in_world(database, tmp_path, work)


@pytest.mark.parametrize("how", ["job", "archive"])
def test_a_cancelled_archive_stops_at_once_and_drops_its_bytes(
    tmp_path: Path, database: str, remote: Upstream, how: str
) -> None:
    begun, left = threading.Event(), threading.Event()

    def answer(visit: Visit) -> None:
        visit.head(Content_Length=len(DATA))
        visit.send(DATA[:1_000_000])
        begun.set()
        visit.stall()
        left.set()

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        archive = await archiving.order([remote.url("/a.wav", answer)])
        async with archiving.working():
            await asyncio.to_thread(begun.wait)
            if how == "job":
                await world.jobs.cancel(archive)
            else:
                await archiving.archives.cancel(archive)
            assert await asyncio.to_thread(left.wait, 10.0)
            await archiving.until(lambda made: made.state == "cancelled", archive)
            await archiving.until(lambda _: not list(archiving.parts.list_keys()), archive)

    in_world(database, tmp_path, work)


async def largest(world: World) -> tuple[str, int]:
    """SHA-256 and CRC-32 of the largest object, as they were noted."""
    query = select(objects.c.oid, objects.c.crc32).order_by(objects.c.size.desc())
    row = await world.catalog.read(lambda connection: connection.execute(query.limit(1)).one())
    return row.oid, row.crc32


def test_what_ends_with_its_connection_is_in_the_archive_and_told(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    def answer(visit: Visit) -> None:
        visit.head(Content_Type="audio/wav")
        visit.send(b"sound")

    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        url = remote.url("/a.wav", answer)
        made = await archiving.made([url])
        assert (made.files, made.errors) == ({"a.wav": b"sound"}, [])
        job = await world.jobs.get(archiving.told[0].hash)
        assert job.result["unproven"] == [url]

    in_world(database, tmp_path, work)


def test_many_files_of_many_kinds_come_in_the_order_they_were_asked_for(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    async def work(world: World) -> None:
        archiving = Archiving(world, tmp_path, remote)
        urls = [remote.url(f"/{n:03}.wav", File(f"sound {n}".encode())) for n in range(150)]
        urls[7] = remote.url("/moved.wav", redirect_to("/007.wav"))
        made = await archiving.made(urls)
        names = [f"{n:03}.wav" for n in range(150)]
        names[7] = "moved.wav"
        assert list(made.files) == names
        assert made.files["moved.wav"] == b"sound 7"

    in_world(database, tmp_path, work)
