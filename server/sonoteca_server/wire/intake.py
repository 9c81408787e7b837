"""A request body straight to disk, hashed on the way; never whole in memory.

A body whose length is told is read from the socket into two blocks that are used again and again:
a thread hashes and writes one while the loop fills the other. One that comes in chunks is taken
from Tornado piece by piece and collected into blocks of the same size.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from tornado.iostream import IOStream, StreamClosedError

from sonoteca_server.storage import Sink
from sonoteca_server.wire.connections import GuardedStream
from sonoteca_server.wire.errors import TooLargeError
from sonoteca_server.wire.patience import Awaits

_BLOCK = 512 << 10
# The first block is smaller: many a client says that it sends much, and then sends nothing.
_FIRST_BLOCK = 64 << 10
# A block that fills more slowly is not kept from the disk for longer.
_BLOCK_S = 1.0
# How much, and for how long, is still read of a body that was refused.
DROP_LIMIT = 64 << 20
DROP_S = 10.0
_disk = ThreadPoolExecutor(16, "intake")
_listening = ThreadPoolExecutor(4, "listening")


_Part = TypeVar("_Part", bound=Sink)


class Coming(Protocol):
    """Bytes that are still to come, to be read into blocks."""

    @property
    def left(self) -> int:
        """How many can still come; 0 when there are no more."""

    @property
    def slack(self) -> int:
        """So much of a block may have to stay free: it has room where more than that is."""

    async def read_into(self, block: bytearray, start: int) -> int:
        """Put some into a block from there on; how many, which may be none yet."""


class Body:
    """A body whose length is told, as it comes; only while nobody else reads the stream."""

    slack = 0

    def __init__(self, stream: IOStream, length: int) -> None:
        self._stream = stream
        self.left = length

    async def read(self, most: int) -> bytes:
        """Some of it; StreamClosedError when the client has left."""
        with self._waiting():
            data = await self._stream.read_bytes(min(most, self.left), partial=True)
        self.left -= len(data)
        return data

    async def read_into(self, block: bytearray, start: int) -> int:
        """Put some into a block; StreamClosedError when the client has left."""
        room = memoryview(block)[start : start + self.left]
        with self._waiting():
            count = await self._stream.read_into(room, partial=True)  # type: ignore[arg-type]
        self.left -= count
        return count

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """Only what we wait for is the client's to bring: a slow disk is not its fault."""
        stream = self._stream if isinstance(self._stream, GuardedStream) else None
        if stream is not None:
            stream.expect(Awaits.BODY)
        yield
        if stream is not None:
            stream.expect(Awaits.ANSWER)


class Intake(Generic[_Part]):
    """Takes a body piece by piece into a part; one block at work in a thread, order kept.

    `check_room` is asked before each block, with its size, and raises when the disk is too full;
    `hear` is told each block while it is written, in a thread of its own.
    """

    def __init__(
        self,
        part: _Part,
        *,
        limit: int,
        check_room: Callable[[int], None],
        hear: Callable[[bytearray | memoryview], None] | None = None,
    ) -> None:
        self.part = part
        self._hear = hear
        self._limit = limit
        self._check_room = check_room
        self._taken = 0
        self._block = bytearray()
        self._writing: asyncio.Future[None] | None = None
        self._dropped = False

    async def add(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes; waits while the disk is slower than the line."""
        self._taken += len(data)
        if self._limit and self._taken > self._limit:
            raise TooLargeError(self._limit)
        self._block += data
        if len(self._block) >= _BLOCK:
            await self._flush()

    async def read(self, coming: Coming) -> None:
        """Read all that comes; StreamClosedError when the client leaves before its end.

        What came until then is taken like the rest.
        """
        await self._flush()
        loop, filled, began = asyncio.get_running_loop(), 0, 0.0
        block, spare = bytearray(min(coming.left, _FIRST_BLOCK) + coming.slack), bytearray()
        try:
            while coming.left:
                began = began if filled else loop.time()
                filled += await coming.read_into(block, filled)
                full = len(block) - filled <= coming.slack
                if full or not coming.left or loop.time() - began > _BLOCK_S:
                    await self._hand_over(memoryview(block)[:filled])
                    size = min(_BLOCK, coming.left) + coming.slack if full else len(block)
                    block, spare = spare if len(spare) >= size else bytearray(size), block
                    filled = 0
        finally:
            if filled:
                await self._hand_over(memoryview(block)[:filled])

    async def finish(self) -> _Part:
        """The part with every byte in it, not yet on the disk."""
        await self._flush()
        await self._settle()
        return self.part

    async def discard(self) -> None:
        """Drop what came so far, and what `add` is still about to write."""
        self._dropped = True
        if self._writing is not None:
            # Never beside a write: the number of a closed file may be another upload's by now.
            await asyncio.wait({self._writing})
            self._writing.exception()
        await asyncio.get_running_loop().run_in_executor(_disk, self.part.discard)

    async def _flush(self) -> None:
        block, self._block = self._block, bytearray()
        if block:
            await self._hand_over(block)

    async def _hand_over(self, block: bytearray | memoryview) -> None:
        """Give a block to the thread, which is done with the one before when this returns."""
        await self._settle()
        if not self._dropped:
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(_disk, self._write, block)

    def _write(self, block: bytearray | memoryview) -> None:
        self._check_room(len(block))
        # Hashing, twice, lets writing run and the other way round: none holds Python's lock.
        heard = _listening.submit(self._hear, block) if self._hear is not None else None
        try:
            self.part.append(block)
        finally:
            if heard is not None:
                heard.result()

    async def _settle(self) -> None:
        if self._writing is not None:
            await self._writing


def close_writing(stream: IOStream) -> None:
    """Say that nothing more follows an answer that came before the end of the request.

    To close with bytes unread resets the connection, and the answer is lost on the way. So our
    side alone is closed, and what comes has to be read and dropped for a while.
    """
    if not stream.closed():
        with contextlib.suppress(OSError):
            stream.socket.shutdown(socket.SHUT_WR)


async def drop_body(stream: IOStream) -> None:
    """Read and forget what still comes; only while nobody else reads."""
    with contextlib.suppress(StreamClosedError, TimeoutError):
        async with asyncio.timeout(DROP_S):
            dropped = 0
            while dropped < DROP_LIMIT:
                dropped += len(await stream.read_bytes(_BLOCK, partial=True))
