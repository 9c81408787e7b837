"""Other formats, through ffmpeg in its jail: a few at a time, and a queue that has an end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from sonoteca_server.jobs import ffmpeg as programs
from sonoteca_server.jobs import jail, levelling, reports
from sonoteca_server.jobs.encoding import DESCRIBING, Work, measuring, reading, writing
from sonoteca_server.jobs.ffmpeg import Ffmpeg
from sonoteca_server.jobs.jail import Feed
from sonoteca_server.jobs.sources import Source, UndecodableError
from sonoteca_server.jobs.speakers import MEASURABLE, MIXABLE, Places
from sonoteca_server.jobs.wrapping import wrap
from sonoteca_shared.errors import BadRequestError, SonotecaError
from sonoteca_shared.recipes import FLOAT, TARGETS, Recipe

MOST_WAITING = 100
_SECONDS = 60
_BYTES_A_SECOND = 4 << 20
# How often the gain is corrected for what the limiter takes away.
_ROUNDS = 5
_ROUNDED_S = 0.001

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


class UnfitError(SonotecaError):
    """This sound cannot become what the recipe asks for, though another could; says why."""

    code = "conversion-unfit"


class Conversions:
    """Converts sounds for whoever asks; `room` says how many bytes the disk has for a result."""

    def __init__(self, room: Callable[[], int], *, at_once: int = 0) -> None:
        self._room = room
        self._at_once = at_once or os.cpu_count() or 1
        self._turns = asyncio.Semaphore(self._at_once)
        self._asked: set[asyncio.Task[Any]] = set()
        self._found: Ffmpeg | None = None
        self._finding = asyncio.Lock()

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

    async def close(self) -> None:
        """End what is under way, for whoever asked is gone by now."""
        asked = set(self._asked)
        for task in asked:
            task.cancel()
        if asked:
            await asyncio.wait(asked)

    async def ffmpeg(self) -> Ffmpeg:
        """The program that converts; NoConverterError where there is none."""
        async with self._finding:
            if self._found is None:
                self._found = await asyncio.to_thread(programs.find)
        if self._found is None:
            raise NoConverterError
        return self._found

    def check_queue(self) -> None:
        """ConversionsFullError when no more can wait."""
        if len(self._asked) >= self._at_once + MOST_WAITING:
            raise ConversionsFullError

    @property
    def is_idle(self) -> bool:
        """Whether one more would not have to wait."""
        return not self._turns.locked()

    async def convert(
        self, source: Source, recipe: Recipe, target: int, feed: Feed | None = None
    ) -> None:
        """Write what the recipe makes of the source to an open, empty file.

        `feed` writes the source to a pipe, where it is not all there yet; it can be read once only.
        Waits for its turn. Cancelled, it leaves no process behind. UndecodableError when ffmpeg
        cannot make sense of the source, UnfitError or BadRequestError when the recipe is not for
        this sound, NoSpaceError when the result does not fit.
        """
        found = await self.ffmpeg()
        async with self._turn():
            work = await self._describe(found, source, recipe)
            _check_fit(work)
            gain = await self._level(work)
            wrapping = await asyncio.to_thread(wrap, work)
            if wrapping is not None:
                wrapping.begin(target)
            said = await self._pass(work, writing(work, gain), target, feed)
        _check_result(work, said)
        if wrapping is not None:
            await asyncio.to_thread(wrapping.finish, target)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        self.check_queue()
        task = asyncio.current_task()
        assert task is not None
        self._asked.add(task)
        try:
            async with self._turns:
                yield
        finally:
            self._asked.discard(task)

    async def _describe(self, found: Ffmpeg, source: Source, recipe: Recipe) -> Work:
        """What there is to do, once a decoder has said how the source is sampled."""
        work = Work(found, source, recipe)
        if source.shape is not None:
            return work
        return replace(work, source=source.described(await self._pass(work, DESCRIBING)))

    async def _level(self, work: Work) -> list[str]:
        """The filters that bring the sound to the loudness asked for, if one is."""
        target = work.recipe.normalize_lufs
        if target is None:
            return []
        measured = await self._measure(work, [])
        if measured.is_silent:
            raise UnfitError("it is silent, so nothing makes it as loud as “normalize_lufs” says")
        gain = target - measured.integrated
        if levelling.fits(measured, gain) or work.recipe.bitdepth == FLOAT:
            return levelling.louder(gain)
        reached = measured
        for _ in range(_ROUNDS):
            reached = await self._measure(work, levelling.limited(gain))
            if abs(reached.integrated - target) <= levelling.CLOSE_LU:
                return levelling.limited(gain)
            gain += target - reached.integrated
        raise UnfitError(
            f"it cannot be as loud as {target:g} LUFS without being distorted: with its peaks "
            f"limited it comes to {reached.integrated:g} LUFS"
        )

    async def _measure(self, work: Work, gain: list[str]) -> levelling.Measured:
        said = await self._pass(work, measuring(work, gain))
        _check_result(work, said)
        measured = levelling.read_summary(said)
        if measured is None:
            raise UndecodableError("its loudness could not be measured")
        return measured

    async def _pass(
        self, work: Work, how: list[str], target: int = DEVNULL, feed: Feed | None = None
    ) -> str:
        """One run over the whole source; what was said."""
        source, room = work.source, await asyncio.to_thread(self._room)
        limits = jail.Limits(cpu_s=_SECONDS + source.size // _BYTES_A_SECOND, file_size=room)
        program = [*reading(work.ffmpeg, source), *how]
        try:
            if feed is None:
                os.lseek(source.descriptor, 0, os.SEEK_SET)
                ended = await jail.run(program, limits, stdin=source.descriptor, stdout=target)
            else:
                ended = await jail.run_fed(program, limits, feed, stdout=target)
        except jail.TooSlowError as error:
            raise UndecodableError("converting it takes too long") from error
        if ended.status and reports.is_of_speakers(ended.said):
            raise UnfitError(_of_speakers(work))
        if ended.status:
            raise reports.failure(ended, limits)
        return ended.said


def _of_speakers(work: Work) -> str:
    what = f"its {work.shape.channels or 'many'} channels are for speakers"
    if work.recipe.channels:
        return (
            f"{what} that cannot be mixed to {work.recipe.channels} channels: "
            f"leave “channels” out, so that they stay as they are"
        )
    return (
        f"{what} for which {work.recipe.format} has no place: "
        f"convert it to wav, which keeps them as they are"
    )


def _check_fit(work: Work) -> None:
    """BadRequestError or UnfitError when the recipe is for another sound than this."""
    shape, recipe = work.shape, work.recipe
    if work.source.is_wav and work.source.frames is not None:
        length = work.source.frames / shape.samplerate
        for name, place in (("start", recipe.start), ("end", recipe.end or 0.0)):
            if place > length + _ROUNDED_S:
                raise BadRequestError(
                    f"“{name}” is {place:g} seconds, but the sound ends after {length:g} seconds"
                )
    _check_channels(work)


def _check_channels(work: Work) -> None:
    shape, recipe = work.shape, work.recipe
    count, most = shape.channels or 0, recipe.channels or recipe.target.channels
    held = TARGETS["wav"].channels
    if count > held:
        raise UnfitError(
            f"it has {count} channels, and {held} is the most that can be converted: "
            f"send it in parts"
        )
    # Where so many channels belong nobody says, so nobody can mix them.
    if count > MIXABLE and most != count and (recipe.channels or count > most):
        raise UnfitError(
            f"it has {count} channels, which cannot be mixed to {most}: "
            f"convert it to wav, which keeps them"
        )
    if (recipe.channels or 0) > MIXABLE and recipe.channels != count:
        raise UnfitError(
            f"it cannot be mixed to {recipe.channels} channels: {MIXABLE} is the most that it can"
        )
    if recipe.normalize_lufs is not None and shape.places is Places.UNKNOWN and count > MEASURABLE:
        raise UnfitError(
            f"it has {count} channels, and nobody says for which speakers: the loudness of "
            f"{MEASURABLE} at most can be measured then; leave “normalize_lufs” out"
        )


def _check_result(work: Work, said: str) -> None:
    """Raise when what came out is not all that was asked for."""
    if work.recipe.end is None:
        reports.check_whole(work.source, said)
    if reports.is_empty(said) and work.recipe.start:
        raise BadRequestError("the sound ends before “start”")
