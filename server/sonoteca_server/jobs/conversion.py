"""Other formats, through ffmpeg in its jail: a few at a time, and a queue that has an end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
from collections.abc import AsyncIterator, Callable

from sonoteca_server.jobs import ffmpeg as programs
from sonoteca_server.jobs import jail
from sonoteca_server.jobs.encoding import reading, writing
from sonoteca_server.jobs.ffmpeg import Ffmpeg
from sonoteca_server.jobs.sources import Source, UndecodableError
from sonoteca_shared.errors import NoSpaceError, SonotecaError
from sonoteca_shared.recipes import Recipe

MOST_WAITING = 100
_SECONDS = 60
_BYTES_A_SECOND = 4 << 20
# ffmpeg says where in its own memory something went wrong, and what it calls its input.
_ASIDES = re.compile(r"\[[^\]]* @ 0x[0-9a-f]+\] |(?:pipe:0|fd:|file:/dev/fd/\d): ")
_MOST_SAID = 300

log = logging.getLogger(__name__)


class ConversionsFullError(SonotecaError):
    """As many conversions wait as may."""

    code = "conversions-full"

    def __init__(self) -> None:
        super().__init__("too many conversions are waiting already; try again in a while")
        self.headers = {"Retry-After": "10"}


class NoConverterError(SonotecaError):
    """There is nothing on this server that could convert."""

    code = "no-converter"

    def __init__(self) -> None:
        super().__init__(
            "this server has no ffmpeg: its admin can install the system's, "
            "or “sonoteca[server,convert]” with pip"
        )


class Conversions:
    """Converts sounds for whoever asks; `room` says how many bytes the disk has for a result."""

    def __init__(self, room: Callable[[], int], *, at_once: int = 0) -> None:
        self._room = room
        self._at_once = at_once or os.cpu_count() or 1
        self._turns = asyncio.Semaphore(self._at_once)
        self._asked = 0

    async def ffmpeg(self) -> Ffmpeg:
        """The program that converts; NoConverterError where there is none."""
        found = await asyncio.to_thread(programs.find)
        if found is None:
            raise NoConverterError
        return found

    async def run(self) -> None:
        """Look for ffmpeg before anybody asks, and say what was found."""
        try:
            found = await self.ffmpeg()
        except NoConverterError as error:
            log.warning("nothing can be converted: %s", error)
            return
        log.info("ffmpeg %s makes %s", found.version, ", ".join(found.formats))
        if not await asyncio.to_thread(jail.has_no_network):
            log.warning("ffmpeg cannot be kept off the network here, but by its own arguments")

    def check_queue(self) -> None:
        """ConversionsFullError when no more can wait."""
        if self._asked >= self._at_once + MOST_WAITING:
            raise ConversionsFullError

    async def convert(self, source: Source, recipe: Recipe, target: int) -> None:
        """Write what the recipe makes of the source to an open, empty file.

        Waits for its turn. Cancelled, it leaves no process behind. UndecodableError when ffmpeg
        cannot make sense of the source, NoSpaceError when the result does not fit.
        """
        found = await self.ffmpeg()
        async with self._turn():
            await self._pass(found, source, [*writing(found, source, recipe)], target)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        self.check_queue()
        self._asked += 1
        try:
            async with self._turns:
                yield
        finally:
            self._asked -= 1

    async def _pass(self, found: Ffmpeg, source: Source, how: list[str], target: int) -> str:
        """One run of ffmpeg over the source; what it said."""
        cpu_s = _SECONDS + source.size // _BYTES_A_SECOND
        room = await asyncio.to_thread(self._room)
        limits = jail.Limits(cpu_s=cpu_s, file_size=room)
        os.lseek(source.descriptor, 0, os.SEEK_SET)
        program = [*reading(found, source), *how]
        try:
            ended = await jail.run(program, limits, stdin=source.descriptor, stdout=target)
        except jail.TooSlowError:
            ended = jail.Ended(-signal.SIGXCPU, "")
        if ended.status:
            raise _failure(ended, cpu_s, room)
        return ended.said


def _failure(ended: jail.Ended, cpu_s: int, room: int) -> SonotecaError:
    """What to tell of a run that failed."""
    if ended.status == -signal.SIGXFSZ or "No space left on device" in ended.said:
        return NoSpaceError(free=room, needed=room + 1)
    if ended.status == -signal.SIGXCPU:
        return UndecodableError(f"converting it takes more than {cpu_s} seconds of work")
    lines = _ASIDES.sub("", ended.said).strip().splitlines()
    reason = lines[-1][-_MOST_SAID:] if lines else f"ffmpeg ended with status {ended.status}"
    return UndecodableError(f"this cannot be read as a sound: {reason}")
