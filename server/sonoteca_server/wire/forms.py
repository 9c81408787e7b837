"""A form with one file in it, as browsers and `curl -F` send them (RFC 7578)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from multipart import (
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from sonoteca_server.wire.errors import BodyBrokenError
from sonoteca_server.wire.intake import Body, Intake
from sonoteca_shared.errors import BadRequestError

_FIELD_LIMIT = 64 << 10
_PIECE = 64 << 10


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
        self._mark = b"\r\n--" + self._parser.boundary
        self._segment: MultipartSegment | None = None
        self._hands_on = False
        """Whether the parser is within the file, and has handed on all that it was given."""
        self._fields: dict[str, bytearray] = {}
        self.filename: str | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The wanted fields that the form has."""
        return {name: data.decode(errors="replace") for name, data in self._fields.items()}

    async def read(self, body: Body) -> None:
        """Take a body whose length is told; StreamClosedError when the client leaves before.

        The bulk of the file goes past the parser, which has nothing to do there.
        """
        while body.left:
            if self._hands_on:
                file = _File(body, self._mark)
                await self._intake.read(file)
                await self.add(file.rest)
            else:
                await self.add(await body.read(_PIECE))
                # What is there already is read without waiting: others have their turn too.
                await asyncio.sleep(0)

    async def add(self, data: bytes) -> None:
        """Take more bytes of the body."""
        self._hands_on = False
        if not data:
            return  # which would be the end to the parser
        event: MultipartSegment | bytes | bytearray | None = None
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
        # It keeps nothing back but the beginning of a boundary, and of the two bytes behind it.
        most = len(self._mark) + 1
        is_plain = len(data) >= most and b"\r" not in data[-most:]
        self._hands_on = is_plain and isinstance(event, bytes | bytearray) and self._is_in_file

    @property
    def _is_in_file(self) -> bool:
        return self._segment is not None and self._segment.filename is not None

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
        if self._is_in_file:
            await self._intake.add(data)
        elif (field := self._fields.get(self._segment.name)) is not None:
            field += data
            if len(field) > _FIELD_LIMIT:
                raise BadRequestError(f"the field “{self._segment.name}” is too long")


class _File:
    """The bytes of a file in a form: what comes of the body before the mark that ends it."""

    def __init__(self, body: Body, mark: bytes) -> None:
        self._body = body
        self._mark = mark
        # What may be the beginning of the mark; never longer than the slack.
        self._begun = b""
        self._ended = False
        self.slack = len(mark) - 1
        self.rest = b""
        """What came from the mark on."""

    @property
    def left(self) -> int:
        """How many bytes it can still have."""
        return 0 if self._ended else self._body.left

    async def read_into(self, block: bytearray, start: int) -> int:
        """Put bytes that are surely the file's into a block."""
        begun = start + len(self._begun)
        block[start:begun] = self._begun
        end = begun + await self._body.read_into(block, begun)
        found = block.find(self._mark, start, end)
        if found >= 0:
            self._ended = True
            self.rest = bytes(memoryview(block)[found:end])
            return found - start
        certain = max(start, end - self.slack) if self._body.left else end
        self._begun = bytes(memoryview(block)[certain:end])
        return certain - start
