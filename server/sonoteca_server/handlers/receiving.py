"""What every handler that takes a file has in common: its body goes to disk as it comes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial

from tornado.ioloop import IOLoop

from sonoteca_server.handlers.handler import Handler
from sonoteca_server.storage import Incoming
from sonoteca_server.wire.errors import TooLargeError
from sonoteca_server.wire.intake import DROP_LIMIT, DROP_S, Form, Intake
from sonoteca_shared.errors import SonotecaError

_UNBOUNDED = 1 << 62
_LENGTH = re.compile("[0-9]{1,18}")


class ReceivingHandler(Handler):
    """Takes the body of one method into a part; a subclass says which, and what becomes of it."""

    receives = "POST"
    intake: Intake | None = None
    form: Form | None = None
    watchdog: object | None = None
    dropped = 0
    deciding = False

    def check_head(self) -> None:
        """Refuse what the head alone shows to be wrong."""

    def open_form(self, intake: Intake) -> Form | None:
        """The form that the body is, if it is one; else it is the file itself."""

    def listener(self) -> Callable[[bytearray], None] | None:
        """Who else wants to hear every byte of the file, in a thread; nobody unless overridden."""

    async def receive(self, part: Incoming) -> None:
        """The whole body is in the part: say what becomes of it, and answer."""
        raise NotImplementedError

    async def begin(self) -> None:
        if self.request.method != self.receives:
            await super().begin()
            return
        # Ours is the only limit; Tornado's own would close the connection without a word.
        self.request.connection.set_max_body_size(_UNBOUNDED)  # type: ignore[union-attr]
        self.check_head()
        check_room = partial(self.services.blobs.check_room, least=self.services.min_free_bytes)
        part = await asyncio.to_thread(self._begin_part, check_room)
        limit = self.services.max_upload_bytes
        self.intake = Intake(part, limit=limit, check_room=check_room, hear=self.listener())
        self.form = self.open_form(self.intake)
        self._watch(self.services.body_idle_s)

    def _begin_part(self, check_room: Callable[[int], None]) -> Incoming:
        # Tornado refuses a misshapen Content-Length, but not before this.
        length = self.request.headers.get("Content-Length", "0")
        count = int(length) if _LENGTH.fullmatch(length) else 0
        limit = self.services.max_upload_bytes
        if limit and count > limit:
            raise TooLargeError(limit)
        check_room(count)
        return self.services.blobs.begin()

    async def data_received(self, chunk: bytes) -> None:
        if self.intake is None:
            self._drop(chunk)
            return
        self._unwatch()
        try:
            await (self.form or self.intake).add(chunk)
        except (SonotecaError, OSError) as error:
            self._discard()
            await self.refuse_early(error)
            self._watch(DROP_S)
        else:
            self._watch(self.services.body_idle_s)

    async def take(self) -> None:
        """Call `receive` once the body is there; whatever it leaves of the part is dropped."""
        self._unwatch()
        if self.intake is None:
            # Refused, or the client left when its last byte was read: the line is of no more use.
            self.request.connection.stream.close()  # type: ignore[union-attr]
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

    def _end(self) -> None:
        self._unwatch()
        self._discard()
        self.services.running.end(self)

    def _drop(self, chunk: bytes) -> None:
        self.dropped += len(chunk)
        if self.dropped > DROP_LIMIT:
            self.request.connection.stream.close()  # type: ignore[union-attr]

    def _watch(self, seconds: float) -> None:
        """A client that falls silent for too long is given up, and its part with it."""
        self._unwatch()
        stream = self.request.connection.stream  # type: ignore[union-attr]
        self.watchdog = IOLoop.current().call_later(seconds, stream.close)

    def _unwatch(self) -> None:
        if self.watchdog is not None:
            IOLoop.current().remove_timeout(self.watchdog)
            self.watchdog = None

    def _discard(self) -> None:
        intake, self.intake = self.intake, None
        if intake is not None:
            IOLoop.current().add_callback(intake.discard)
