"""A proxy between a client and a real server that spoils what it is told to spoil.

Each connection carries one exchange. Requests that begin alike ("GET /data/") meet the faults of
a script, one each; when the script is over, and for all others, it is honest.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesHeaderParser
from io import BufferedReader
from socket import SocketIO
from urllib.parse import urlsplit

BLOCK = 64 << 10

Fault = Callable[["Exchange"], None]


class GoneError(Exception):
    """One of the two ends has left: the exchange is over."""


@dataclass(slots=True)
class Head:
    """The first line of a message, and its fields."""

    line: str
    fields: Message

    def encode(self) -> bytes:
        names = "".join(f"{name}: {value}\r\n" for name, value in self.fields.items())
        return f"{self.line}\r\n{names}\r\n".encode("latin-1")

    def set(self, name: str, value: str | None) -> None:
        """Give a field this value and no other, or (None) take it away."""
        del self.fields[name]
        if value is not None:
            self.fields[name] = value

    @property
    def length(self) -> int | None:
        """What it says of the length of its body."""
        value = self.fields.get("Content-Length")
        return None if value is None else int(value)


@dataclass(slots=True)
class Passed:
    """One exchange as it is remembered: what was asked, and how many bytes of bodies went by."""

    method: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    """Bytes of the request's body that came from the client."""
    received: int = 0
    """Bytes of the answer's body that went to the client."""


class Exchange:
    """One request on its way to the server, and the answer on its way back: what faults act on."""

    def __init__(self, client: socket.socket, proxy: FaultProxy) -> None:
        self._client = client
        self._coming = BufferedReader(SocketIO(client, "r"), BLOCK)
        self._proxy = proxy
        self._server: socket.socket | None = None
        self.request = _read_head(self._coming)
        method, path, _ = self.request.line.split(" ", 2)
        self.passed = Passed(method, path, dict(self.request.fields.items()))
        self._left = self.request.length or 0

    # Towards the server.

    def ask(self) -> Head:
        """Send the request on, its body too, and read the head of the answer."""
        server = self.begin()
        # The server may answer, and go, before it has everything.
        threading.Thread(target=self._pass_body, args=(server,), daemon=True).start()
        return self.listen()

    def begin(self) -> socket.socket:
        """Send the head of the request on."""
        self._server = server = self._proxy.connect()
        self.request.set("Connection", "close")
        server.sendall(self.request.encode())
        return server

    def listen(self) -> Head:
        """The head of the server's answer."""
        assert self._server is not None
        self._answer = BufferedReader(SocketIO(self._server, "r"), BLOCK)
        return _read_head(self._answer)

    def pass_some(self, count: int) -> None:
        """Send so many bytes of the request's body on."""
        assert self._server is not None
        while count > 0 and (block := self.take(count)):
            self._server.sendall(block)
            count -= len(block)

    def take(self, count: int = BLOCK) -> bytes:
        """The next bytes of the request's body, at most `count`; nothing at its end."""
        block = self._coming.read1(min(count, self._left, BLOCK)) if self._left else b""
        if self._left and not block:
            raise GoneError
        self._left -= len(block)
        self.passed.sent += len(block)
        return block

    def swallow(self) -> None:
        """Read what is left of the request, for nobody."""
        while self.take():
            pass

    def _pass_body(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError, GoneError, ValueError):
            while block := self.take():
                server.sendall(block)
            return
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    # Towards the client.

    def tell(self, head: Head) -> None:
        """Send the head of an answer."""
        head.set("Connection", "close")
        self._client.sendall(head.encode())

    def give(self, data: bytes) -> None:
        """Send bytes of a body."""
        self._client.sendall(data)
        self.passed.received += len(data)
        self._proxy.count(len(data))

    def read(self, count: int = BLOCK) -> bytes:
        """The next bytes of the server's answer; nothing at its end."""
        return self._answer.read1(count)

    def relay(self, most: int | None = None) -> None:
        """Pass the body of the answer on, or `most` bytes of it."""
        left = most
        while left is None or left > 0:
            block = self.read(BLOCK if left is None else min(BLOCK, left))
            if not block:
                return
            self.give(block)
            left = None if left is None else left - len(block)

    def hang_up(self, *, reset: bool = False) -> None:
        """End it: with a FIN, or with an RST as of a machine that knows of no connection."""
        if reset:
            off = struct.pack("ii", 1, 0)
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, off)
        self.close()

    def wait(self) -> None:
        """Say nothing until the client goes, or the proxy is closed."""
        self._proxy.released.wait(30)

    def close(self) -> None:
        self._coming.close()
        self._client.close()
        if self._server is not None:
            with contextlib.suppress(AttributeError):
                self._answer.close()
            self._server.close()


class FaultProxy:
    """Passes requests on to a server; `passed` tells of each, `received` counts all bodies."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self.target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._scripts: dict[str, deque[Fault]] = {}
        self.passed: list[Passed] = []
        self.received = 0
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where clients find the server through this proxy."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def spoil(self, what: str, *faults: Fault) -> None:
        """From now on spoil the exchanges whose request begins like this, one fault each."""
        with self._lock:
            self._scripts[what] = deque(faults)

    def behave(self) -> None:
        """Spoil nothing from now on."""
        with self._lock:
            self._scripts.clear()

    def asked(self, what: str) -> list[Passed]:
        """The exchanges whose request began like this."""
        with self._lock:
            return [each for each in self.passed if f"{each.method} {each.path}".startswith(what)]

    def connect(self) -> socket.socket:
        """A connection to the server."""
        try:
            return socket.create_connection(self.target, timeout=60)
        except OSError as error:
            raise GoneError from error

    def count(self, received: int) -> None:
        """So many bytes of a body went to a client."""
        with self._lock:
            self.received += received

    def close(self) -> None:
        """Break everything."""
        self.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        exchange = None
        # Either end may go at any moment: that is what the proxy is for.
        with client, contextlib.suppress(OSError, GoneError, ValueError):
            # Small buffers, or what was sent would be far more than what the client has read.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BLOCK)
            exchange = Exchange(client, self)
            self._next(exchange)(exchange)
        if exchange is not None:
            exchange.close()

    def _next(self, exchange: Exchange) -> Fault:
        passed = exchange.passed
        with self._lock:
            self.passed.append(passed)
            asked = f"{passed.method} {passed.path}"
            for what, script in self._scripts.items():
                if asked.startswith(what) and script:
                    return script.popleft()
            return honest


def _read_head(file: BufferedReader[SocketIO]) -> Head:
    line = file.readline().decode("latin-1").strip()
    if not line:
        raise GoneError
    lines = []
    while (raw := file.readline()) not in (b"\r\n", b"\n", b""):
        lines.append(raw)
    return Head(line, BytesHeaderParser().parsebytes(b"".join(lines)))


def answer(status: int, fields: Mapping[str, str], reason: str = "Told so") -> Head:
    """The head of an answer that no server gave."""
    head = Head(f"HTTP/1.1 {status} {reason}", Message())
    for name, value in fields.items():
        head.fields[name] = value
    return head


def honest(exchange: Exchange) -> None:
    """Pass everything on as it is."""
    head = exchange.ask()
    exchange.tell(head)
    exchange.relay()


@contextlib.contextmanager
def fault_proxy(server: str) -> Iterator[FaultProxy]:
    """A proxy in front of the server of this URL."""
    proxy = FaultProxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
