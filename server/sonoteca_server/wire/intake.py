"""A request body straight to disk, hashed on the way; never whole in memory.

A body whose length is told is read from the socket into two buffers that are used again and again:
a thread hashes and writes one while the loop fills the other. One that comes in chunks, or is a
form, is taken from Tornado piece by piece and collected into blocks of the same size.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)
from tornado.iostream import IOStream, StreamClosedError

from sonoteca_server.storage import Sink
from sonoteca_server.wire.connections import GuardedStream
from sonoteca_server.wire.errors import BodyBrokenError, TooLargeError
from sonoteca_server.wire.patience import Awaits
from sonoteca_shared.errors import BadRequestError

_BLOCK = 512 << 10
# The first block is smaller: many a client says that it sends much, and then sends nothing.
_FIRST_BLOCK = 64 << 10
# A block that fills more slowly is not kept from the disk for longer.
_BLOCK_S = 1.0
_FIELD_LIMIT = 64 << 10
# How much, and for how long, is still read of a body that was refused.
DROP_LIMIT = 64 << 20
DROP_S = 10.0
_disk = ThreadPoolExecutor(16, "intake")
_listening = ThreadPoolExecutor(4, "listening")


_Part = TypeVar("_Part", bound=Sink)


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

    async def read(self, stream: IOStream, count: int) -> None:
        """Read `count` bytes of a body; StreamClosedError when the client leaves before its end.

        What came until then is taken like the rest. Only while nobody else reads the stream.
        """
        loop, filled, began = asyncio.get_running_loop(), 0, 0.0
        buffer, spare = _buffer(min(count, _FIRST_BLOCK)), _buffer(0)
        try:
            while count:
                _expect(stream, Awaits.BODY)
                began = began if filled else loop.time()
                room = buffer[filled : filled + count]
                got = await stream.read_into(room, partial=True)  # type: ignore[arg-type]
                _expect(stream, Awaits.ANSWER)
                filled += got
                count -= got
                full = filled == len(buffer)
                if full or not count or loop.time() - began > _BLOCK_S:
                    await self._hand_over(buffer[:filled])
                    size = min(_BLOCK, count) if full else len(buffer)
                    buffer, spare = spare if len(spare) >= size else _buffer(size), buffer
                    filled = 0
        finally:
            if filled:
                await self._hand_over(buffer[:filled])

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


def _buffer(size: int) -> memoryview:
    return memoryview(bytearray(size))


class Form:
    """A multipart/form-data body (RFC 7578): its one file goes to the intake.

    Of its fields those that are wanted are kept, the others are read and forgotten. A part of the
    name `file_field` has to be a file, where that is given.
    """

    def __init__(
        self,
        content_type: str,
        intake: Intake[Any],
        wanted: Collection[str],
        *,
        file_field: str = "",
    ) -> None:
        _, options = parse_options_header(content_type)
        if not options.get("boundary"):
            raise BodyBrokenError("the multipart body has no boundary in its Content-Type")
        self._parser = PushMultipartParser(options["boundary"], max_segment_count=1_000)
        self._intake = intake
        self._wanted = wanted
        self._file_field = file_field
        self._segment: MultipartSegment | None = None
        self._fields: dict[str, bytearray] = {}
        self.filename: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The wanted fields that the form has."""
        return {name: data.decode(errors="replace") for name, data in self._fields.items()}

    async def add(self, data: bytes) -> None:
        """Take more bytes of the body."""
        try:
            for event in self._parser.parse(data):
                if isinstance(event, MultipartSegment):
                    self._begin(event)
                elif event:
                    await self._add_to_segment(event)
                else:
                    self._segment = None
        except MultipartError as error:
            raise BodyBrokenError(f"the multipart body is broken: {error}") from error

    def finish(self) -> None:
        """The body has ended: BadRequestError when it had no file or was cut."""
        try:
            self._parser.close()
        except MultipartError as error:
            raise BodyBrokenError("the multipart body ends before its last boundary") from error
        if self.filename is None:
            raise BadRequestError(
                "the form has no file: send it as a part with a file name "
                "(with curl: -F file=@myfile.wav)"
            )

    def _begin(self, head: MultipartSegment) -> None:
        self._segment = head
        # An empty file field of a browser's form has a filename of no characters.
        if head.filename is not None:
            if self.filename is not None:
                raise BadRequestError("the form has two files: send one file a request")
            self.filename = head.filename
        elif self._file_field and head.name == self._file_field:
            raise BadRequestError(
                f"the part “{head.name}” is text, not a file: send the file itself "
                f"(with curl: -F {head.name}=@myfile.wav)"
            )
        elif head.name in self._wanted:
            if head.name in self._fields:
                raise BadRequestError(f"the field “{head.name}” is given twice; give it once")
            self._fields[head.name] = bytearray()

    async def _add_to_segment(self, data: bytes | bytearray) -> None:
        assert self._segment is not None
        if self._segment.filename is not None:
            await self._intake.add(data)
        elif (field := self._fields.get(self._segment.name)) is not None:
            field += data
            if len(field) > _FIELD_LIMIT:
                raise BadRequestError(f"the field “{self._segment.name}” is too long")


def _expect(stream: IOStream, what: Awaits) -> None:
    """Only what we wait for is the client's to bring: a slow disk is not its fault."""
    if isinstance(stream, GuardedStream):
        stream.expect(what)


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
