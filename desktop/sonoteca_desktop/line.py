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


class _Connections:
    """The connections of a line. Apart from it, so that a line goes with its last user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()

    def make(self, kind: Callable[..., Any], **facts: Any) -> HTTPConnection:
        """A connection that will be cut with the others."""
        connection: HTTPConnection = kind(**facts)
        with self._lock:
            self._known.add(connection)
        return connection

    def cut(self) -> None:
        """Shut them all down."""
        with self._lock:
            known = list(self._known)
        for each in known:
            # As the plain socket it is: TLS would want to say goodbye first.
            if isinstance(each.sock, socket.socket):
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(each.sock, socket.SHUT_RDWR)


class Line(HTTPAdapter):
    """Carries the requests of one thread, and knows its connections while it waits for them.

    urllib3 hands out no connection before the answer comes, and a thread that sends a body into a
    dead line has none yet.
    """

    def __init__(self) -> None:
        self._connections = _Connections()
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
        make = partial(self._connections.make, type(pool).ConnectionCls)
        pool.ConnectionCls = make  # type: ignore[assignment]  # it is called and nothing else
        return pool

    def cut(self) -> None:
        """Wake the thread of this line from whatever it waits for; its request fails."""
        self._connections.cut()
