"""The job that fills an archive of URLs: each is fetched once, whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as job_rows
from sonoteca_server.catalog.schema import archive_members as members
from sonoteca_server.catalog.schema import archives, objects
from sonoteca_server.jobs.fetch import AT_ONCE, Fetched, Fetcher, TooSlowError
from sonoteca_server.jobs.landing import Landing, Limits
from sonoteca_server.jobs.ledger import Ledger
from sonoteca_server.jobs.outward import ExchangeError
from sonoteca_server.jobs.worker import TRIES, CancelledJobError, GiveUpError, Task
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library.archive_rows import (
    ArchiveEndedError,
    ArchiveState,
    Finished,
    OnError,
    Pending,
)
from sonoteca_server.library.objects import Kept, keep_hidden
from sonoteca_server.storage import Blobs
from sonoteca_server.storage.growing import GrowingParts
from sonoteca_shared.errors import BadRequestError, NoSpaceError, SonotecaError

_TELL_EVERY_S = 1.0
# How long an archive may be worked at: one that never ends would keep its place from others.
MAX_S = 86_400.0
# What says that one file will not come, as does what nobody foresaw.
_NO_FILE = (ExchangeError, BadRequestError, NoSpaceError)
# The trouble of the whole job: it was lost or cancelled, or the catalogue or the disk is broken.
_NO_JOB = (SonotecaError, SQLAlchemyError, OSError)

log = logging.getLogger(__name__)


class _UnforeseenError(SonotecaError):
    """One file met what nobody foresaw."""

    code = "internal"

    def __init__(self) -> None:
        super().__init__("something went wrong on the server; its log says what")


class _EnoughError(Exception):
    """A file did not come, and its archive is to fail for that."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What is still to be fetched for an archive, and what is there already."""

    pending: list[Pending]
    on_error: OnError
    files: int
    size: int


