"""Has strangers' audio decoded by a process of its own, which may crash, hang or grow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

import msgspec

from sonoteca_server.jobs.jail import Limits, command
from sonoteca_shared.errors import NoSpaceError
from sonoteca_shared.models import Loudness

_SECONDS = 60.0
_SECONDS_PER_BYTE = 1 / (4 << 20)
_PROGRAM = (sys.executable, "-m", "sonoteca_server.jobs.decoder")
# The process lives on from sound to sound: how long each may take is watched from here.
_LIMITS = Limits(cpu_s=1 << 31, memory=2 << 30, file_size=1 << 40)
# Products of small matrices are quicker in one thread, and the other cores belong to others.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Task(msgspec.Struct, frozen=True):
    """Measure the file `source`, and write its waveform to `target` unless there is one."""

    source: str
    target: str | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How loud it is, or a sentence of what is wrong with it; `full` when the disk is."""

    loudness: Loudness | None = None
    error: str | None = None
    full: bool = False


class UndecodableError(Exception):
    """A sound cannot be decoded: it is broken, or breaks the decoder."""


class Decoder:
    """One process that works on one sound after the other; it is started when there is one."""

    def __init__(self, program: Sequence[str] = _PROGRAM) -> None:
        self._program = program
        self._process: Process | None = None

    async def measure(self, task: Task, size: int) -> Loudness:
        """How loud a sound of so many bytes is; its waveform is in the target then.

        UndecodableError when that cannot be done, NoSpaceError when the disk is full.
        """
        seconds = _SECONDS + size * _SECONDS_PER_BYTE
        try:
            async with asyncio.timeout(seconds):
                line = await self._ask(msgspec.json.encode(task))
        except TimeoutError:
            await self.end()
            raise UndecodableError(f"decoding took longer than {seconds:.0f} s") from None
        except BaseException:  # it works on what nobody waits for any more
            await self.end()
            raise
        if not line:
            await self.end()
            raise UndecodableError("the decoder crashed")
        answer = msgspec.json.decode(line, type=Answer)
        if answer.full:
            raise NoSpaceError
        if answer.error is not None or answer.loudness is None:
            raise UndecodableError(answer.error or "nothing was measured")
        return answer.loudness

    async def end(self) -> None:
        """Stop the process, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, line: bytes) -> bytes:
        """The answer to a line; empty when the process ended without one."""
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line + b"\n")
            await process.stdin.drain()
            return await process.stdout.readline()
        except ConnectionError:
            return b""

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                *command(self._program, _LIMITS),
                stdin=PIPE,
                stdout=PIPE,
                env=os.environ | _ENVIRONMENT,
            )
        return self._process
