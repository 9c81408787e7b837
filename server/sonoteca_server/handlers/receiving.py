"""What every handler that takes a file has in common: its body goes to disk as it comes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError

from sonoteca_server.handlers.handler import Handler
from sonoteca_server.wire.errors import TooLargeError
from sonoteca_server.wire.forms import Form
from sonoteca_server.wire.intake import DROP_LIMIT, DROP_S, Body, Intake
from sonoteca_shared.errors import NoSpaceError, SonotecaError

_Result = TypeVar("_Result")

_UNBOUNDED = 1 << 62
_LENGTH = re.compile("[0-9]{1,18}")


class ReceivingHandler(Handler):
    """Takes the body of some methods into a part; a subclass says which, and what becomes of it.

    A body whose length is told is read before the method is called, any other while it comes.
    """

    receives: tuple[str, ...] = ("POST",)
    intake: Intake[Any] | None = None
    form: Form | None = None
    dropped = 0
    deciding = False

    def check_head(self) -> None:
        """Refuse what the head alone shows to be wrong."""

    def open_form(self, intake: Intake[Any]) -> Form | None:
        """The form that the body is, if it is one; else it is the file itself."""

    def listener(self) -> Callable[[bytearray | memoryview], None] | None:
        """Who else wants to hear every byte of the file, in a thread; nobody unless overridden."""

    def begin_part(self) -> Any:
        """What the file is written into; a part of the library's unless overridden."""
        return self.services.blobs.begin()

    async def receive(self, part: Any) -> None:
        """The whole body is in the part: say what becomes of it, and answer."""
        raise NotImplementedError

    async def begin(self) -> None:
        if self.request.method not in self.receives:
            await super().begin()
            return
        # Ours is the only limit; Tornado's own would close the connection without a word.
        self.request.connection.set_max_body_size(_UNBOUNDED)  # type: ignore[union-attr]
        self.check_head()
        self.intake = await self.open_intake()
        self.form = self.open_form(self.intake)
        if self.told_length:
            await self._read_whole(self.intake, Body(self.stream, self.told_length))

    async def open_intake(self) -> Intake[Any]:
        """What the body goes into; refuses one that is too large, or more than the disk takes."""
        check_room = partial(self.services.blobs.check_room, least=self.services.min_free_bytes)
        limit, count = self.services.max_upload_bytes, self.told_length or 0
        if limit and count > limit:
            raise TooLargeError(limit)
        await self.with_room(partial(asyncio.to_thread, check_room, count))
        part = await asyncio.to_thread(self.begin_part)
        return Intake(part, limit=limit, check_room=check_room, hear=self.listener())

    async def with_room(self, ask: Callable[[], Awaitable[_Result]]) -> _Result:
        """What is asked for; copies that can be made again go where it has no room beside them."""
        try:
            return await ask()
        except NoSpaceError as error:
            if not await self.services.derivatives.give_way(error.missing):
                raise
        return await ask()

    @property
    def stream(self) -> IOStream:
        """The connection below the request."""
        stream: IOStream = self.request.connection.stream  # type: ignore[union-attr]
        return stream

    @property
    def told_length(self) -> int | None:
        """The length of the body, if the head tells it in a way that can be believed.

        Tornado refuses every other Content-Length, but not before this.
        """
        headers = self.request.headers
        length = headers.get("Content-Length", "")
        if "Transfer-Encoding" in headers or not _LENGTH.fullmatch(length):
            return None
        return int(length)

    async def _read_whole(self, intake: Intake[Any], body: Body) -> None:
        headers = self.request.headers
        if headers.pop("Expect", "").lower() == "100-continue":
            await self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            await (self.form or intake).read(body)
        except StreamClosedError:
            self._end()
            raise
        # What is left of the body for Tornado to read.
        headers["Content-Length"] = "0"

    async def data_received(self, chunk: bytes) -> None:
        if self.intake is None:
            self._drop(chunk)
            return
        try:
            await (self.form or self.intake).add(chunk)
        except (SonotecaError, OSError) as error:
            self.give_up()
            await self.refuse_early(error)
            IOLoop.current().call_later(DROP_S, self.stream.close)

    async def take(self) -> None:
        """Call `receive` once the body is there; whatever it leaves of the part is dropped."""
        if self.intake is None:
            # Refused, or the client left when its last byte was read: the line is of no more use.
            self.stream.close()
            return
        self.deciding = True
        try:
            if self.form is not None:
                self.form.finish()
            await self.receive(await self.intake.finish())
        finally:
            # A client that left in between neither ends this nor takes the part away.
            self._end()

    def on_connection_close(self) -> None:
        if self.deciding:
            return
        super().on_connection_close()
        self._end()

    def on_finish(self) -> None:
        self._end()

    def give_up(self) -> None:
        """Nothing more comes: drop what came, unless it has been taken."""
        intake, self.intake = self.intake, None
        if intake is not None:
            IOLoop.current().add_callback(intake.discard)

    def _end(self) -> None:
        self.give_up()
        self.services.running.end(self)

    def _drop(self, chunk: bytes) -> None:
        self.dropped += len(chunk)
        if self.dropped > DROP_LIMIT:
            self.stream.close()
