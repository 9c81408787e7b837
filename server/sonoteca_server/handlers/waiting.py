"""Work that takes a while, for a client that may leave before it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tornado.iostream import StreamClosedError

from sonoteca_server.handlers.handler import Handler

T = TypeVar("T")


class WaitingHandler(Handler):
    """What is done while its client waits ends when the client leaves."""

    working: asyncio.Task[Any] | None = None

    async def while_here(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of this work; StreamClosedError when the client has left, and it ended."""
        self.working = task = asyncio.create_task(work)
        await asyncio.wait({task})
        if task.cancelled():
            raise StreamClosedError
        return task.result()

    def on_connection_close(self) -> None:
        if self.working is not None:
            self.working.cancel()
        super().on_connection_close()
