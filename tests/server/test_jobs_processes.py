"""Jobs in several real processes: whichever is killed, frozen or stopped, each is done once."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.schema import changes, jobs
from tests.kit.jobs import opened
from tests.kit.labour import WorkerProcess, workers
from tests.kit.wait import until

DATABASES = ("sqlite", "postgresql")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
STEPS = 40


class Traces:
    """What jobs have left behind, and how they stand, seen from beside."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def submit(self, kind: str, count: int) -> list[str]:
        """New jobs of a kind."""

        def make(connection: Connection) -> list[str]:
            return [rows.submit_now(connection, kind, {"steps": STEPS}) for _ in range(count)]

        return asyncio.run(self._catalog.write(make))

    def of(self, kind: str) -> Counter[tuple[str, int]]:
        """How often each trace of a kind was left."""
        query = select(changes.c.subject, changes.c.rev).where(changes.c.type == f"trace.{kind}")

        def read(connection: Connection) -> Counter[tuple[str, int]]:
            return Counter((row.subject, row.rev) for row in connection.execute(query))

        return asyncio.run(self._catalog.read(read))

    def states(self) -> Counter[str]:
        """How many jobs are in each state."""

        def read(connection: Connection) -> Counter[str]:
            return Counter(connection.execute(select(jobs.c.state)).scalars())

        return asyncio.run(self._catalog.read(read))

    def run_by(self, worker: WorkerProcess) -> dict[str, int]:
        """The jobs that a process runs now and that have come somewhere, with their steps."""

        def read(connection: Connection) -> dict[str, int]:
            mine = jobs.c.owner.contains(f" {worker.pid}/"), jobs.c.checkpoint.is_not(None)
            query = select(jobs.c.id, jobs.c.checkpoint).where(*mine)
            return {row.id: int(row.checkpoint[9:-1]) for row in connection.execute(query)}

        return asyncio.run(self._catalog.read(read))


def all_steps(made: list[str]) -> Counter[tuple[str, int]]:
    return Counter((job_id, step) for job_id in made for step in range(STEPS))


def test_when_a_worker_is_killed_others_go_on_from_its_checkpoints(
    tmp_path: Path, database: str
) -> None:
    with opened(database, tmp_path) as catalog, workers(3, tmp_path, database) as (first, *_):
        traces = Traces(catalog)
        made = traces.submit("steps", 12)
        until(lambda: traces.run_by(first))
        first.signal(signal.SIGKILL)
        first.wait()
        left = traces.run_by(first)
        until(lambda: traces.states()["done"] == len(made), seconds=40)
        assert traces.of("step") == all_steps(made)
        begun = traces.of("begun")
        assert left
        for job_id, steps in left.items():
            assert begun[job_id, steps] == 1
        assert begun.total() == len(made) + len(left)


def test_a_worker_that_was_frozen_does_nothing_twice_when_it_wakes_up(
    tmp_path: Path, database: str
) -> None:
    with opened(database, tmp_path) as catalog, workers(2, tmp_path, database) as (first, _):
        traces = Traces(catalog)
        made = traces.submit("steps", 6)
        until(lambda: traces.run_by(first))
        # While somebody else writes: who is frozen within a commit holds up all writers of SQLite.
        asyncio.run(catalog.write(lambda _connection: first.signal(signal.SIGSTOP)))
        until(lambda: traces.states()["done"] == len(made), seconds=40)
        first.signal(signal.SIGCONT)
        # It is alive, and works on what is new.
        more = traces.submit("steps", 6)
        until(lambda: traces.run_by(first))
        until(lambda: traces.states()["done"] == len(made + more), seconds=40)
        assert traces.of("step") == all_steps(made + more)


def test_three_processes_do_hundreds_of_jobs_each_once(tmp_path: Path, database: str) -> None:
    with opened(database, tmp_path) as catalog, workers(3, tmp_path, database):
        traces = Traces(catalog)
        made = traces.submit("once", 600)
        until(lambda: traces.states()["done"] == len(made), seconds=50)
        assert traces.of("once") == Counter((job_id, 0) for job_id in made)
        assert len(traces.of("process")) == 3


def test_a_worker_that_is_told_to_stop_hands_its_jobs_back(tmp_path: Path, database: str) -> None:
    with opened(database, tmp_path) as catalog, workers(1, tmp_path, database) as (worker,):
        traces = Traces(catalog)
        (job_id,) = traces.submit("hang", 1)
        until(lambda: traces.of("begun"))
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
        row = asyncio.run(catalog.read(rows.find, job_id))
        assert (row.state, row.tries, row.owner) == ("ready", 0, None)


def test_a_worker_ends_in_time_whatever_its_jobs_do(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as catalog, workers(1, tmp_path, "sqlite") as (worker,):
        traces = Traces(catalog)
        traces.submit("deaf", 1)
        until(lambda: traces.of("begun"))
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
        assert traces.states() == {"ready": 1}
