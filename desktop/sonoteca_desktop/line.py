"""The line of one thread to a server, which any other thread may cut."""

from __future__ import annotations

import contextlib
import socket
import threading
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection


class Line(HTTPAdapter):
    """Carries the requests of one thread, and knows its connections while it waits for them.

    urllib3 hands out no connection before the answer comes, and a thread that sends a body into a
    dead line has none yet.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        super().__init__()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> HTTPConnectionPool:
        """The pool for a request, whose connections are remembered."""
        pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        assert isinstance(pool, HTTPConnectionPool)
        connect = partial(self._connect, type(pool).ConnectionCls)
        pool.ConnectionCls = connect  # type: ignore[assignment]  # it is called and nothing else
        return pool

    def cut(self) -> None:
        """Wake the thread of this line from whatever it waits for; its request fails."""
        with self._lock:
            connections = list(self._connections)
        for each in connections:
            # As the plain socket it is: TLS would want to say goodbye first.
            if isinstance(each.sock, socket.socket):
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(each.sock, socket.SHUT_RDWR)

    def _connect(self, make: Callable[..., Any], **facts: Any) -> HTTPConnection:
        connection: HTTPConnection = make(**facts)
        with self._lock:
            self._connections.add(connection)
        return connection
