"""Webhooks of real processes that are killed while the receiver is silent: told all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.schema import jobs
from tests.kit.http import server_process
from tests.kit.jobs import opened
from tests.kit.labour import WorkerProcess
from tests.kit.upstream import Upstream, Visit, upstream
from tests.kit.wait import until

DATABASES = ("sqlite", "postgresql")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """A receiver that is silent the first time, and takes everything from then on."""
    with upstream() as server:
        monkeypatch.setenv("SONOTECA_FETCH_ALLOW", server.place)

        def answer(visit: Visit) -> None:
            if len(server.visits) == 1:
                visit.stall()
            else:
                visit.head(204)

        server.answers["/"] = answer
        yield server


def submit(catalog: Catalog, receiver: Upstream) -> str:
    args = {"url": receiver.url("/"), "body": {"type": "archive.failed", "data": {}}}
    return asyncio.run(catalog.write(rows.submit_now, "webhook", args))


def state(catalog: Catalog, job_id: str) -> tuple[str, str | None]:
    """The state of a job, and whose it is."""

    def read(connection: Connection) -> tuple[str, str | None]:
        query = select(jobs.c.state, jobs.c.owner).where(jobs.c.id == job_id)
        row = connection.execute(query).one()
        return row.state, row.owner

    return asyncio.run(catalog.read(read))


def check_told(catalog: Catalog, job_id: str, receiver: Upstream) -> None:
    until(lambda: state(catalog, job_id)[0] == "done", seconds=40)
    assert [visit.fields["webhook-id"] for visit in receiver.visits] == [job_id] * 2
    row = asyncio.run(catalog.read(rows.find, job_id))
    assert (row.tries, row.result) == (1, '{"status":204}')


def test_a_server_that_was_killed_tells_when_it_is_back(
    tmp_path: Path, database: str, receiver: Upstream
) -> None:
    with (
        server_process(tmp_path, "--database", database) as server,
        opened(database, tmp_path) as catalog,
    ):
        job_id = submit(catalog, receiver)
        until(lambda: receiver.visits)
        server.kill()
        before = state(catalog, job_id)
        assert before[0] == "running"
        server.start()
        if database == "sqlite":
            # It knows that the one before is dead, and waits for no lease.
            assert state(catalog, job_id) != before
        check_told(catalog, job_id, receiver)


def test_another_worker_tells_in_the_place_of_one_that_was_killed(
    tmp_path: Path, database: str, receiver: Upstream
) -> None:
    with opened(database, tmp_path) as catalog:
        first = WorkerProcess(tmp_path, database, module="sonoteca_server worker")
        second = None
        try:
            job_id = submit(catalog, receiver)
            until(lambda: receiver.visits)
            second = WorkerProcess(tmp_path, database, module="sonoteca_server worker")
            first.end()
            check_told(catalog, job_id, receiver)
        finally:
            first.end()
            if second is not None:
                second.end()
