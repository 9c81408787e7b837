"""Runs a program on strangers' bytes: limited, without a network, and never without its asker.

The program is a group of processes of its own, which is killed when the caller is cancelled. On
Linux the kernel ends it with the server too, even where that is killed itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_LAUNCHER = str(Path(__file__).with_name("launch.py"))
_SAID = 64 << 10
_PIPE = 1 << 20
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ of Linux, which not every Python names
Feed = Callable[[int], Awaitable[None]]
_PIECE = 16 << 10
# Beside others on a busy machine a second of work may take many of the clock.
_PATIENCE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may take: seconds of work, bytes of memory, open files, bytes of one file."""

    cpu_s: int
    memory: int = 1 << 30
    files: int = 64
    file_size: int


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its status, negative for a signal, and the last that it said."""

    status: int
    said: str


class TooSlowError(Exception):
    """The program stood still for longer than any work takes."""


async def run(program: Sequence[str], limits: Limits, *, stdin: int, stdout: int) -> Ended:
    """Run a program from its full path, between two open files, until it ends.

    Cancelled, it is killed, and gone when this returns. TooSlowError when it does nothing for long.
    """
    process = await asyncio.create_subprocess_exec(
        *command(program, limits),
        stdin=stdin,
        stdout=stdout,
        stderr=PIPE,
        env={"PATH": os.defpath, "LC_ALL": "C"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_PATIENCE * limits.cpu_s):
            said = await _hear(process)
            return Ended(await process.wait(), said)
    except TimeoutError as error:
        raise TooSlowError from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def run_fed(program: Sequence[str], limits: Limits, feed: Feed, *, stdout: int) -> Ended:
    """As `run`, with a pipe as standard input; `feed` is given its other end, and closes nothing.

    What `feed` raises is raised, but for a program that has stopped to read.
    """
    reader, writer = os.pipe()
    fcntl.fcntl(writer, _SET_PIPE_SIZE, _PIPE)
    feeding = asyncio.create_task(_feed(feed, writer))
    try:
        ended = await run(program, limits, stdin=reader, stdout=stdout)
    finally:
        # Without a reader the next write fails, so that feeding ends by itself.
        os.close(reader)
        await asyncio.wait({feeding})
        trouble = feeding.exception()
    if trouble is not None:
        raise trouble
    return ended


async def _feed(feed: Feed, writer: int) -> None:
    try:
        with contextlib.suppress(BrokenPipeError):
            await feed(writer)
    finally:
        os.close(writer)


@cache
def has_no_network() -> bool:
    """Whether programs in the jail are without any network here: not every system lets them be."""
    check = "import runpy, sys; sys.exit(not runpy.run_path(sys.argv[1])['leave_network']())"
    command = [sys.executable, "-I", "-S", "-c", check, _LAUNCHER]
    return sys.platform == "linux" and not subprocess.run(command, check=False).returncode


def command(program: Sequence[str], limits: Limits) -> list[str]:
    """How a program is started in its jail."""
    figures = (os.getpid(), limits.cpu_s, limits.memory, limits.files, limits.file_size)
    return [sys.executable, "-I", "-S", _LAUNCHER, *map(str, figures), *program]


async def _hear(process: Process) -> str:
    """The last of what the program says until it ends; what it said before is not kept."""
    assert process.stderr is not None
    said = bytearray()
    while piece := await process.stderr.read(_PIECE):
        said += piece
        del said[:-_SAID]
    return said.decode("utf-8", "replace")
