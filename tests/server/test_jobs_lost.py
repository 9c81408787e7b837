"""Jobs whose process ended, slept or lost them, and jobs that are over: what the rows say then."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from sonoteca_server.catalog import feed
from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.constructs import clock
from sonoteca_server.catalog.pages import Ask
from sonoteca_server.catalog.schema import changes, facts, jobs
from sonoteca_server.jobs.worker import LostError, Task
from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.models import Progress
from tests.kit.jobs import World, in_world

DATABASES = ("sqlite", "postgresql")
DAY = 86_400.0


async def set_row(world: World, job_id: str, **values: Any) -> None:
    """Have the row of a job be as if time had passed."""

    def change(connection: Connection) -> None:
        connection.execute(jobs.update().where(jobs.c.id == job_id).values(values))

    await world.catalog.write(change)


async def begin(world: World, owner: str) -> list[rows.Claim]:
    """What a process takes that is going to end without a word."""
    return await world.catalog.write(rows.claim, owner, {"work": 1}, 60)


async def begin_and_die(world: World, job_id: str) -> None:
    """A process takes the job, ends, and its lease runs out."""
    assert [claim.id for claim in await begin(world, "dead/1")] == [job_id]
    await set_row(world, job_id, due=0)
    assert await world.catalog.read(rows.has_work, ["work"])


def pause(connection: Connection, job_id: str) -> float:
    """Seconds until a job is due, by the clock that counts."""
    query = select(jobs.c.due - clock()).where(jobs.c.id == job_id)
    return float(connection.execute(query).scalar_one())


def test_a_worker_that_slept_does_not_take_its_second_try_for_its_first(
    tmp_path: Path, database: str
) -> None:
    async def work(world: World) -> None:
        slept, again = asyncio.Event(), asyncio.Event()
        told: list[str] = []

        def effect(connection: Connection) -> None:
            connection.execute(facts.insert().values(name=f"effect {len(told)}", value=""))

        async def sleep_over_it(task: Task) -> None:
            if not slept.is_set():
                slept.set()
                await again.wait()
                with pytest.raises(LostError):
                    await task.save_with(effect)
                told.append("lost")
                raise LostError
            again.set()
            while not told:
                await task.save()
            await task.save_with(effect)

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": sleep_over_it}):
            await slept.wait()
            await set_row(world, job_id, due=0)
            await world.until(job_id)

        def effects(connection: Connection) -> list[str]:
            query = select(facts.c.name).where(facts.c.name.startswith("effect"))
            return list(connection.execute(query).scalars())

        assert await world.catalog.read(effects) == ["effect 1"]

    in_world(database, tmp_path, work)


def test_a_process_that_ends_costs_no_try(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        job_id = await world.jobs.submit("work", {})
        for _ in range(2):
            await begin_and_die(world, job_id)
        (claim,) = await begin(world, "next/1")
        assert claim.attempt == 1

    in_world(database, tmp_path, work)


def test_a_job_that_may_be_what_ends_processes_comes_later_and_later(
    tmp_path: Path, database: str
) -> None:
    async def work(world: World) -> None:
        job_id = await world.jobs.submit("work", {})
        pauses = []
        for _ in range(6):
            await begin_and_die(world, job_id)
            begun = await begin(world, "next/1")
            pauses.append(0 if begun else round(await world.catalog.read(pause, job_id), -1))
            await set_row(world, job_id, state="ready", owner=None, due=0)
        assert pauses == [0, 0, 10, 20, 40, 80]

    in_world(database, tmp_path, work)


def test_a_job_that_gets_nowhere_is_not_begun_for_ever(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        job_id = await world.jobs.submit("work", {})
        for _ in range(19):
            await begin_and_die(world, job_id)
            await begin(world, "next/1")
            await set_row(world, job_id, state="ready", owner=None, due=0)
        assert (await world.jobs.get(job_id)).state == "ready"
        await begin_and_die(world, job_id)
        assert await begin(world, "next/1") == []
        job = await world.jobs.get(job_id)
        assert job.error is not None
        assert (job.state, job.error.code) == ("failed", "lost")

    in_world(database, tmp_path, work)


def test_a_job_that_ends_its_server_is_not_begun_for_ever(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        job_id = await world.jobs.submit("work", {})
        pauses = []
        for start in range(20):
            (claim,) = await begin(world, f"server/{start}")
            # What was known before is no step ahead.
            await Task(world.jobs, claim, 60).save({"step": 1} if start else {})
            await world.jobs.free("server")
            pauses.append(round(max(0, await world.catalog.read(pause, job_id)), -1))
            job = await world.jobs.get(job_id)
            assert job.state == ("ready" if start < 19 else "failed")
            if start == 1:
                await set_row(world, job_id, losses=2)
            if job.state == "ready":
                await set_row(world, job_id, due=0)
        assert pauses[:5] == [0, 0, 10, 20, 40]
        assert pauses[-1] == 0  # it has ended now, not in a while
        job = await world.jobs.get(job_id)
        assert job.error is not None
        assert job.error.code == "lost"

    in_world("sqlite", tmp_path, work)


def test_a_job_that_gets_further_is_begun_as_often_as_need_be(
    tmp_path: Path, database: str
) -> None:
    async def work(world: World) -> None:
        job_id = await world.jobs.submit("work", {})
        for step in range(25):
            (claim,) = await begin(world, f"dead/{step}")
            await Task(world.jobs, claim, 60).save({"step": step})
            await set_row(world, job_id, due=0)
        assert (await world.jobs.get(job_id)).state == "running"
        assert [claim.checkpoint for claim in await begin(world, "next/1")] == [{"step": 24}]

    in_world(database, tmp_path, work)


def test_what_a_dead_server_ran_goes_on_at_once_where_no_other_can_live(
    tmp_path: Path, database: str
) -> None:
    async def work(world: World) -> None:
        job_id = await world.jobs.submit("work", {})
        beside = await world.jobs.submit("work", {})
        await begin(world, "server/1")
        await begin(world, "worker/1")
        await world.jobs.free("server")
        states = [(await world.jobs.get(each)).state for each in (job_id, beside)]
        # On PostgreSQL a server with that name may live on another machine.
        first = "ready" if database == "sqlite" else "running"
        assert states == [first, "running"]

    in_world(database, tmp_path, work)


def test_the_last_progress_is_told_even_if_it_came_too_soon(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        seen = asyncio.Event()

        async def hurry(task: Task) -> None:
            for done in range(3):
                await task.save(progress=Progress(files_done=done))
            await seen.wait()

        def told(connection: Connection) -> int:
            query = select(changes.c.rev).where(changes.c.type == "job.changed")
            return len(connection.execute(query).all())

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": hurry}, lease_s=0.3):
            # Asked for, begun, the first progress; then the last one with a heartbeat.
            while await world.catalog.read(told) < 4:
                await world.until(job_id, "running")
            job = await world.jobs.get(job_id)
            assert job.progress == Progress(files_done=2)
            seen.set()
            await world.until(job_id)

    in_world(database, tmp_path, work)


def test_jobs_that_ended_long_ago_are_forgotten_with_what_the_feed_told(
    tmp_path: Path, database: str
) -> None:
    async def work(world: World) -> None:
        made = [await world.jobs.submit("work", {}) for _ in range(3)]
        old, new, open_ = made
        for each in (old, new):
            await world.jobs.cancel(each)
        await set_row(world, old, due=0)
        await set_row(world, open_, due=0)

        def age(connection: Connection) -> None:
            connection.execute(changes.update().values(at="2020-01-01T00:00:00Z"))

        await world.catalog.write(age)
        before = await world.catalog.read(feed.read, None, 10)
        assert await world.catalog.write(rows.drop_ended, DAY, 10) == 1
        with pytest.raises(NotFoundError):
            await world.jobs.get(old)
        _, left = await world.jobs.page(Ask(9))
        assert {job.id for job in left} == {new, open_}
        # Who has read the feed to its end can go on from there.
        assert (await world.catalog.read(feed.read, before.cursor, 10)).docs == []

        def told(connection: Connection) -> int:
            return len(connection.execute(select(changes.c.seq)).all())

        assert await world.catalog.read(told) == 1

    in_world(database, tmp_path, work)


def test_what_jobs_do_does_not_make_lists_be_counted_anew(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        def note(connection: Connection) -> None:
            feed.append(connection, "repository.created", "main", 1, "2026-01-01T00:00:00Z")

        await world.catalog.write(note)
        before = await world.catalog.read(feed.place)
        job_id = await world.jobs.submit("work", {})
        await world.jobs.cancel(job_id)
        assert await world.catalog.read(feed.place) == before
        await world.catalog.write(note)
        assert await world.catalog.read(feed.place) != before

    in_world(database, tmp_path, work)
