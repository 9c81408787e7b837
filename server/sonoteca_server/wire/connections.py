"""Connections with their limits: how many, how long each may take, and what a head may be."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
import time
from asyncio import Future
from collections import Counter
from collections.abc import Awaitable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream, StreamClosedError

from sonoteca_server.wire.heads import (
    END_OF_HEAD,
    HeadTooLargeError,
    check_framing,
    check_lines,
    in_origin_form,
)
from sonoteca_server.wire.patience import Awaits, Limits, Patience

_MOST = 8_192
# Who has just come is not sent away for who comes next.
_GRACE_S = 1.0
# A connection takes its own file descriptor, and perhaps a part and a blob.
_FILES_EACH = 3
# What an answer may have waiting in the kernel before it is on its way: without it every client
# that does not read takes megabytes of the kernel's memory, and with less we are woken more often.
# A smaller buffer would do that too, and keep lines that are long and fast from being filled.
_UNSENT = 512 << 10
_NO_LINGER = struct.pack("ii", 1, 0)
_REFUSAL = b"HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: 0\r\n\r\n"
_TOO_LARGE = _REFUSAL % (b"431 Request Header Fields Too Large", b"")
_TOO_MANY = _REFUSAL % (b"503 Service Unavailable", b"Retry-After: 5\r\n")


class GuardedStream(IOStream):
    """A connection that knows for how long it has been waiting for its client."""

    patience: Patience | None = None

    @property
    def has_more(self) -> bool:
        """Whether bytes of the next request came with those of the last."""
        return self._read_buffer_size > 0  # Tornado has no public word for it

    def expect(self, what: Awaits) -> None:
        """From now on this is what we wait for."""
        if self.patience is not None:
            self.patience.expect(what, time.monotonic())

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        count = super().read_from_fd(buf)
        if count and self.patience is not None:
            self.patience.received(count, time.monotonic())
        return count

    def write_to_fd(self, data: memoryview) -> int:
        count = self.move(data)
        if count and self.patience is not None:
            self.patience.sent(count, time.monotonic())
        return count

    def move(self, data: memoryview) -> int:
        """Hand the beginning of this to the kernel; how many bytes it took."""
        return super().write_to_fd(data)

    async def read_until_regex(
        self,
        regex: bytes,  # noqa: ARG002 - only heads are read so, and we know their end better
        max_bytes: int | None = None,  # noqa: ARG002
    ) -> bytes:
        head = await super().read_until_regex(END_OF_HEAD)
        try:
            check_lines(head)
        except HeadTooLargeError:
            await self.write(_TOO_LARGE)
            self.close()
            raise StreamClosedError from None
        return head


class _Message(HTTPMessageDelegate):
    """Tells a connection's patience where its request stands, and hands the request on."""

    def __init__(self, inner: HTTPMessageDelegate, patience: Patience) -> None:
        self._inner = inner
        self._patience = patience
        self._handed_on = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Future[None] | None:
        assert isinstance(start_line, RequestStartLine)
        check_framing(start_line, headers)
        start_line = in_origin_form(start_line, headers)
        self._handed_on = True
        return self._ours(self._inner.headers_received(start_line, headers))

    def data_received(self, chunk: bytes) -> Future[None] | None:
        return self._ours(self._inner.data_received(chunk))

    def finish(self) -> None:
        self._patience.expect(Awaits.ANSWER, time.monotonic())
        self._inner.finish()

    def on_connection_close(self) -> None:
        if self._handed_on:
            self._inner.on_connection_close()

    def _ours(self, work: Awaitable[None] | None) -> Future[None] | None:
        """What we take for ourselves is not held against the client."""
        if work is None:
            self._expect_body()
            return None
        self._patience.expect(Awaits.ANSWER, time.monotonic())
        # No coroutine that waits for it: each would cost every request two turns of the loop.
        future = asyncio.ensure_future(work)
        future.add_done_callback(self._expect_body)
        return future

    def _expect_body(self, _done: Future[None] | None = None) -> None:
        self._patience.expect(Awaits.BODY, time.monotonic())


