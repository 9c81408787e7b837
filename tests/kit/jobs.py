"""Jobs without a server: a catalogue, its jobs, and workers that run within a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.jobs.queue import Jobs
from sonoteca_server.jobs.worker import Handler, Worker
from sonoteca_shared.models import Job

T = TypeVar("T")


class World:
    """The jobs of one catalogue, and the event that wakes its workers."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.news = asyncio.Event()
        self.jobs = Jobs(catalog, self.news.set)

    @contextlib.asynccontextmanager
    async def working(
        self, handlers: Mapping[str, Handler], **options: Any
    ) -> AsyncIterator[asyncio.Task[None]]:
        """A worker, as the task that runs it; stopped with the block."""
        worker = Worker(self.jobs, handlers, news=self.news, **({"poll_s": 0.05} | options))
        task = asyncio.create_task(worker.run())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def until(self, job_id: str, *states: str) -> Job:
        """The job once it is in one of these states, `done` if none is named."""
        async with asyncio.timeout(10):
            while True:
                job = await self.jobs.get(job_id)
                if job.state in (states or ("done",)):
                    return job
                await asyncio.sleep(0.01)

    async def lease_end(self, job_id: str) -> float:
        """When the lease of the job ends, a moment later than asked."""
        await asyncio.sleep(0.02)
        return float((await self.catalog.read(rows.find, job_id)).due)


def in_world(database: str, folder: Path, work: Callable[[World], Awaitable[T]]) -> T:
    """What the work gives, in a world of its own."""

    async def main() -> T:
        with opened(database, folder) as catalog:
            return await work(World(catalog))

    return asyncio.run(main())


@contextlib.contextmanager
def opened(database: str, folder: Path) -> Iterator[Catalog]:
    """A catalogue, closed with the block."""
    catalog = home_of(database, folder).open()
    try:
        yield catalog
    finally:
        catalog.close()
