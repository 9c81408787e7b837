"""A line on loopback that is slow, breaks or hangs: a TCP proxy in front of a server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

_BLOCK = 16 << 10


class Line:
    """Passes connections on to a server, and limits what comes back from it.

    `sent` counts the bytes that came back, `asked` those that went to the server, `connections`
    how often a client connected.
    """

    def __init__(
        self, server: str, *, rate: float | None = None, each: float | None = None
    ) -> None:
        parts = urlsplit(server)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.sent = 0
        self.asked = 0
        self._marks: list[int] = []
        self.connections = 0
        self._rate = rate
        self._each = each
        self._free_at = 0.0
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)

    @property
    def url(self) -> str:
        """Where clients find the server through this line."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        with self._lock:
            return len(self._open) // 2

    def limit(self, rate: float | None) -> None:
        """From now on so many bytes a second, for all connections together; None: no limit."""
        with self._lock:
            self._rate, self._free_at = rate, 0.0

    def cut(self) -> None:
        """Break all connections; new ones work."""
        with self._lock:
            for each in self._open:
                with contextlib.suppress(OSError):  # its other end was quicker
                    each.shutdown(socket.SHUT_RDWR)

    def cut_at(self, *marks: int) -> None:
        """Break all connections whenever so many bytes went to the server."""
        self._marks = sorted(marks)

    def pause(self) -> None:
        """Let nothing come back, without breaking a connection."""
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        """Break everything, for good; nobody answers here any more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.resume()
        self.limit(None)
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            self.connections += 1
            # Small buffers, or what was sent would be far more than what the client has read.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * _BLOCK)
            self._start(self._pass_on, client)

    def _pass_on(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:
                return
            server.settimeout(None)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _BLOCK)
            with server:
                with self._lock:
                    self._open |= {client, server}
                asking = threading.Thread(target=self._ask, args=(client, server), daemon=True)
                asking.start()
                with contextlib.suppress(OSError):
                    self._answer(server, client)
                self._hang_up(client, server)
                asking.join()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(_BLOCK):
                server.sendall(data)
                self._count(len(data))
        # The client is gone: the server has to hear of it, even while nothing flows.
        self._hang_up(client, server)

    def _count(self, count: int) -> None:
        with self._lock:
            self.asked += count
            due = bool(self._marks) and self.asked >= self._marks[0]
            self._marks = self._marks[1:] if due else self._marks
        if due:
            self.cut()

    def _hang_up(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._open -= {client, server}
        for each in (client, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        mine = time.monotonic()
        while data := server.recv(_BLOCK):
            self._flowing.wait()
            self._wait_for_turn(len(data))
            if self._each is not None:
                mine = max(mine, time.monotonic()) + len(data) / self._each
                time.sleep(max(0.0, mine - time.monotonic()))
            client.sendall(data)
            with self._lock:
                self.sent += len(data)

    def _wait_for_turn(self, count: int) -> None:
        with self._lock:
            if self._rate is None:
                return
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count / self._rate
            wait = self._free_at - now
        time.sleep(wait)


@contextlib.contextmanager
def line(server: str, *, rate: float | None = None, each: float | None = None) -> Iterator[Line]:
    """A line to the server of this URL, at `rate` bytes a second; one connection at `each`."""
    opened = Line(server, rate=rate, each=each)
    try:
        yield opened
    finally:
        opened.close()
