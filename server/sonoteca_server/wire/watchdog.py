"""Gives up a client that falls silent in the middle of what it sends."""

from __future__ import annotations

import asyncio

from tornado.iostream import IOStream


class Watchdog:
    """Closes a stream when we listen to it and nothing comes for `silence_s`; one timer for all."""

    def __init__(self, stream: IOStream, silence_s: float) -> None:
        self._stream = stream
        self._silence_s = silence_s
        self._loop = asyncio.get_running_loop()
        self._listening_since: float | None = None
        self._timer = self._loop.call_later(silence_s, self._look)

    def listen(self) -> None:
        """From now on it is the client's turn."""
        self._listening_since = self._loop.time()

    def rest(self) -> None:
        """It is our turn: a slow disk is not the client's fault."""
        self._listening_since = None

    def stop(self) -> None:
        """Nobody is watched any more."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        since = now if self._listening_since is None else self._listening_since
        left = since + self._silence_s - now
        if left <= 0:
            self._stream.close()
        else:
            self._timer = self._loop.call_later(left, self._look)
