"""Zero-copy: files from the page cache to a socket within Tornado's own accounting.

A range of a file waits in the stream's ordinary write buffer, where a view of untouched memory
of the same length stands for it. When its turn comes, `write_to_fd`, which streams have for that,
moves the bytes with os.sendfile. So Content-Length, back-pressure, keep-alive and closing are
Tornado's as ever.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

WINDOW = 4 << 20
"""The most bytes of a file that wait in a stream at once: smaller ones cost more turns."""

PATIENCE_S = 60.0
"""A client that takes nothing for so long is gone, or wants to tie us up."""

# Streams copy what is not larger than this, and with it the void.
_COPIED = 2048
# Else the kernel keeps 3 MB for each client that does not read.
_KERNEL_BUFFER = 256 << 10

CAN_SEND_FILES = hasattr(os, "sendfile")

# Calloc'ed and never touched, so it takes no memory.
_VOID = memoryview(bytes(WINDOW))

log = logging.getLogger(__name__)


class ShrunkError(ConnectionAbortedError):
    """A file ended while it was sent; the connection has to break, as what came is not whole."""


@dataclass(slots=True)
class _Extent:
    """What is still to be sent of a range of a file."""

    fd: int
    offset: int
    count: int


class SendingStream(IOStream):
    """A connection that can send files, and that lets go of a client who takes nothing."""

    def __init__(self, *args: Any, patience_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._extents: deque[_Extent] = deque()
        self._patience = patience_s
        self._moved = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def file_view(self, fd: int, offset: int, count: int) -> memoryview:
        """What to write next, to send these bytes of a file that stays open until it is written."""
        assert _COPIED < count <= WINDOW
        self._extents.append(_Extent(fd, offset, count))
        return _VOID[:count]

    def write(self, data: bytes | memoryview) -> asyncio.Future[None]:
        """Send bytes, or a view that `file_view` gave; as IOStream has it."""
        written = super().write(data)
        if self._watch is None and not written.done():
            self._moved = time.monotonic()
            self._look_in(self._patience)
        return written

    def write_to_fd(self, data: memoryview) -> int:
        """Hand the beginning of this to the kernel; how many bytes it took."""
        count = self._send_file(len(data)) if data.obj is _VOID.obj else super().write_to_fd(data)
        self._moved = time.monotonic()
        return count

    def close_fd(self) -> None:
        """Let go of the connection and of whatever waited for it."""
        if self._watch is not None:
            self._watch.cancel()
        self._extents.clear()
        super().close_fd()

    def _send_file(self, count: int) -> int:
        extent = self._extents[0]
        sent = os.sendfile(self.socket.fileno(), extent.fd, extent.offset, count)
        if sent == 0:
            raise ShrunkError
        extent.offset += sent
        extent.count -= sent
        if not extent.count:
            self._extents.popleft()
        return sent

    def _look_in(self, seconds: float) -> None:
        self._watch = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """Close the connection when nothing of what waits could be sent for too long."""
        self._watch = None
        if not self.writing():
            return
        quiet = time.monotonic() - self._moved
        if quiet < self._patience:
            self._look_in(self._patience - quiet)
        else:
            log.info("a client took nothing for %.0f s: its connection is closed", quiet)
            self.close()


class SendingServer(HTTPServer):
    """An HTTP server whose plain connections are `SendingStream`s."""

    def initialize(self, *args: Any, patience_s: float = PATIENCE_S, **kwargs: Any) -> None:
        """What HTTPServer takes, and how long a client may take nothing of its answer."""
        super().initialize(*args, **kwargs)
        self._patience = patience_s

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection."""
        if stream.socket.family in (socket.AF_INET, socket.AF_INET6):
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
        if type(stream) is IOStream:
            stream = SendingStream(
                stream.socket,
                patience_s=self._patience,
                max_buffer_size=stream.max_buffer_size,
                read_chunk_size=stream.read_chunk_size,
            )
        super().handle_stream(stream, address)
