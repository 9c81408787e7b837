"""Jobs: done once, gone on with, tried again, cancelled; on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.pages import Ask
from sonoteca_server.catalog.schema import changes, facts, jobs
from sonoteca_server.jobs.worker import (
    CancelledJobError,
    GiveUpError,
    LostError,
    RetryLaterError,
    Task,
)
from sonoteca_shared.errors import ConflictError, NotFoundError
from sonoteca_shared.models import Progress
from tests.kit.jobs import World, in_world

DATABASES = ("sqlite", "postgresql")


def count_up(connection: Connection) -> None:
    """An effect that shows how often it came about."""
    connection.execute(facts.insert().values(name="effect", value="there"))


async def take_away(world: World, job_id: str) -> None:
    """Have the lease of a job end now, and another process take the job."""

    def end(connection: Connection) -> None:
        connection.execute(jobs.update().where(jobs.c.id == job_id).values(due=0))

    await world.catalog.write(end)
    claims = await world.catalog.write(rows.claim, "another", {"work": 1}, 60)
    assert [each.id for each in claims] == [job_id]


async def make_due(world: World, job_id: str) -> None:
    """Have a job that waits be due now."""

    def change(connection: Connection) -> None:
        waiting = jobs.c.id == job_id, jobs.c.state == "ready"
        connection.execute(jobs.update().where(*waiting).values(due=0))

    await world.catalog.write(change)
    world.news.set()


def test_a_job_is_done_and_tells_its_result(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        async def double(task: Task) -> dict[str, int]:
            return {"doubled": 2 * task.args["number"]}

        async with world.working({"work": double}):
            job = await world.until(await world.jobs.submit("work", {"number": 21}))
        assert (job.result, job.attempts, job.error) == ({"doubled": 42}, 1, None)
        assert job.ended is not None
        assert job.due is None

    in_world(database, tmp_path, work)


def test_each_of_many_jobs_is_done_once(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        runs: list[int] = []

        async def note(task: Task) -> None:
            runs.append(task.args["number"])

        made = [await world.jobs.submit("work", {"number": n}) for n in range(40)]
        async with world.working({"work": note}), world.working({"work": note}):
            for job_id in made:
                await world.until(job_id)
        assert sorted(runs) == list(range(40))

    in_world(database, tmp_path, work)


def test_the_same_key_is_the_same_job_of_its_kind(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        submit = world.jobs.submit
        made = await asyncio.gather(*(submit("work", {}, key="one") for _ in range(8)))
        assert len(set(made)) == 1
        assert await submit("work", {}, key="two") != made[0]
        assert await submit("other", {}, key="one") != made[0]

    in_world(database, tmp_path, work)


def test_a_job_of_a_transaction_that_fails_was_never_there(tmp_path: Path, database: str) -> None:
    def fail(connection: Connection) -> None:
        rows.submit_now(connection, "work", {}, job_id="given")
        raise ConflictError

    async def work(world: World) -> None:
        with pytest.raises(ConflictError):
            await world.catalog.write(fail)
        with pytest.raises(NotFoundError):
            await world.jobs.get("given")

    in_world(database, tmp_path, work)


def test_what_failed_is_tried_again_from_its_checkpoint(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        seen: list[Any] = []

        async def stumble(task: Task) -> str:
            seen.append((task.attempt, task.checkpoint))
            if task.attempt == 1:
                await task.save({"half": 1}, progress=Progress(files_done=1, files_total=2))
                raise ConflictError("the line broke")
            return "whole"

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": stumble}):
            waiting = await world.until(job_id, "ready")
            while waiting.error is None:
                waiting = await world.until(job_id, "ready")
            assert (waiting.error.code, waiting.error.detail) == ("conflict", "the line broke")
            assert waiting.due is not None
            await make_due(world, job_id)
            job = await world.until(job_id)
        assert seen == [(1, {}), (2, {"half": 1})]
        assert (job.result, job.attempts, job.error) == ("whole", 2, None)
        assert job.progress == Progress(files_done=1, files_total=2)

    in_world(database, tmp_path, work)


def test_after_five_tries_a_job_has_failed_and_says_why(
    tmp_path: Path, database: str, claim_errors: Callable[[str], None]
) -> None:
    async def work(world: World) -> None:
        tries: list[int] = []

        async def fail(task: Task) -> None:
            tries.append(task.attempt)
            raise ZeroDivisionError("a secret of ours")

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": fail}):
            while (job := await world.until(job_id, "ready", "running", "failed")).ended is None:
                if job.state == "ready":
                    await make_due(world, job_id)
        assert tries == [1, 2, 3, 4, 5]
        assert job.error is not None
        assert job.error.code == "internal"
        assert "secret" not in job.error.detail

    in_world(database, tmp_path, work)
    claim_errors("of kind work has failed")


def test_a_handler_that_gives_up_is_not_tried_again(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        async def give_up(_task: Task) -> None:
            raise GiveUpError("too-large", "the file is too large")

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": give_up}):
            job = await world.until(job_id, "failed")
        assert job.error is not None
        assert (job.error.code, job.error.detail) == ("too-large", "the file is too large")
        assert job.attempts == 1

    in_world(database, tmp_path, work)


def test_what_is_put_off_does_not_count_as_a_try(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        attempts: list[int] = []

        async def put_off(task: Task) -> None:
            attempts.append(task.attempt)
            if len(attempts) < 8:
                raise RetryLaterError(0, "the other server said 503")

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": put_off}):
            await world.until(job_id)
        assert attempts == [1] * 8

    in_world(database, tmp_path, work)


def test_an_effect_and_its_checkpoint_are_kept_together_or_not_at_all(
    tmp_path: Path, database: str
) -> None:
    async def work(world: World) -> None:
        tried = asyncio.Event()

        async def lose(task: Task) -> None:
            await take_away(world, task.id)
            with pytest.raises(LostError):
                await task.save_with(count_up, {"done": True})
            tried.set()
            raise LostError

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": lose}):
            await tried.wait()

        def left(connection: Connection) -> tuple[str | None, list[Any]]:
            effects = connection.execute(select(facts).where(facts.c.name == "effect")).all()
            return rows.find(connection, job_id).checkpoint, list(effects)

        assert await world.catalog.read(left) == (None, [])

    in_world(database, tmp_path, work)


def test_cancelling_ends_the_handler_at_its_next_save(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        told = asyncio.Event()

        async def go_on(task: Task) -> None:
            await world.jobs.cancel(task.id)
            try:
                await task.save({"more": 1})
            except CancelledJobError:
                told.set()
                raise

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": go_on}):
            await told.wait()
            job = await world.until(job_id, "cancelled")
        assert job.ended is not None
        assert (await world.jobs.get(job_id)).state == "cancelled"

    in_world(database, tmp_path, work)


def test_cancelling_ends_a_handler_that_saves_nothing(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def hang(_task: Task) -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": hang}, lease_s=0.3):
            await begun.wait()
            await world.jobs.cancel(job_id)
            await ended.wait()

    in_world(database, tmp_path, work)


def test_a_long_job_keeps_its_lease(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        runs: list[str] = []
        begun, enough = asyncio.Event(), asyncio.Event()

        async def last(task: Task) -> None:
            runs.append(task.id)
            begun.set()
            await enough.wait()

        job_id = await world.jobs.submit("work", {})
        handlers = {"work": last}
        async with world.working(handlers, lease_s=0.5), world.working(handlers, lease_s=0.5):
            await begun.wait()
            first = await world.lease_end(job_id)
            while await world.lease_end(job_id) < first + 1.5:
                pass
            enough.set()
            await world.until(job_id)
        assert runs == [job_id]

    in_world(database, tmp_path, work)


def test_a_worker_that_stops_hands_its_jobs_back(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        begun = asyncio.Event()

        async def hang(task: Task) -> None:
            await task.save({"at": task.attempt})
            begun.set()
            await asyncio.Event().wait()

        async def finish(task: Task) -> Any:
            return [task.checkpoint, task.attempt]

        job_id = await world.jobs.submit("work", {})
        async with world.working({"work": hang}):
            await begun.wait()
        async with world.working({"work": finish}):
            assert (await world.until(job_id)).result == [{"at": 1}, 1]

    in_world(database, tmp_path, work)


def test_urgent_jobs_come_first_and_others_in_their_order(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        order: list[str] = []

        async def note(task: Task) -> None:
            order.append(task.args)  # type: ignore[arg-type]

        for name, priority in (("a", 0), ("b", 0), ("urgent", 5)):
            await world.jobs.submit("work", name, priority=priority)
        last = await world.jobs.submit("work", "whenever", priority=-1)
        async with world.working({"work": note}, at_once={"work": 1}):
            await world.until(last)
        assert order == ["urgent", "a", "b", "whenever"]

    in_world(database, tmp_path, work)


def test_no_more_of_a_kind_run_at_once_than_it_may(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        running: list[str] = []
        most: list[int] = []

        async def note(task: Task) -> None:
            running.append(task.id)
            most.append(len(running))
            await task.save({})
            running.remove(task.id)

        made = [await world.jobs.submit("work", {}) for _ in range(9)]
        async with world.working({"work": note}, at_once={"work": 2}):
            for job_id in made:
                await world.until(job_id)
        assert max(most) == 2

    in_world(database, tmp_path, work)


def test_a_job_waits_for_its_time(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        async def note(_task: Task) -> None:
            pass

        later = await world.jobs.submit("work", {}, delay_s=3_600)
        now = await world.jobs.submit("work", {})
        async with world.working({"work": note}):
            await world.until(now)
            assert (await world.jobs.get(later)).state == "ready"
            await make_due(world, later)
            await world.until(later)

    in_world(database, tmp_path, work)


def test_jobs_are_listed_newest_first_and_by_state_and_kind(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        made = [await world.jobs.submit(kind, {}) for kind in ("work", "other", "work")]
        await world.jobs.cancel(made[0])
        page, listed = await world.jobs.page(Ask(2))
        assert [job.id for job in listed] == made[:0:-1]
        assert page.next is not None
        _, rest = await world.jobs.page(Ask(2, page.next.text()))
        assert [job.id for job in rest] == made[:1]
        _, ready = await world.jobs.page(Ask(9), state="ready", kind="work")
        assert [job.id for job in ready] == [made[2]]

    in_world(database, tmp_path, work)


def test_the_feed_tells_of_a_job_unless_it_is_quiet(tmp_path: Path, database: str) -> None:
    async def work(world: World) -> None:
        async def hurry(task: Task) -> None:
            for done in range(5):
                await task.save(progress=Progress(files_done=done))

        loud = await world.jobs.submit("work", {})
        quiet = await world.jobs.submit("work", {}, quiet=True)
        async with world.working({"work": hurry}):
            await world.until(loud)
            await world.until(quiet)

        def told(connection: Connection) -> list[Any]:
            query = select(changes.c.type, changes.c.subject, changes.c.rev).order_by("rev")
            return [tuple(row) for row in connection.execute(query)]

        # Asked for, begun, the first progress, done: the others came within the same second.
        assert await world.catalog.read(told) == [("job.changed", loud, rev) for rev in range(1, 5)]

    in_world(database, tmp_path, work)
