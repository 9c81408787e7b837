"""Every connection that this process tries to make, and none of them beyond this machine."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Outgoing:
    """What was tried: places that were connected to, and names that the system was asked for."""

    places: list[tuple[str, int]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


_watching: dict[int, Outgoing] = {}
_installed: list[bool] = []


@contextlib.contextmanager
def outgoing() -> Iterator[Outgoing]:
    """Note what this thread connects to; what lies beyond loopback is refused on the way."""
    if not _installed:
        # A hook cannot be taken out again, so there is one, which mostly does nothing.
        sys.addaudithook(_hear)
        _installed.append(True)
    thread = threading.get_ident()
    _watching[thread] = Outgoing()
    try:
        yield _watching[thread]
    finally:
        del _watching[thread]


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    seen = _watching.get(threading.get_ident())
    if seen is None:
        return
    if event == "socket.getaddrinfo":
        seen.names.append(str(arguments[0]))
    elif event == "socket.connect" and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
        host, port = arguments[1][:2]
        seen.places.append((host, port))
        if host not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError(f"no test connects to {host}")
