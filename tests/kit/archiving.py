"""Archives of URLs without a server: their rows, the job that fills them, and a worker for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as job_rows
from sonoteca_server.jobs.addresses import Guard, parse_allow
from sonoteca_server.jobs.archives import ArchiveJob
from sonoteca_server.jobs.fetch import Fetcher
from sonoteca_server.jobs.landing import Limits
from sonoteca_server.jobs.outward import Outward
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library.archive_rows import Finished, OnError
from sonoteca_server.library.archives import KIND, Archives
from sonoteca_server.storage.growing import GrowingParts
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.models import FileError
from tests.kit.jobs import World
from tests.kit.upstream import Upstream


class Archiving:
    """The archives of one world, fetched from the servers of a test alone."""

    def __init__(
        self,
        world: World,
        folder: Path,
        remote: Upstream | None = None,
        *,
        allow: str = "",
        max_bytes: int = 0,
        pause_s: float = 0.0,
        max_s: float = 60.0,
    ) -> None:
        self.world = world
        self.folder = folder
        self.blobs = LocalBlobs(folder)
        self.parts = GrowingParts(folder, "fetching")
        self.told: list[Finished] = []

        def tell(_connection: Connection, finished: Finished) -> None:
            self.told.append(finished)

        self.archives = Archives(world.catalog, self.blobs, world.news.set, tell, expiry_s=60.0)
        guard = Guard(parse_allow(remote.place if remote else allow))
        fetcher = Fetcher(Outward(guard, idle_s=10.0), max_s=60.0, pause=lambda _: pause_s)
        limits = Limits(max_bytes, lambda count: self.blobs.check_room(count, least=0))
        self.job = ArchiveJob(
            world.catalog,
            self.blobs,
            self.parts,
            fetcher,
            tell,
            limits,
            max_s=max_s,
        )

    @property
    def catalog(self) -> Catalog:
        """What the archives are noted in."""
        return self.world.catalog

    async def order(self, urls: Sequence[str], on_error: OnError = OnError.SKIP) -> str:
        """Ask for an archive of these; its hash, which is its job's id too."""
        return await self.catalog.write(_order, urls, on_error)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker that fills archives, stopped with the block."""
        async with self.world.working({KIND: self.job.run}):
            yield

    async def made(self, urls: Sequence[str], on_error: OnError = OnError.SKIP) -> Made:
        """What becomes of an archive of these."""
        archive = await self.order(urls, on_error)
        async with self.working():
            await self.world.until(archive, "done", "failed", "cancelled")
        return await self.find(archive)

    async def find(self, archive: str) -> Made:
        """The archive as it is."""
        return await self.catalog.read(_made, self.blobs, archive)

    async def until(
        self, look: Callable[[Made], bool], archive: str, *, patience_s: float = 10.0
    ) -> None:
        """Wait until the archive looks so."""
        async with asyncio.timeout(patience_s):
            while True:
                if look(await self.find(archive)):
                    return
                await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Made:
    """An archive, what is in it, what is not, and what its job promises of the rest."""

    state: str
    bytes_done: int
    files: dict[str, bytes]
    errors: list[FileError]
    promised: dict[str, dict[str, Any]]


def _order(connection: Connection, urls: Sequence[str], on_error: OnError) -> str:
    draft = rows.Draft(
        hash=secrets.token_hex(20),
        name="",
        on_error=on_error,
        origin="http://127.0.0.1",
        callback_url=None,
        request_digest=None,
        keep_s=60.0,
    )
    archive = rows.add(connection, draft)
    job = job_rows.submit_now(connection, KIND, {"archive": draft.hash}, job_id=draft.hash)
    rows.add_urls(connection, archive, urls, job)
    return draft.hash


def _made(connection: Connection, blobs: LocalBlobs, archive: str) -> Made:
    row = rows.find(connection, archive)
    assert row is not None
    found = rows.entries(connection, row.seq)
    files = {each.name: blobs.path(each.blob).read_bytes() for each in found}
    job = job_rows.find(connection, row.job)
    promised = json.loads(job.checkpoint)["files"] if job.checkpoint else {}
    return Made(row.state, row.bytes_done, files, rows.failures(connection, row.seq), promised)
