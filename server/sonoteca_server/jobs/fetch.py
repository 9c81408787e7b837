"""A remote URL to a file of ours: resumed after every trouble, bounded, and never from inward."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakValueDictionary

from sonoteca_server.jobs.addresses import Target, follow, parse_url
from sonoteca_server.jobs.outward import Answer, BadAnswerError, CutOffError, ExchangeError, Outward
from sonoteca_server.jobs.replies import (
    EntityChangedError,
    Standing,
    StatusError,
    is_redirect,
    judge,
    name_in,
    refuse_page_bytes,
)

MAX_REDIRECTS = 5
AT_ONCE = 8
PER_HOST = 4
_TRIES = 6
_MOST_PAUSE_S = 60.0
# So much more since the tries are counted, and a server is taken for one that gets on.
_PROGRESS = 64 << 10


class RedirectsError(ExchangeError):
    """One redirect after the other."""

    code = "too-many-redirects"
    lasting = True


class TooSlowError(ExchangeError):
    """The file took longer than a file may take."""

    code = "too-slow"
    lasting = True


class Sink(Protocol):
    """Where the bytes of one file go. What it raises by itself ends the fetch."""

    @property
    def standing(self) -> Standing:
        """How far the file has come."""
        ...

    async def open(self) -> None:
        """Get ready for more bytes, in a turn; what is there may turn out to be less."""
        ...

    async def close(self) -> None:
        """Hold nothing open until the next turn, and lose no byte."""
        ...

    async def begin(self, standing: Standing, /) -> None:
        """Drop what is there: the file begins anew, as this entity; refuses one that is too long.

        With an offset it goes on from there, and only the rest is news.
        """
        ...

    async def append(self, data: bytes, /) -> None:
        """Take the next bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is here to its end; `proven` unless its server did not say where that is."""

    name: str
    size: int
    proven: bool


def pause_s(tries: int) -> float:
    """How long to wait after so many tries in vain, in seconds: full jitter below 2, 4, 8 …"""
    return random.uniform(0, min(_MOST_PAUSE_S, 2.0**tries))  # noqa: S311 - no secret


class HostTurns:
    """Turns at fetching: so many at once in all, fewer at one host, none at a host that said so."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(AT_ONCE)
        # Each is there for as long as somebody has a turn at it, or waits for one.
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._closed_until: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for a turn at this host, and have it until the block is left."""
        turns = self._hosts.setdefault(host, asyncio.Semaphore(PER_HOST))
        # The host's first: who waits for a slow host keeps nobody from another one.
        async with turns:
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(max(0.0, self._closed_until.get(host, 0.0) - now))
            async with self._all:
                yield

    def close(self, host: str, seconds: float) -> None:
        """Nobody has a turn at this host for so long."""
        now = asyncio.get_running_loop().time()
        closed = {each: until for each, until in self._closed_until.items() if until > now}
        self._closed_until = closed | {host: max(now + seconds, closed.get(host, 0.0))}


class Fetcher:
    """Fetches files; one for the process, so that its limits hold for all jobs together.

    `max_s` is how long one file may take; `pause` how long to wait after so many tries in vain.
    """

    def __init__(
        self, outward: Outward, *, max_s: float, pause: Callable[[int], float] = pause_s
    ) -> None:
        self._outward = outward
        self._max_s = max_s
        self._pause = pause
        self._turns = HostTurns()

    async def fetch(self, url: str, sink: Sink) -> Fetched:
        """Bring the file to its end in the sink, going on from where it stands.

        ExchangeError, BadUrlError or NotPublicError when that cannot be.
        """
        asked, tries, patience = parse_url(url), 0, _Patience(url, self._max_s)
        counted_from = sink.standing.offset
        while True:
            try:
                return await self._attempt(asked, sink, patience)
            except ExchangeError as error:
                failure = error
            tries += 1
            if sink.standing.offset >= counted_from + _PROGRESS:
                tries, counted_from = 0, sink.standing.offset
            await self._wait(failure, tries, patience)

    async def _wait(self, failure: ExchangeError, tries: int, patience: _Patience) -> None:
        """Wait before the next try; raises the failure when there is to be none."""
        if failure.lasting or tries >= _TRIES:
            raise failure
        wait = self._pause(tries)
        if isinstance(failure, StatusError):
            wait = max(wait, failure.retry_after_s)
        if wait >= patience.left_s:
            raise failure
        async with patience.running():
            await asyncio.sleep(wait)

    async def _attempt(self, asked: Target, sink: Sink, patience: _Patience) -> Fetched:
        target = asked
        for _ in range(MAX_REDIRECTS + 1):
            # Each hop has a turn at its own host, which is the one that it is a burden to.
            async with self._turns.turn(target.host):
                try:
                    async with patience.running():
                        await sink.open()
                        come = await self._ask(target, sink, name_in(asked))
                except StatusError as error:
                    self._turns.close(target.host, error.retry_after_s)
                    raise
                finally:
                    await sink.close()
            if isinstance(come, Fetched):
                return come
            target = come
        raise RedirectsError(f"{asked.url} leads on and on, over {MAX_REDIRECTS} redirects")

    async def _ask(self, target: Target, sink: Sink, promised: str) -> Fetched | Target:
        """What came of asking here; another target when the file is there."""
        async with self._outward.ask(target, fields=sink.standing.fields) as answer:
            if is_redirect(answer):
                return follow(target, answer.field("location"))
            try:
                return await _take(answer, sink, promised)
            except (EntityChangedError, BadAnswerError):
                # What such a server sent is not to be trusted: the file begins anew.
                await sink.begin(Standing())
                raise


class _Patience:
    """What is left of the time for one file, in seconds; what waits for its turn uses none."""

    def __init__(self, url: str, most_s: float) -> None:
        self.left_s = most_s
        self._late = TooSlowError(f"{url} was not here within {most_s:.0f} seconds")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Use time until the block is left; TooSlowError when there is none left."""
        clock = asyncio.get_running_loop().time
        began = clock()
        limit = asyncio.timeout(self.left_s)
        try:
            async with limit:
                yield
        except TimeoutError:
            if limit.expired():
                raise self._late from None
            raise
        finally:
            self.left_s -= clock() - began


async def _take(answer: Answer, sink: Sink, promised: str) -> Fetched:
    """Put the body of an answer where it belongs."""
    standing, end = judge(answer, sink.standing, promised)
    await sink.begin(standing)
    if end != standing.offset:
        await _read(answer, sink, promised, end)
    offset = sink.standing.offset
    if standing.total is not None and offset < standing.total:
        raise CutOffError(f"{answer.target.url} sent a part of the rest only")
    return Fetched(standing.name, offset, answer.is_framed)


async def _read(answer: Answer, sink: Sink, promised: str, end: int | None) -> None:
    first = not sink.standing.offset
    async for piece in answer.pieces():
        if first:
            refuse_page_bytes(piece, answer, promised)
            first = False
        if end is not None and sink.standing.offset + len(piece) > end:
            raise BadAnswerError(f"{answer.target.url} sent more bytes than it had announced")
        await sink.append(piece)
