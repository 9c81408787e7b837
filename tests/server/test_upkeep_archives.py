"""What archives of URLs leave behind goes in time, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from sonoteca_server.jobs.queue import Jobs
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library.archive_rows import Finished, OnError
from sonoteca_server.library.archives import KIND, ArchiveRequest, Archives
from sonoteca_server.library.objects import Kept, keep_hidden
from sonoteca_shared.ids import new_id
from tests.server.test_upkeep import DAY, WAV, World, nothing, story, world

__all__ = ["world"]
HASH = "a" * 40


@story
async def test_what_was_fetched_goes_a_day_after_its_archive_expired(world: World) -> None:
    def note(connection: Connection, kept: Kept) -> None:
        digests: Any = {"request_digest": None, "callback_url": None}
        wishes: Any = {"name": "", "on_error": OnError.SKIP, "origin": "", "keep_s": DAY}
        archive = rows.add(connection, rows.Draft(hash=HASH, **digests, **wishes))
        rows.add_urls(connection, archive, ["http://example.org/a.wav"], "")
        rows.note_fetched(connection, HASH, 0, name="a.wav", kept=kept)
        rows.finish(connection, HASH)

    await world.catalog.write(note, await keep_hidden(world.catalog, world.blobs, world.part(WAV)))
    for _ in range(3):
        await world.later()
    assert len(world.listed()) == 1
    await world.run("UPDATE archives SET expires = 0")
    await world.later()
    assert len(world.listed()) == 1
    await world.later()
    await world.later()
    assert (world.listed(), await world.rows()) == (set(), 0)


@story
async def test_parts_of_files_that_no_job_fetches_go_after_a_day(world: World) -> None:
    wanted, forgotten = new_id(), new_id()
    for key in (wanted, forgotten):
        world.fetching.begin(key)
    checkpoint = f'{{"files": {{"0": {{"key": "{wanted}"}}}}}}'
    job = await Jobs(world.catalog, lambda: None).submit(KIND, {})
    await world.run("UPDATE jobs SET checkpoint = :checkpoint", checkpoint=checkpoint)
    await world.upkeep.once()
    assert set(world.fetching.list_keys()) == {wanted, forgotten}
    await world.later()
    assert set(world.fetching.list_keys()) == {wanted}
    await world.run("UPDATE jobs SET checkpoint = 'unreadable'")
    with pytest.raises(msgspec.DecodeError):
        await world.later()
    assert set(world.fetching.list_keys()) == {wanted}
    await world.run("UPDATE jobs SET state = 'cancelled' WHERE id = :job", job=job)
    await world.later()
    assert set(world.fetching.list_keys()) == set()


@pytest.mark.parametrize(("how", "code"), [("failed", "lost"), ("cancelled", ""), ("gone", "lost")])
def test_an_archive_whose_job_has_ended_ends_and_is_told_once(
    world: World, how: str, code: str
) -> None:
    told: list[Finished] = []

    def tell(_connection: Connection, finished: Finished) -> None:
        told.append(finished)

    async def steps() -> None:
        world.archives = Archives(world.catalog, world.blobs, nothing, tell, expiry_s=DAY)
        world.upkeep = world.make_upkeep(grace_s=DAY, clock=lambda: world.now)
        request = ArchiveRequest(urls=["http://example.org/a.wav"], origin="", digest="")
        archive, other = [await world.archives.create(request) for _ in range(2)]
        job = "(SELECT job FROM archives WHERE hash = :archive)"
        if how == "gone":
            await world.run(f"DELETE FROM jobs WHERE id = {job}", archive=archive)
        else:
            error = '{"code": "lost", "detail": "got nowhere"}' if code else None
            change = f"UPDATE jobs SET state = :state, error = :error, due = 0 WHERE id = {job}"
            await world.run(change, state=how, error=error, archive=archive)
        for _ in range(2):
            await world.upkeep.once()
        state = "cancelled" if how == "cancelled" else "failed"
        assert [(each.hash, each.state) for each in told] == [(archive, state)]
        status = await world.archives.status(archive, "")
        assert (status.status, [error.code for error in status.errors]) == (
            state, [code] if code else [],
        )  # fmt: skip
        assert (await world.archives.status(other, "")).status == "in-progress"

    asyncio.run(steps())
