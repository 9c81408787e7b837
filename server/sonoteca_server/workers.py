"""The `worker` command: jobs and analysis in a process of its own, beside the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Mapping

from sonoteca_server.app import CannotStartError, asked_to_stop, lock_workers
from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.job_handlers import job_handlers
from sonoteca_server.jobs.analysis import Analysis
from sonoteca_server.jobs.queue import Jobs
from sonoteca_server.jobs.worker import LEASE_S, Handler, Worker
from sonoteca_server.settings import Settings
from sonoteca_server.storage.guests import guest
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_server.wire.connections import raise_open_files

# What does not end when it is asked to, such as a read from a dead disk, ends then.
_STOP_S = 12.0

HandlerMaker = Callable[[Settings, Catalog, LocalBlobs], Mapping[str, Handler]]


async def work(
    settings: Settings, make_handlers: HandlerMaker = job_handlers, *, lease_s: float = LEASE_S
) -> None:
    """Run jobs until SIGTERM or SIGINT; those that run then are handed back."""
    raise_open_files()
    async with _working(settings, make_handlers, lease_s) as worker:
        print(f"Sonoteca worker on {settings.data}", flush=True)  # noqa: T201 - contract
        stop = asyncio.create_task(asked_to_stop())
        await asyncio.wait({stop, worker}, return_when=asyncio.FIRST_COMPLETED)
        if worker.done():
            await worker
        last_call = threading.Timer(_STOP_S, os._exit, (0,))
        last_call.daemon = True
        last_call.start()


@contextlib.asynccontextmanager
async def _working(
    settings: Settings, make_handlers: HandlerMaker, lease_s: float
) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that runs, as a task; it has stopped when the block is left."""
    home = home_of(settings.database, settings.data)
    if not settings.data.is_dir() or not home.exists():
        raise CannotStartError(
            f"there is no library in {settings.data}: start the server on it first"
        )
    with contextlib.ExitStack() as held:
        held.callback(os.close, lock_workers(settings.data, alone=False))
        incoming = held.enter_context(guest(settings.data / "incoming"))
        catalog = home.join()
        held.callback(catalog.close)
        blobs = LocalBlobs(settings.data, incoming)
        handlers = make_handlers(settings, catalog, blobs)
        news = asyncio.Event()
        place = f"worker {socket.gethostname()} {os.getpid()}"
        worker = Worker(Jobs(catalog, news.set), handlers, news=news, place=place, lease_s=lease_s)
        analysis = Analysis(catalog, blobs, place=place)
        tasks = [asyncio.create_task(each.run()) for each in (worker, analysis)]
        try:
            yield tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
