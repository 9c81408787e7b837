"""How many jobs a second are done, and how long a killed worker's jobs wait for another one.

    .venv/bin/python -m tests.bench.jobs [--count N] [--postgres]

The jobs do nothing, so what counts are the transactions around them: one to claim some, one each to
end them. They wait already when the workers, processes of their own, are told of them. PostgreSQL
is one of its own, without fsync.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import Connection, func, select

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.schema import jobs
from tests.bench.upload import cpu_of
from tests.kit.jobs import opened
from tests.kit.labour import workers
from tests.kit.postgres import started
from tests.kit.wait import until


def submit(connection: Connection, kind: str, count: int, quiet: bool) -> None:
    """So many jobs that begin together, in the second after the next."""
    for _ in range(count):
        rows.submit_now(connection, kind, {"steps": 100_000}, quiet=quiet, delay_s=2)


def open_jobs(connection: Connection) -> int:
    """How many jobs have not ended."""
    query = select(func.count()).where(jobs.c.state.in_((rows.READY, rows.RUNNING)))
    return int(connection.execute(query).scalar_one())


def waiting(connection: Connection) -> bool:
    """Whether no job is due yet."""
    return not rows.has_work(connection, ["nothing", "steps"])


def rate(catalog: Catalog, count: int, *, quiet: bool) -> float:
    """Jobs a second, from the moment that they are due until all have ended."""
    asyncio.run(catalog.write(submit, "nothing", count, quiet))
    until(lambda: not asyncio.run(catalog.read(waiting)), seconds=60)
    began = time.perf_counter()
    until(lambda: not asyncio.run(catalog.read(open_jobs)), seconds=600)
    return count / (time.perf_counter() - began)


def holder(connection: Connection) -> tuple[str, int]:
    """Who runs the one job, and how far it is."""
    row = connection.execute(select(jobs).where(jobs.c.state == rows.RUNNING)).first()
    return (row.owner, len(row.checkpoint or "")) if row is not None else ("", 0)


def takeover(catalog: Catalog, folder: Path, database: str) -> float:
    """Seconds from the death of a worker until another one goes on with its job."""
    with workers(2, folder, database, "--lease-s", str(10)) as processes:
        asyncio.run(catalog.write(submit, "steps", 1, False))
        found = until(lambda: has_begun(catalog), seconds=30)
        assert found is not None
        owner = found[0]
        pid = int(owner.partition("/")[0].split()[-1])
        (dying,) = [each for each in processes if each.pid == pid]
        dying.signal(signal.SIGKILL)
        began = time.perf_counter()
        until(lambda: asyncio.run(catalog.read(holder))[0] not in ("", owner), seconds=60)
        return time.perf_counter() - began


def has_begun(catalog: Catalog) -> tuple[str, int] | None:
    """Who runs the one job, once it has come somewhere."""
    found = asyncio.run(catalog.read(holder))
    return found if found[1] else None


def main() -> None:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database = stack.enter_context(started()).create() if given.postgres else "sqlite"
        measure(stack.enter_context(opened(database, folder)), folder, database, given.count)


def measure(catalog: Catalog, folder: Path, database: str, count: int) -> None:
    """Each figure as a line; what the disk does at best comes first."""
    say(f"{syncs(folder):.0f} fdatasyncs a second")
    for processes in (1, 3):
        for quiet in (True, False):
            with workers(processes, folder, database) as made:
                before = sum(cpu_of(each.pid) for each in made)
                found = rate(catalog, count, quiet=quiet)
                cpu = 1000 * (sum(cpu_of(each.pid) for each in made) - before) / count
            told = "quiet" if quiet else "told in the feed"
            say(f"{processes} processes, {told}: {found:.0f} jobs/s, {cpu:.1f} ms of CPU a job")
    seconds = takeover(catalog, folder, database)
    say(f"taken over after {seconds:.1f} s")


def syncs(folder: Path) -> float:
    """How often a second a page can be put on this disk."""
    with (folder / "page").open("wb") as file:
        began, count = time.perf_counter(), 0
        while time.perf_counter() < began + 2:
            os.pwrite(file.fileno(), bytes(8_192), 0)
            os.fdatasync(file.fileno())
            count += 1
    return count / 2


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