class ArchiveJob:
    """Fetches what archives are to hold.

    `told` is called in the transaction that ends one. The bytes under way lie in `parts`.
    What is not there after `max_s` seconds of work will not come.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: Blobs,
        parts: GrowingParts,
        fetcher: Fetcher,
        told: Callable[[Connection, Finished], None],
        limits: Limits,
        *,
        max_s: float = MAX_S,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._parts = parts
        self._fetcher = fetcher
        self._told = told
        self._limits = limits
        self._max_s = max_s
        # What is whole is open once more, and never all of a large archive together.
        self._keeping = asyncio.Semaphore(AT_ONCE)

    async def run(self, task: Task) -> dict[str, Any]:
        """Fetch what is pending, and close the archive."""
        archive: str = task.args["archive"]
        try:
            order = await self._catalog.read(_read_order, archive)
        except ArchiveEndedError:
            await self._drop(each["key"] for each in task.checkpoint.get("files", {}).values())
            return {"archive": archive}
        settled = order.files - len(order.pending)
        ledger = Ledger(task, archive, files=order.files, settled=settled, size=order.size)
        try:
            finished = await self._in_time(ledger, order)
        except ArchiveEndedError:
            await self._drop(ledger.keys)
            return {"archive": archive}
        except (asyncio.CancelledError, CancelledJobError):
            await self._leave(task, ledger)
            raise
        except Exception:
            if task.attempt >= TRIES:
                await ledger.end(partial(self._give_up, archive, _UnforeseenError()))
                await self._drop(ledger.keys)
            raise
        if finished.state == ArchiveState.FAILED:
            raise GiveUpError("archive-failed", "files are missing: its status says which and why")
        unproven = await self._catalog.read(_urls, archive, ledger.unproven)
        return {"archive": archive, "unproven": unproven}

    async def _in_time(self, ledger: Ledger, order: _Order) -> Finished:
        end = partial(self._finish, ledger.archive)
        limit = asyncio.timeout(self._max_s - ledger.ran_s)
        try:
            async with limit:
                await self._fill(ledger, order)
        except TimeoutError:
            if not limit.expired():
                raise
            late = TooSlowError(
                f"the archive was not whole after {self._max_s:.0f} seconds of work"
            )
            end = partial(self._give_up, ledger.archive, late)
        finished = await ledger.end(end)
        await self._drop(ledger.keys)
        return finished

    async def _fill(self, ledger: Ledger, order: _Order) -> None:
        places: dict[str, list[int]] = {}
        for each in order.pending:
            places.setdefault(each.url, []).append(each.position)
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(_tell(ledger))
                fetching = [
                    group.create_task(self._fetch(ledger, order.on_error, url, positions))
                    for url, positions in places.items()
                ]
                await asyncio.gather(*fetching)
                telling.cancel()
        except BaseExceptionGroup as failed:
            # The first is what happened; the others were only told to stop.
            if not isinstance(failed.exceptions[0], _EnoughError):
                raise failed.exceptions[0] from None

    async def _fetch(
        self, ledger: Ledger, on_error: OnError, url: str, positions: list[int]
    ) -> None:
        landing = Landing(str(positions[0]), ledger, self._parts, self._limits)
        try:
            fetched = await self._fetcher.fetch(url, landing)
            async with self._keeping:
                await self._keep(ledger, landing, fetched, positions)
        except _NO_FILE as error:
            await self._fail(ledger, on_error, positions, error)
        except _NO_JOB:
            raise
        except Exception:
            log.exception("file %d of archive %s has failed", positions[0], ledger.archive)
            await self._fail(ledger, on_error, positions, _UnforeseenError())
        finally:
            await landing.close()
        await landing.discard()

    async def _fail(
        self, ledger: Ledger, on_error: OnError, positions: list[int], error: SonotecaError
    ) -> None:
        fail = partial(_note_failed, ledger.archive, positions, error)
        await ledger.settle(str(positions[0]), fail, files=len(positions), size=0)
        if on_error == OnError.FAIL:
            raise _EnoughError from error

    async def _keep(
        self, ledger: Ledger, landing: Landing, fetched: Fetched, positions: list[int]
    ) -> None:
        """Make an object of a file that is whole, in one transaction with its members."""
        kept = await landing.finish(partial(keep_hidden, self._catalog, self._blobs))
        if not fetched.proven:
            ledger.unproven.append(positions[0])
        note = partial(_note_fetched, ledger.archive, positions, fetched.name, kept)
        size = fetched.size
        try:
            unused = await ledger.settle(str(positions[0]), note, files=len(positions), size=size)
        except SonotecaError:
            # A refusal of ours wrote no row. After any other failure the blob is left to upkeep.
            await asyncio.to_thread(self._blobs.discard, kept.blob)
            raise
        if unused is not None:
            await asyncio.to_thread(self._blobs.discard, unused)

    async def _leave(self, task: Task, ledger: Ledger) -> None:
        """Drop the bytes of an archive that nobody wants; those of one that goes on are kept."""
        if await self._catalog.write(self._is_over, task.id, ledger.archive):
            await self._drop(ledger.keys)

    def _is_over(self, connection: Connection, job: str, archive: str) -> bool:
        row = rows.find(connection, archive)
        if row is None or row.state != ArchiveState.IN_PROGRESS:
            return True
        if job_rows.state_of(connection, job) == job_rows.CANCELLED:
            # Somebody has cancelled the job alone, without which there will be no archive.
            self._told(connection, rows.cancel(connection, row))
            return True
        return False

    def _finish(self, archive: str, connection: Connection) -> Finished:
        finished = rows.finish(connection, archive)
        self._told(connection, finished)
        return finished

    def _give_up(self, archive: str, error: SonotecaError, connection: Connection) -> Finished:
        """End an archive of which nothing more comes, for this reason."""
        positions = [each.position for each in rows.pending(connection, archive)]
        _note_failed(archive, positions, error, connection)
        return self._finish(archive, connection)

    async def _drop(self, keys: Iterable[str]) -> None:
        for key in list(keys):
            await asyncio.to_thread(self._parts.discard, key)


async def _tell(ledger: Ledger) -> None:
    """Tell how far the archive is, and so hear soon when nobody wants it any more."""
    while True:
        await asyncio.sleep(_TELL_EVERY_S)
        await ledger.tell()


def _read_order(connection: Connection, archive: str) -> _Order:
    pending = rows.pending(connection, archive)
    row = rows.find(connection, archive)
    assert row is not None  # or its files would not be pending
    mine = members.c.archive == row.seq, members.c.state == rows.READY
    # A URL that stands twice is fetched once.
    fetched = select(func.max(objects.c.size)).join(members).where(*mine).group_by(members.c.url)
    size = sum(connection.execute(fetched).scalars())
    files = rows.counts(connection, row.seq)[1]
    return _Order(pending, OnError(row.on_error), files, size)


def _urls(connection: Connection, archive: str, positions: list[int]) -> list[str]:
    mine = archives.c.hash == archive, members.c.position.in_(positions)
    query = select(members.c.url).join(archives).where(*mine).order_by(members.c.position)
    return list(connection.execute(query).scalars())


def _note_fetched(
    archive: str, positions: list[int], name: str, kept: Kept, connection: Connection
) -> str | None:
    # The first note says which blob nobody needs; to those after it, their own would seem to be.
    unused = [
        rows.note_fetched(connection, archive, position, name=name, kept=kept)
        for position in positions
    ]
    return unused[0]


def _note_failed(
    archive: str, positions: list[int], error: SonotecaError, connection: Connection
) -> None:
    for position in positions:
        rows.note_failed(connection, archive, position, error.code, str(error))
