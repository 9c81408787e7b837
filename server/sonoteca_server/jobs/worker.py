"""Runs jobs, in the server or beside it: each under a lease that is renewed while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection

from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.constructs import clock
from sonoteca_server.jobs.queue import Jobs
from sonoteca_server.library.archives import KIND as ARCHIVE
from sonoteca_server.library.hooks import WEBHOOK
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.ids import new_id
from sonoteca_shared.models import JobError, Progress

LEASE_S = 10.0
_POLL_S = 1.0
TRIES = 5
_AT_ONCE = 4
# These wait for other servers, which may be slow; how many of those are asked is bounded elsewhere.
PLACES = {ARCHIVE: 32, WEBHOOK: 16}
_BACK_OFF_S = 2.0
_LONGEST_S = 300.0
_STOP_S = 5.0
_TELL_EVERY_S = 1.0

T = TypeVar("T")

log = logging.getLogger(__name__)


class LostError(SonotecaError):
    """The job went to another process, because its lease had ended."""

    code = "job-lost"

    def __init__(self) -> None:
        super().__init__("the job went to another process")


class CancelledJobError(SonotecaError):
    """Somebody has cancelled the job."""

    code = "job-cancelled"

    def __init__(self) -> None:
        super().__init__("the job was cancelled")


class RetryLaterError(SonotecaError):
    """Not now: the job is due again after a while, and this try does not count."""

    code = "job-later"

    def __init__(self, after_s: float, detail: str) -> None:
        super().__init__(detail)
        self.after_s = after_s


class GiveUpError(SonotecaError):
    """The job has failed for good, for a reason that its resource tells."""

    code = "job-failed"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = JobError(code=code, detail=detail)


class Task:
    """A job in the hands of its handler: what to do, and how far earlier tries have come."""

    def __init__(self, jobs: Jobs, claim: rows.Claim, lease_s: float) -> None:
        self.id = claim.id
        self.kind = claim.kind
        self.args = claim.args
        self.checkpoint = claim.checkpoint
        # As text: a handler may go on writing in what it has saved.
        self._kept = _json(claim.checkpoint)
        self.attempt = claim.attempt
        self._catalog = jobs.catalog
        self.owner = claim.owner
        self._lease_s = lease_s
        self._told = -_TELL_EVERY_S
        # Whether there is progress that the feed has not told yet.
        self.untold = False
        # Whether it was told to end, which it is told once: it may have to clean up.
        self.stopped = False

    async def save(
        self, checkpoint: dict[str, Any] | None = None, *, progress: Progress | None = None
    ) -> None:
        """Keep how far the job has come; what is None stays as it was.

        LostError when another process has it by now, CancelledJobError when it was cancelled.
        """
        await self.save_with(lambda _connection: None, checkpoint, progress)

    async def save_with(
        self,
        write: Callable[[Connection], T],
        checkpoint: dict[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> T:
        """The same in one transaction with an effect, which so comes about once."""
        tell = progress is not None and time.monotonic() - self._told >= _TELL_EVERY_S

        def run(connection: Connection) -> T:
            values: dict[str, Any] = {"due": clock() + self._lease_s}
            if checkpoint is not None:
                values |= self._further(_json(checkpoint))
            if progress is not None:
                values["progress"] = _json(progress)
            self._hold(connection, values, tell=tell)
            return write(connection)

        done = await self._catalog.write(run)
        if tell:
            self.tell()
        elif progress is not None:
            self.untold = True
        if checkpoint is not None:
            self.checkpoint, self._kept = checkpoint, _json(checkpoint)
        return done

    def _further(self, checkpoint: str) -> dict[str, Any]:
        """A checkpoint as it is kept; one that is new shows that the job gets further."""
        return {"checkpoint": checkpoint} | ({"losses": 0} if checkpoint != self._kept else {})

    def tell(self) -> None:
        """The feed has told of the job as it is now."""
        self.untold, self._told = False, time.monotonic()

    async def end(self, **values: Any) -> None:
        """Let go of the job, in another state."""
        await self._catalog.write(self._hold, {"owner": None, "due": clock()} | values)

    def _hold(self, connection: Connection, values: dict[str, Any], *, tell: bool = True) -> None:
        if not rows.hold(connection, self.owner, self.id, values, tell=tell):
            cancelled = rows.state_of(connection, self.id) == rows.CANCELLED
            raise CancelledJobError if cancelled else LostError


Handler = Callable[[Task], Awaitable[Any]]


class Worker:
    """Runs the jobs of these kinds; `news` is set when there may be more.

    `at_once` says how many of a kind run at the same time in this process, `place` begins the name
    by which the jobs know it.
    """

    def __init__(
        self,
        jobs: Jobs,
        handlers: Mapping[str, Handler],
        *,
        news: asyncio.Event | None = None,
        at_once: Mapping[str, int] = PLACES,
        place: str = "worker",
        lease_s: float = LEASE_S,
        poll_s: float = _POLL_S,
    ) -> None:
        self._jobs = jobs
        self._handlers = handlers
        self._news = news or asyncio.Event()
        self._at_once = at_once
        self._place = place
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._running: dict[asyncio.Task[None], Task] = {}

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        """Run jobs until cancelled; those that run then are handed back."""
        beat, taking = asyncio.create_task(self._beat()), None
        try:
            while True:
                self._news.clear()
                taking = asyncio.create_task(self._take())
                try:
                    # Not cut short: what it has claimed by then must be handed back.
                    await asyncio.shield(taking)
                except Exception:
                    log.exception("jobs wait")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_s):
                        await self._news.wait()
        finally:
            beat.cancel()
            if taking is not None:
                await asyncio.wait({taking})
            await self._hand_back()

    async def _take(self) -> None:
        """Begin as many jobs as there is room for."""
        busy = [task.kind for task in self._running.values()]
        free = {
            kind: self._at_once.get(kind, _AT_ONCE) - busy.count(kind) for kind in self._handlers
        }
        room = {kind: count for kind, count in free.items() if count > 0}
        catalog = self._jobs.catalog
        if not room or not await catalog.read(rows.has_work, sorted(room)):
            return
        owner = f"{self._place}/{new_id()}"
        for claim in await catalog.write(rows.claim, owner, room, self._lease_s):
            task = Task(self._jobs, claim, self._lease_s)
            running = asyncio.create_task(self._work(task))
            self._running[running] = task
            running.add_done_callback(self._ended)

    def _ended(self, running: asyncio.Task[None]) -> None:
        del self._running[running]
        self._news.set()

    async def _work(self, task: Task) -> None:
        try:
            await self._carry_out(task)
        except (LostError, CancelledJobError) as error:
            log.info("job %s of kind %s: %s", task.id, task.kind, error)
        except Exception:
            # Its lease ends, and somebody tries again.
            log.exception("how job %s of kind %s has ended is not noted", task.id, task.kind)

    async def _carry_out(self, task: Task) -> None:
        try:
            result = await self._handlers[task.kind](task)
        except (LostError, CancelledJobError):
            raise
        except RetryLaterError as error:
            reason = JobError(code=error.code, detail=str(error))
            await task.end(
                state=rows.READY,
                due=clock() + error.after_s,
                tries=task.attempt - 1,
                error=_json(reason),
            )
        except GiveUpError as error:
            await task.end(state=rows.FAILED, error=_json(error.reason))
        except Exception as error:  # noqa: BLE001 - the handler is tried again, whatever it met
            await self._try_again(task, error)
        else:
            await task.end(state=rows.DONE, result=_json(result), error=None)

    async def _try_again(self, task: Task, error: Exception) -> None:
        if isinstance(error, SonotecaError):
            reason = JobError(code=error.code, detail=str(error))
            log.warning("job %s of kind %s: %s", task.id, task.kind, error)
        else:
            detail = "something went wrong on the server; its log says what"
            reason = JobError(code="internal", detail=detail)
            log.error("job %s of kind %s has failed", task.id, task.kind, exc_info=error)
        if task.attempt >= TRIES:
            await task.end(state=rows.FAILED, error=_json(reason))
            return
        pause = min(_LONGEST_S, _BACK_OFF_S**task.attempt)
        # What failed together does not come back together.
        due = clock() + pause * random.uniform(0.5, 1)  # noqa: S311
        await task.end(state=rows.READY, due=due, error=_json(reason))

    async def _beat(self) -> None:
        """Renew the leases of all that runs, and stop what is not ours any more."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            running = dict(self._running)
            if not running:
                continue
            owners = {task.owner for task in running.values()}
            untold = [task for task in running.values() if task.untold]
            tell = [task.id for task in untold]
            try:
                ours = await self._jobs.catalog.write(rows.renew, owners, self._lease_s, tell)
            except Exception:
                log.exception("the leases of %d jobs are not renewed", len(running))
                continue
            for task in untold:
                task.tell()
            for runs, task in running.items():
                if (task.owner, task.id) not in ours and not task.stopped:
                    task.stopped = True
                    runs.cancel()

    async def _hand_back(self) -> None:
        running = dict(self._running)
        for runs in running:
            runs.cancel()
        if running:
            await asyncio.wait(running, timeout=_STOP_S)
            owners = {task.owner for task in running.values()}
            await self._jobs.catalog.write(rows.hand_back, owners)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
