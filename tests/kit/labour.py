"""A worker process whose jobs do nothing but leave traces in the feed: how often, and by whom.

`python -m tests.kit.labour --data DIR --database URL --lease-s 2` runs one, as the command `worker`
does. A trace is a change: of type `trace.begun` with the step that a try went on from as its `rev`,
or `trace.step` with the number of a step; its subject is the job's id, or the process's own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from sonoteca_server import logs
from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.jobs.worker import Handler, Task
from sonoteca_server.settings import Settings
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_server.workers import work

AT = "2026-01-01T00:00:00Z"
_STEP_S = 0.02


def main() -> None:
    """Work until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--lease-s", type=float, default=2.0)
    given = parser.parse_args()
    logs.to_stderr()
    settings = Settings(data=given.data, database=given.database)
    asyncio.run(work(settings, handlers, lease_s=given.lease_s))


def handlers(_settings: Settings, _catalog: Catalog, _blobs: LocalBlobs) -> Mapping[str, Handler]:
    """A job of many steps, two short ones, and two that do not end by themselves."""
    return {
        "steps": take_steps,
        "once": do_once,
        "nothing": do_nothing,
        "hang": hang,
        "deaf": be_deaf,
    }


async def take_steps(task: Task) -> None:
    """Leave a trace of each step, together with the checkpoint behind it."""
    first = task.checkpoint.get("steps", 0)
    await task.save_with(partial(trace, kind="begun", subject=task.id, number=first))
    for step in range(first, task.args["steps"]):
        await asyncio.sleep(_STEP_S)  # this is the work
        effect = partial(trace, kind="step", subject=task.id, number=step)
        await task.save_with(effect, {"steps": step + 1})


async def do_once(task: Task) -> None:
    """Leave a trace of the job, and of the process that did it."""

    def both(connection: Connection) -> None:
        trace(connection, "once", task.id, 0)
        trace(connection, "process", str(os.getpid()), 0)

    if not task.checkpoint:  # else the lease ended between this and the end
        await task.save_with(both, {"done": True})


async def do_nothing(_task: Task) -> None:
    """Leave no trace."""


async def hang(task: Task) -> None:
    """Begin, and never end."""
    await task.save_with(partial(trace, kind="begun", subject=task.id, number=0))
    await asyncio.Event().wait()


async def be_deaf(task: Task) -> None:
    """Hold up a thread that nobody can interrupt."""
    await task.save_with(partial(trace, kind="begun", subject=task.id, number=0))
    await asyncio.to_thread(time.sleep, 600)


def trace(connection: Connection, kind: str, subject: str, number: int) -> None:
    """Leave a trace in the transaction of the caller."""
    feed.append(connection, f"trace.{kind}", subject, number, AT)


class WorkerProcess:
    """A worker as a process of its own; `module` is what runs it."""

    def __init__(
        self, data: Path, database: str, *flags: str, module: str = "tests.kit.labour"
    ) -> None:
        command = [sys.executable, "-m", *module.split(), "--data", str(data),
                   "--database", database, *flags]  # fmt: skip
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
            assert line == f"Sonoteca worker on {data}\n", line
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        return self._process.wait(timeout=18)

    def end(self) -> None:
        """Have it gone, however it stands."""
        if self._process.poll() is None:
            self._process.kill()
            self.wait()


@contextlib.contextmanager
def workers(count: int, data: Path, database: str, *flags: str) -> Iterator[list[WorkerProcess]]:
    """So many worker processes, gone with the block."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(WorkerProcess(data, database, *flags))
            stack.callback(made[-1].end)
        yield made


if __name__ == "__main__":
    main()
