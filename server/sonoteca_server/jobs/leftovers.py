"""Parts of fetched files that no job goes on with: what crashes and lost leases leave behind."""

from __future__ import annotations

import asyncio

import msgspec
from sqlalchemy import Connection, select

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as job_rows
from sonoteca_server.catalog.schema import jobs
from sonoteca_server.library.archives import KIND
from sonoteca_server.storage.growing import GrowingParts
from sonoteca_shared.ids import moment_of


class Leftovers:
    """Says which parts are of no use any more, and drops them."""

    def __init__(self, catalog: Catalog, parts: GrowingParts) -> None:
        self._catalog = catalog
        self._parts = parts

    async def drop(self, before: float) -> int:
        """Drop the parts that were begun before this moment and that no job knows; how many."""
        # Listed first: what a job takes up meanwhile is younger, or known to it by then.
        keys = await asyncio.to_thread(lambda: list(self._parts.list_keys()))
        known = await self._catalog.read(_known)
        left = [key for key in keys if moment_of(key) < before and key not in known]
        for key in left:
            await asyncio.to_thread(self._parts.discard, key)
        return len(left)


def _known(connection: Connection) -> set[str]:
    """The parts that archives under way go on with."""
    under_way = jobs.c.kind == KIND, jobs.c.state.in_((job_rows.READY, job_rows.RUNNING))
    query = select(jobs.c.checkpoint).where(*under_way, jobs.c.checkpoint.is_not(None))
    checkpoints = connection.execute(query).scalars()
    return {
        entry["key"]
        for checkpoint in checkpoints
        for entry in msgspec.json.decode(checkpoint).get("files", {}).values()
    }
