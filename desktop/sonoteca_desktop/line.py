"""The line of one thread to a server, which any other thread may cut."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

_SILENT_FOR = 30
_BETWEEN = 10
_TIMES = 3


def _options() -> list[tuple[int, int, int]]:
    """How sockets are made: the system itself notices within a minute when a line is dead."""
    wanted = {"TCP_KEEPIDLE": _SILENT_FOR, "TCP_KEEPINTVL": _BETWEEN, "TCP_KEEPCNT": _TIMES}
    return [
        *(
            (level, name, int(value))
            for level, name, value in HTTPConnection.default_socket_options
        ),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        # Not every system has all of them.
        *(
            (socket.IPPROTO_TCP, getattr(socket, name), seconds)
            for name, seconds in wanted.items()
            if hasattr(socket, name)
        ),
    ]


@functools.cache
def _grants(room: int) -> bool:
    """Whether the system lets a socket have so much room for what nobody has read."""
    with socket.socket() as probe:
        with contextlib.suppress(OSError):  # some systems refuse, others give less
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        return probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= room


class _Connections:
    """The connections of a line. Apart from it, so that a line goes with its last user."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        self._time: object = None
        self._is_cut = False
        self._room: int | None = None

    def make(self, kind: type[HTTPConnection], **facts: Any) -> HTTPConnection:
        """A connection that will be cut with the others."""
        connection = kind(**facts)
        # Weakly: a connection that knew itself would outlive its last user.
        connect = partial(self._connect, kind.connect, weakref.ref(connection))
        connection.connect = connect  # type: ignore[method-assign]  # it is called and nothing else
        with self._lock:
            self._known.add(connection)
        return connection

    def begin(self, time: object) -> None:
        """From now on they can be cut by who knows this time, and by nobody else."""
        with self._lock:
            self._time, self._is_cut = time, False

    def hold(self, room: int | None) -> None:
        """From now on new ones hold so many bytes that nobody has read; None: as many as usual."""
        # Less than is wanted would be slow on a long line, where the system knows best.
        self._room = room if room is not None and _grants(room) else None

    def cut(self, time: object) -> None:
        """Shut them all down, those that are still to come in this time, too."""
        with self._lock:
            if self._time is not time:
                return  # too late: the thread is about something else
            self._is_cut = True
            for each in self._known:
                _shut(each)

    def _connect(
        self,
        connect: Callable[[HTTPConnection], None],
        known: weakref.ref[HTTPConnection],
    ) -> None:
        connection = known()
        assert connection is not None, "its own method is being called"
        connect(connection)
        if self._room is not None and isinstance(connection.sock, socket.socket):
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._room)
        with self._lock:
            if self._is_cut:
                _shut(connection)


def _shut(connection: HTTPConnection) -> None:
    # As the plain socket it is: TLS would want to say goodbye first.
    if isinstance(connection.sock, socket.socket):
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


class Line(HTTPAdapter):
    """Carries the requests of one thread, and knows its connections while it waits for them.

    urllib3 hands out no connection before the answer comes, and a thread that sends a body into a
    dead line has none yet.
    """

    def __init__(self) -> None:
        self._connections = _Connections()
        super().__init__()

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **facts: Any
    ) -> None:
        """The pools of this line, whose sockets are watched by the system."""
        facts = {"socket_options": _options(), **facts}
        super().init_poolmanager(connections, maxsize, block, **facts)

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
        kind = type(pool).ConnectionCls
        assert issubclass(kind, HTTPConnection)
        make = partial(self._connections.make, kind)
        pool.ConnectionCls = make  # type: ignore[assignment]  # it is called and nothing else
        return pool

    @contextlib.contextmanager
    def open_to_cuts(self) -> Iterator[Callable[[], None]]:
        """Meanwhile what it gives wakes the thread of this line; all its requests fail then."""
        time = object()
        self._connections.begin(time)
        try:
            yield partial(self._connections.cut, time)
        finally:
            self._connections.begin(None)

    @contextlib.contextmanager
    def holding(self, room: int) -> Iterator[None]:
        """Meanwhile its connections hold at most about so many bytes that nobody has read.

        They are of that time alone: idle ones of before and after are let go.
        """
        self._connections.hold(room)
        self.close()
        try:
            yield
        finally:
            self._connections.hold(None)
            self.close()
