"""A head start: on a fast line a WAV is converted while the rest of it still comes.

What its head says is taken for granted until the whole file is there. When that turns out to be
otherwise, what was made is thrown away and the file converted as any other: nobody can tell which
of the two it was, but by the time it took.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable

from sonoteca_server.jobs.conversion import Conversions
from sonoteca_server.jobs.sources import Source, anticipate
from sonoteca_server.storage.spool import Spool
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.recipes import Recipe

# Whoever brings so much so quickly does not keep ffmpeg, and with it others, waiting for long.
_ENOUGH = 8 << 20
_QUICKLY_S = 0.5
_LOOK_S = 0.005
# Half of that, looked at each time so much has passed: whoever only drips gives the turn back.
_FAST = 8 << 20
_STARVED_S = 2.0
_PIECE = 1 << 20


class _StarvedError(Exception):
    """The line is no longer fast."""


class HeadStart:
    """Watches a file come in, and begins its conversion when that is worth it.

    `recipe` gives what is asked for as far as it is known by then, or None; `make_result` a file.
    """

    def __init__(
        self,
        conversions: Conversions,
        spool: Spool,
        recipe: Callable[[], Awaitable[Recipe | None]],
        make_result: Callable[[], Spool],
    ) -> None:
        self._conversions = conversions
        self._spool = spool
        self._recipe = recipe
        self._make_result = make_result
        self._assumed: tuple[Source, Recipe] | None = None
        self._complete = False
        self._over = False
        self._task = asyncio.create_task(self._run())

    async def finish(self, source: Source, recipe: Recipe) -> Spool | None:
        """The result, which the caller closes, now that the file is whole; None without one."""
        self._complete = True
        if self._assumed != (source, recipe):
            self.cancel()
            return None
        # A trouble is told by the conversion of the whole file, which meets it too.
        with contextlib.suppress(SonotecaError, _StarvedError):
            result = await self._task
            self._assumed = None
            return result
        return None

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self._over = True
        if not self._task.done():
            self._task.cancel()
        elif self._assumed is not None and not self._task.cancelled():
            # Made, and never asked for.
            result = None if self._task.exception() else self._task.result()
            if result is not None:
                result.close()

    async def _run(self) -> Spool | None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._spool.size < _ENOUGH:
            if loop.time() - began > _QUICKLY_S:
                return None
            await asyncio.sleep(_LOOK_S)
        recipe = await self._recipe()
        source = await asyncio.to_thread(anticipate, self._spool.descriptor)
        if recipe is None or source is None or not self._conversions.is_idle:
            return None
        self._assumed = source, recipe
        result = self._make_result()
        try:
            await self._conversions.convert(source, recipe, result.descriptor, self._feed)
        except BaseException:
            result.close()
            raise
        return result

    async def _feed(self, pipe: int) -> None:
        """Hand over what is there until all of it went, without ever waiting for the reader."""
        loop, at = asyncio.get_running_loop(), 0
        since, before = loop.time(), self._spool.size
        while not self._over and not (self._complete and at >= self._spool.size):
            try:
                count = min(_PIECE, self._spool.size - at)
                moved = count and os.splice(
                    self._spool.descriptor, pipe, count, offset_src=at, flags=os.SPLICE_F_NONBLOCK
                )
            except BlockingIOError:
                moved = 0
            at += moved
            now, size = loop.time(), self._spool.size
            if now - since > _STARVED_S:
                # As long as ffmpeg has something to do, the turn is not idle.
                if at >= size and size - before < _FAST * (now - since):
                    raise _StarvedError
                since, before = now, size
            await asyncio.sleep(0 if moved else _LOOK_S)