class Server(HTTPServer):
    """An HTTP server that neither slow nor many clients can keep from answering others."""

    stream_type: type[GuardedStream] = GuardedStream

    def initialize(  # type: ignore[override] # of its many words these are ours
        self, request_callback: Any, *, limits: Limits, most: int = 0, ssl_options: Any = None
    ) -> None:
        """`most` connections at once, 0 for what the system's files allow."""
        super().initialize(
            request_callback, idle_connection_timeout=limits.idle_s, ssl_options=ssl_options
        )
        if ssl_options is None:
            # Patience ends it, without a timer for each request.
            self.conn_params.header_timeout = None
        self._limits = limits
        self._most = most or min(
            _MOST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _FILES_EACH
        )
        self._lines: dict[GuardedStream, str] = {}
        self._addresses: Counter[str] = Counter()
        shortest = min(limits.head_s, limits.body_idle_s, limits.idle_s)
        self._sweep = PeriodicCallback(self._give_up, 1000 * min(1.0, max(0.05, shortest / 4)))

    def add_sockets(self, sockets: Any) -> None:
        super().add_sockets(sockets)
        self._sweep.start()

    async def close_all_connections(self) -> None:
        self._sweep.stop()
        await super().close_all_connections()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        if type(stream) is not IOStream:
            super().handle_stream(stream, address)
            return
        host = str(address[0]) if address else ""
        if not self._has_room(host):
            _refuse(stream)
            return
        guarded = self.stream_type(stream.socket, max_buffer_size=stream.max_buffer_size,
                                   read_chunk_size=stream.read_chunk_size)  # fmt: skip
        guarded.patience = Patience(self._limits, time.monotonic())
        guarded.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        self._lines[guarded] = host
        self._addresses[host] += 1
        super().handle_stream(guarded, address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        stream = server_conn.stream  # type: ignore[attr-defined]
        inner = super().start_request(server_conn, request_conn)
        if not isinstance(stream, GuardedStream) or stream.patience is None:
            return inner
        if stream.patience.awaits is not Awaits.HEAD:
            awaits = Awaits.HEAD if stream.has_more else Awaits.REQUEST
            stream.patience.expect(awaits, time.monotonic())
        return _Message(inner, stream.patience)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        host = self._lines.pop(server_conn.stream, None)  # type: ignore[attr-defined]
        if host is not None:
            self._addresses[host] -= 1
            if not self._addresses[host]:
                del self._addresses[host]

    def _has_room(self, host: str) -> bool:
        """Whether one more fits; a line that only waits for a request gives way to a new one.

        One address leaves a quarter to the others.
        """
        if self._addresses[host] >= self._most - self._most // 4:
            return self._make_room(host)
        return len(self._lines) < self._most or self._make_room(None)

    def _make_room(self, host: str | None) -> bool:
        now = time.monotonic()
        waiting = [
            stream
            for stream, its_host in self._lines.items()
            if host in (None, its_host) and not stream.closed() and _may_go(stream, now)
        ]
        if not waiting:
            return False
        min(waiting, key=lambda stream: stream.patience.since).close()  # type: ignore[union-attr]
        return True

    def _give_up(self) -> None:
        now = time.monotonic()
        for stream in list(self._lines):
            patience = stream.patience
            writing = stream.writing()
            if patience is not None and patience.is_over(now, writing=writing):
                if writing:
                    # Else the kernel would go on keeping, and offering, what nobody takes.
                    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                stream.close()


def raise_open_files() -> None:
    """Take as many file descriptors as the system lets this process have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS has a limit that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _may_go(stream: GuardedStream, now: float) -> bool:
    """Whether nothing is lost with this line: it rests, or its head should have been here."""
    assert stream.patience is not None
    if stream.patience.awaits is Awaits.HEAD:
        return now - stream.patience.since > _GRACE_S
    return stream.patience.awaits is Awaits.REQUEST


def _refuse(stream: IOStream) -> None:
    with contextlib.suppress(OSError):
        stream.socket.send(_TOO_MANY)
        stream.socket.shutdown(socket.SHUT_WR)
    stream.close()
