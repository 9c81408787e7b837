"""Archives whose jobs have ended without them: cancelled before they began, or lost too often."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, or_, select

from sonoteca_server.catalog.jobs import CANCELLED
from sonoteca_server.catalog.jobs import FAILED as JOB_FAILED
from sonoteca_server.catalog.schema import archive_members as members
from sonoteca_server.catalog.schema import archives, jobs
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library.archive_rows import ArchiveRow, ArchiveState, Finished
from sonoteca_shared.models import JobError

_FORGOTTEN = JobError(code="lost", detail="the job that fetched the files is gone")


def has_lost(connection: Connection) -> bool:
    """Whether an archive is in progress that nobody fills."""
    return bool(_lost(connection))


def end_lost(connection: Connection) -> list[Finished]:
    """End the archives that nobody fills, and say of their files why they did not come."""
    ended = []
    for row in _lost(connection):
        if row.job_state == CANCELLED:
            ended.append(rows.cancel(connection, row))
            continue
        reason = msgspec.json.decode(row.error, type=JobError) if row.error else _FORGOTTEN
        pending = members.c.archive == row.seq, members.c.state == rows.PENDING
        values = {"state": rows.FAILED, "code": reason.code, "detail": reason.detail}
        connection.execute(members.update().where(*pending).values(values))
        ended.append(rows.fail(connection, row))
    return ended


def _lost(connection: Connection) -> list[ArchiveRow]:
    query = select(archives, jobs.c.state.label("job_state"), jobs.c.error)
    ended = or_(jobs.c.id.is_(None), jobs.c.state.in_((CANCELLED, JOB_FAILED)))
    in_progress = archives.c.state == ArchiveState.IN_PROGRESS, archives.c.job.is_not(None)
    joined = query.outerjoin(jobs, jobs.c.id == archives.c.job)
    return list(connection.execute(joined.where(*in_progress, ended)))
