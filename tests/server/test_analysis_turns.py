"""Who analyses what: decoders crash, servers are killed, and each sound is measured once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from sonoteca_server import app
from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import changes, objects
from sonoteca_server.jobs.analysis import Analysis
from sonoteca_server.library import analysis_rows as rows
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.models import Loudness
from tests.kit import decoders
from tests.kit.api import Api
from tests.kit.http import ServerProcess, serve
from tests.kit.labour import WorkerProcess
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav
from tests.server.conftest import BOTH

DATABASES = BOTH
# A decoder takes a second to start, and more where others start too.
PATIENCE = 25.0
MEASURED = Loudness(true_peak=-1.0)


def post(server: str, seed: int, samplerate: int = 8_000) -> str:
    """A new sound; its id."""
    data = build_wav(Plan(seconds=0.5, channels=1, samplerate=samplerate, seed=seed))
    answer = requests.post(f"{server}/post?name={seed}.wav", data=data, timeout=10)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def findings(server: str, sound: str) -> list[str]:
    return [each["code"] for each in Api(server).get(f"/sounds/{sound}")["findings"]]


def loudness(server: str, sound: str) -> Any:
    return Api(server).get(f"/sounds/{sound}")["loudness"]


def shut(folder: Path) -> Path:
    """A gate that decoders wait at until it is removed."""
    gate = folder / "gate"
    folder.mkdir(exist_ok=True)
    gate.touch()
    return gate


def uploaded(folder: Path, database: str, count: int) -> list[str]:
    """So many sounds in a library that nobody serves any more; none is analysed, the gate shut."""
    shut(folder)
    server = ServerProcess(folder, "--database", database, program="tests.kit.decoders")
    try:
        sounds = [post(server.url, seed) for seed in range(count)]
    finally:
        assert server.stop() == 0
    return sounds


@contextlib.contextmanager
def opened(database: str, folder: Path) -> Iterator[Catalog]:
    """The catalogue, as one more process sees it."""
    catalog = home_of(database, folder).open()
    try:
        yield catalog
    finally:
        catalog.close()


def told(database: str, folder: Path) -> Counter[str]:
    """How often the feed has told of a change of each sound."""
    query = select(changes.c.subject).where(changes.c.type == "sound.changed")
    with home_of(database, folder).look() as connection:
        return Counter(connection.execute(query).scalars())


def owners(database: str, folder: Path) -> list[str]:
    """Who analyses something now."""
    query = select(objects.c.analysis_owner).where(objects.c.analysis_owner.is_not(None))
    with home_of(database, folder).look() as connection:
        return list(connection.execute(query).scalars())


@pytest.mark.timeout(60)
def test_a_crash_of_the_decoder_costs_one_try(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "Analysis", partial(Analysis, decoder=decoders.made_for(tmp_path)))
    with serve(tmp_path / "library", database=database) as server:
        sound = post(server, 1, decoders.CRASHES_ONCE)
        until(lambda: loudness(server, sound), seconds=PATIENCE)
        assert findings(server, sound) == []
    assert decoders.crashes(tmp_path) == 1


@pytest.mark.timeout(60)
def test_what_crashes_the_decoder_each_time_says_so_and_others_go_on(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "Analysis", partial(Analysis, decoder=decoders.made_for(tmp_path)))
    with serve(tmp_path / "library", database=database) as server:
        bad, good = post(server, 1, decoders.CRASHES), post(server, 2)
        until(lambda: "analysis.failed" in findings(server, bad), seconds=PATIENCE)
        until(lambda: loudness(server, good), seconds=PATIENCE)
        assert findings(server, bad) == ["analysis.failed"]
        assert Api(server).names(q="has:findings") == ["1.wav"]
        assert Api(server).ask("GET", f"/sounds/{bad}/peaks").status_code == 404
    assert decoders.crashes(tmp_path) == 2


@pytest.mark.timeout(90)
@pytest.mark.slow
def test_a_server_that_is_killed_at_it_measures_each_sound_once_all_the_same(
    tmp_path: Path, database: str
) -> None:
    library = tmp_path / "library"
    gate = shut(library)
    flags = ("--database", database)
    server = ServerProcess(library, *flags, program="tests.kit.decoders")
    try:
        sounds = [post(server.url, seed) for seed in range(3)]
        killed = set()
        for _ in range(3):
            killed.update(until(lambda: owners(database, library), seconds=PATIENCE))
            server.kill()
            server.start()
            until(lambda: set(owners(database, library)) - killed, seconds=PATIENCE)
        gate.unlink()
        for sound in sounds:
            until(partial(loudness, server.url, sound), seconds=PATIENCE)
            assert findings(server.url, sound) == []
    finally:
        server.kill()
    assert told(database, library) == dict.fromkeys(sounds, 1)
    assert len(killed) == 3


@pytest.mark.timeout(60)
def test_several_share_the_work_and_nothing_is_done_twice(tmp_path: Path, database: str) -> None:
    sounds = uploaded(tmp_path, database, 12)

    def begun() -> bool:
        return len(owners(database, tmp_path)) == 3

    def ended() -> bool:
        return len(told(database, tmp_path)) == 12 and not owners(database, tmp_path)

    async def share(catalogs: list[Catalog]) -> None:
        running = []
        for number, catalog in enumerate(catalogs):
            decoder, place = decoders.made_for(tmp_path), f"place {number}"
            analysis = Analysis(catalog, LocalBlobs(tmp_path), decoder=decoder, place=place)
            running.append(asyncio.create_task(analysis.run()))
        try:
            await asyncio.to_thread(partial(until, begun, seconds=PATIENCE))
            (tmp_path / "gate").unlink()
            await asyncio.to_thread(partial(until, ended, seconds=PATIENCE))
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    with contextlib.ExitStack() as stack:
        catalogs = [stack.enter_context(opened(database, tmp_path)) for _ in range(3)]
        asyncio.run(share(catalogs))
    assert told(database, tmp_path) == dict.fromkeys(sounds, 1)


@pytest.mark.timeout(60)
@pytest.mark.slow
def test_workers_beside_the_server_take_over_from_one_that_is_killed(
    tmp_path: Path, database: str
) -> None:
    sounds = uploaded(tmp_path, database, 6)
    worker = partial(WorkerProcess, tmp_path, database, module="tests.kit.decoders worker")
    first = worker()
    try:
        until(lambda: any(f" {first.pid}/" in owner for owner in owners(database, tmp_path)))
        first.signal(signal.SIGKILL)
        first.wait()
        (tmp_path / "gate").unlink()
        second = worker()
        try:
            until(lambda: len(told(database, tmp_path)) == 6, seconds=PATIENCE)
            second.signal(signal.SIGTERM)
            assert second.wait() == 0
        finally:
            second.end()
    finally:
        first.end()
    assert told(database, tmp_path) == dict.fromkeys(sounds, 1)
    assert not owners(database, tmp_path)


def test_a_lease_that_nobody_renews_ends_and_whoever_had_it_writes_nothing(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded(tmp_path, database, 1)

    async def story(catalog: Catalog) -> None:
        async def claim(owner: str) -> rows.Wanted | None:
            return await catalog.write(rows.claim, owner, ())

        monkeypatch.setattr(rows, "LEASE_S", 0.5)
        first = await claim("a/1")
        assert first is not None
        assert await claim("b/1") is None
        await catalog.write(rows.renew, first.seq, "a/1")
        await asyncio.sleep(0.6)  # nobody tells when a lease ends
        second = await claim("b/1")
        assert second == first
        with pytest.raises(rows.LostError):
            await catalog.write(rows.renew, first.seq, "a/1")
        with pytest.raises(rows.LostError):
            await catalog.write(rows.note_ready, first.seq, "a/1", MEASURED, None)
        with pytest.raises(rows.LostError):
            await catalog.write(rows.note_failure, first.seq, "a/1")
        await catalog.write(rows.note_ready, first.seq, "b/1", MEASURED, None)
        assert await claim("b/1") is None

    with opened(database, tmp_path) as catalog:
        asyncio.run(story(catalog))
    assert list(told(database, tmp_path).values()) == [1]


def test_a_start_frees_what_a_dead_server_had_where_no_other_can_live(
    tmp_path: Path, database: str
) -> None:
    uploaded(tmp_path, database, 2)

    async def story(catalog: Catalog) -> None:
        first = await catalog.write(rows.claim, "server/1", ())
        second = await catalog.write(rows.claim, "worker/1", ())
        await catalog.write(rows.free, "server")
        # On PostgreSQL a server with that name may live on another machine.
        freed = first if database == "sqlite" else None
        assert await catalog.write(rows.claim, "server/2", ()) == freed
        await catalog.write(rows.hand_back, "worker/1")
        assert await catalog.write(rows.claim, "server/3", ()) == second

    with opened(database, tmp_path) as catalog:
        asyncio.run(story(catalog))


def test_what_just_came_is_analysed_before_what_was_there(tmp_path: Path, database: str) -> None:
    uploaded(tmp_path, database, 4)

    async def order(catalog: Catalog) -> list[int]:
        def age(connection: Any) -> None:
            columns = objects.c.analysis, objects.c.seq
            for rank, seq in ((2, 1), (1, 3), (0, 2), (0, 4)):
                one = objects.update().where(columns[1] == seq)
                connection.execute(
                    one.values(analysis=rank, analysis_owner=None, analysis_until=None)
                )

        await catalog.write(age)
        claimed = [await catalog.write(rows.claim, f"{turn}/1", ()) for turn in range(5)]
        return [wanted.seq for wanted in claimed if wanted is not None]

    with opened(database, tmp_path) as catalog:
        assert asyncio.run(order(catalog)) == [4, 2, 3, 1]
