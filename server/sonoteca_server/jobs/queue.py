"""Jobs: work that is remembered until it is done, whoever asked for it and whatever crashes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sonoteca_server.catalog import Catalog, pages
from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.schema import jobs
from sonoteca_shared.models import Job, JobError, Progress


class Jobs:
    """The jobs of one catalogue; `wake` is called when there is one more to run."""

    def __init__(self, catalog: Catalog, wake: Callable[[], None]) -> None:
        self.catalog = catalog
        self.wake = wake

    async def submit(
        self,
        kind: str,
        args: Any,
        *,
        job_id: str | None = None,
        key: str | None = None,
        subject: str | None = None,
        priority: int = 0,
        delay_s: float = 0,
        quiet: bool = False,
    ) -> str:
        """Have a job done; its id, or that of the one that was asked for with the same key.

        A job of a higher priority comes before others of its kind.
        """
        job: str = await self.catalog.write(
            rows.submit_now,
            kind,
            args,
            job_id=job_id,
            key=key,
            subject=subject,
            priority=priority,
            delay_s=delay_s,
            quiet=quiet,
        )
        self.wake()
        return job

    async def get(self, job_id: str) -> Job:
        """A job as it is now; NotFoundError when there is none with this id."""
        return job_of(await self.catalog.read(rows.find, job_id))

    async def cancel(self, job_id: str) -> None:
        """Have a job not done, or not any further; one that has ended stays as it is."""
        await self.catalog.write(rows.cancel, job_id)

    async def free(self, place: str) -> None:
        """Have what a dead process of this place ran go on at once, not when its leases end."""
        await self.catalog.write(rows.free, place)

    async def page(
        self, ask: pages.Ask, *, state: str | None = None, kind: str | None = None
    ) -> tuple[pages.Page, list[Job]]:
        """Some of the jobs, the newest first."""
        page = await self.catalog.read(_page, ask, state, kind)
        return page, [job_of(row) for row in page.rows]


def job_of(row: rows.JobRow) -> Job:
    """A job as it is sent."""
    ended = row.state not in (rows.READY, rows.RUNNING)
    moment = datetime.fromtimestamp(round(row.due, 3), UTC)
    return Job(
        id=row.id,
        rev=row.rev,
        kind=row.kind,
        state=row.state,
        attempts=row.tries,
        created=datetime.fromisoformat(row.created),
        due=moment if row.state == rows.READY else None,
        ended=moment if ended else None,
        progress=_decoded(row.progress, Progress),
        error=_decoded(row.error, JobError),
        result=_decoded(row.result, Any),
    )


def _page(
    connection: Connection, ask: pages.Ask, state: str | None, kind: str | None
) -> pages.Page:
    query = select(jobs)
    if state is not None:
        query = query.where(jobs.c.state == state)
    if kind is not None:
        query = query.where(jobs.c.kind == kind)
    order = pages.Order(jobs.c.created, jobs.c.seq, descending=True)
    return pages.find_page(connection, query, order, ask)


def _decoded(text: str | None, kind: Any) -> Any:
    return None if text is None else msgspec.json.decode(text, type=kind)
