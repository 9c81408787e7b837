"""A request body straight to disk, hashed on the way; never whole in memory."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from sonoteca_server.storage.local import Part
from sonoteca_server.wire.errors import BodyBrokenError, TooLargeError
from sonoteca_shared.errors import BadRequestError

_BLOCK = 512 << 10
_FIELD_LIMIT = 64 << 10
_disk = ThreadPoolExecutor(16, "intake")


class Intake:
    """Takes a body piece by piece into a part; one block at work in a thread, order kept."""

    def __init__(self, part: Part, *, limit: int) -> None:
        self.part = part
        self._limit = limit
        self._taken = 0
        self._block = bytearray()
        self._writing: asyncio.Future[None] | None = None

    async def add(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes; waits while the disk is slower than the line."""
        self._taken += len(data)
        if self._limit and self._taken > self._limit:
            raise TooLargeError(self._limit)
        self._block += data
        if len(self._block) >= _BLOCK:
            await self._hand_over()

    async def finish(self) -> Part:
        """The part with every byte in it, not yet on the disk."""
        await self._hand_over()
        await self._settle()
        return self.part

    async def discard(self) -> None:
        """Drop what came so far."""
        writing, self._writing = self._writing, None
        if writing is not None:
            await asyncio.wait({writing})
            writing.exception()
        await asyncio.get_running_loop().run_in_executor(_disk, self.part.discard)

    async def _hand_over(self) -> None:
        await self._settle()
        block, self._block = self._block, bytearray()
        if block:
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(_disk, self.part.append, block)

    async def _settle(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await writing


@dataclass(slots=True)
class _Segment:
    """The segment of a form that is being read."""

    head: MultipartSegment
    is_file: bool


class Form:
    """A multipart/form-data body (RFC 7578): its one file goes to the intake, the rest is kept."""

    def __init__(self, content_type: str, intake: Intake) -> None:
        _, options = parse_options_header(content_type)
        if not options.get("boundary"):
            raise BodyBrokenError("the multipart body has no boundary in its Content-Type")
        self._parser = PushMultipartParser(options["boundary"], max_segment_count=1_000)
        self._intake = intake
        self._segment: _Segment | None = None
        self.filename: str | None = None
        self.fields: dict[str, str] = {}

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
        # An empty file field of a browser's form has a filename of no characters.
        is_file = head.filename is not None
        if is_file and self.filename is not None:
            raise BadRequestError("the form has two files: send one file a request")
        if is_file:
            self.filename = head.filename
        self._segment = _Segment(head, is_file)

    async def _add_to_segment(self, data: bytes | bytearray) -> None:
        assert self._segment is not None
        if self._segment.is_file:
            await self._intake.add(data)
            return
        text = self.fields.get(self._segment.head.name, "") + bytes(data).decode(errors="replace")
        if len(text) > _FIELD_LIMIT:
            raise BadRequestError(f"the field “{self._segment.head.name[:100]}” is too long")
        self.fields[self._segment.head.name] = text
