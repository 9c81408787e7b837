"""Requests as bytes over a socket, for what no HTTP library would send."""

from __future__ import annotations

import re
import select
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came back: all the bytes, and whether the server closed the connection."""

    answer: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [int(status) for status in _STATUS.findall(self.answer)]


def connect(server: str, *, timeout: float = 10.0, receive_buffer: int = 0) -> socket.socket:
    """A connection to a server's address."""
    address = urlsplit(server)
    line = socket.socket()
    line.settimeout(timeout)
    if receive_buffer:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    line.connect((address.hostname, address.port))
    return line


def exchange(server: str, request: bytes, *, quiet_s: float = 2.0) -> Exchange:
    """Send these bytes, and read until the server closes or says nothing more."""
    with connect(server) as line:
        closed = False
        try:
            line.sendall(request)
        except (ConnectionResetError, BrokenPipeError):
            closed = True
        line.settimeout(quiet_s)
        answer = bytearray()
        try:
            while piece := line.recv(1 << 16):
                answer += piece
            closed = True
        except TimeoutError:
            pass
        except ConnectionResetError:
            closed = True
    return Exchange(bytes(answer), closed)


def is_closed(line: socket.socket, *, within_s: float = 10.0) -> bool:
    """Whether the server closes this connection; what it still says is read and forgotten."""
    line.settimeout(within_s)
    try:
        while line.recv(1 << 16):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def is_reset(line: socket.socket, *, within_s: float = 30.0) -> bool:
    """Whether the server resets this connection, while nothing of what it sent is read."""
    poll = select.poll()
    poll.register(line, 0)  # a reset is told whether it is asked for or not
    return bool(poll.poll(1000 * within_s))
