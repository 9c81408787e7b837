"""Zero-copy: files from the page cache to a socket within Tornado's own accounting.

A range of a file waits in the stream's ordinary write buffer, where a view of untouched memory
of the same length stands for it. When its turn comes, `write_to_fd`, which streams have for that,
moves the bytes with os.sendfile. So Content-Length, back-pressure, keep-alive and closing are
Tornado's as ever.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from dataclasses import dataclass
from typing import Any

from sonoteca_server.wire.connections import GuardedStream, Server

WINDOW = 4 << 20
"""The most bytes of a file that wait in a stream at once: smaller ones cost more turns."""

# Streams copy what is not larger than this, and with it the void.
_COPIED = 2048
CAN_SEND_FILES = hasattr(os, "sendfile")

# Calloc'ed and never touched, so it takes no memory.
_VOID = memoryview(bytes(WINDOW))


class ShrunkError(ConnectionAbortedError):
    """A file ended while it was sent; the connection has to break, as what came is not whole."""

    def __init__(self) -> None:
        # With the number, streams take it for what ends connections every day, and do not warn.
        super().__init__(errno.ECONNABORTED, "the file ended while it was sent")


@dataclass(slots=True)
class _Extent:
    """What is still to be sent of a range of a file."""

    fd: int
    offset: int
    count: int


class SendingStream(GuardedStream):
    """A connection that can send files."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._extents: deque[_Extent] = deque()

    def file_view(self, fd: int, offset: int, count: int) -> memoryview:
        """What to write next, to send these bytes of a file that stays open until it is written."""
        assert _COPIED < count <= WINDOW
        self._extents.append(_Extent(fd, offset, count))
        return _VOID[:count]

    def move(self, data: memoryview) -> int:
        """Hand the beginning of this to the kernel; how many bytes it took."""
        return self._send_file(len(data)) if data.obj is _VOID.obj else super().move(data)

    def close_fd(self) -> None:
        """Let go of the connection and of whatever waited for it."""
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


class SendingServer(Server):
    """A server whose connections are `SendingStream`s."""

    stream_type = SendingStream
