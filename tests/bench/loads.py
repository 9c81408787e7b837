"""Load for servers of bytes, and what it costs them: clients that throw away, and /proc."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

# Linux drops the bytes without copying them, so that the clients leave the processor to the server.
_DROP = getattr(socket, "MSG_TRUNC", 0)
_PIECE = 4 << 20


@dataclass
class Client:
    """One keep-alive connection that asks for one thing after the other."""

    url: str
    ranges: list[str]
    """Values of Range, one for each request; empty for the whole."""
    sock: socket.socket = field(init=False)
    got: int = 0
    left: int = 0
    """Bytes of the present answer that are still to come; 0 before its head."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.sock = socket.create_connection((parts.hostname, parts.port))
        self.target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.ask()

    def ask(self) -> None:
        """Send the next request."""
        asked = self.ranges.pop()
        field = f"Range: {asked}\r\n" if asked else ""
        host = urlsplit(self.url).netloc
        self.sock.sendall(f"GET {self.target} HTTP/1.1\r\nHost: {host}\r\n{field}\r\n".encode())

    def read(self, buffer: bytearray) -> bool:
        """Take what is there; whether more is to come."""
        if not self.left:
            self._read_head()
        else:
            count = self.sock.recv_into(buffer, min(self.left, _PIECE), _DROP)
            if not count:
                raise ConnectionError("the server broke the connection")
            self._count(count)
        if self.left:
            return True
        if self.ranges:
            self.ask()
            return True
        self.sock.close()
        return False

    def _read_head(self) -> None:
        data = self.sock.recv(64 << 10)
        head, end, body = data.partition(b"\r\n\r\n")
        if not end or not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 206")):
            raise ConnectionError(f"not an answer: {data[:200]!r}")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        self.left = int(fields[b"content-length"])
        self._count(len(body))

    def _count(self, count: int) -> None:
        self.got += count
        self.left -= count


def drive(clients: Sequence[Client]) -> int:
    """Read until every client has all it wanted; how many bytes that was."""
    buffer = bytearray(_PIECE)
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.sock, selectors.EVENT_READ, client)
        while selector.get_map():
            ready = selector.select(timeout=60)
            if not ready:
                raise TimeoutError("the server sent nothing for a minute")
            for key, _ in ready:
                if not key.data.read(buffer):
                    selector.unregister(key.fileobj)
    return sum(client.got for client in clients)


@dataclass(frozen=True)
class Figures:
    """What a load took and cost."""

    seconds: float
    cpu: float
    """Seconds of processor time of the server."""
    count: int
    """Bytes."""
    requests: int

    @property
    def rate(self) -> float:
        """GB a second."""
        return self.count / self.seconds / 1e9

    @property
    def cpu_per_gb(self) -> float:
        return self.cpu / (self.count / 1e9)


def measure(pid: int, url: str, plans: Sequence[Sequence[str]]) -> Figures:
    """Run one client for each plan, a plan being the ranges it asks for."""
    requests = sum(map(len, plans))
    began, before = time.monotonic(), cpu_of(pid)
    count = drive([Client(url, list(plan)) for plan in plans])
    return Figures(time.monotonic() - began, cpu_of(pid) - before, count, requests)


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process has had, its ended threads included."""
    # The clock of another process, as clock_getcpuclockid(3) makes it of its number.
    return time.clock_gettime(~pid << 3 | 2)


def resident(pid: int) -> float:
    """MiB that a process keeps in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def kernel_memory() -> float:
    """MiB that all TCP connections of this machine take in the kernel."""
    words = Path("/proc/net/sockstat").read_text().split()
    return int(words[words.index("mem") + 1]) * 4096 / (1 << 20)
