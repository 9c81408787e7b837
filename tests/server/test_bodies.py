"""Bodies of extents, sent: by the system or read, plain or over TLS, to clients of all kinds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.iostream import StreamClosedError
from tornado.web import Application, RequestHandler

from sonoteca_server.storage import BlobDamagedError
from sonoteca_server.wire import bodies, pagecache
from sonoteca_server.wire.bodies import Extent, Extents, Outlet, Slice
from sonoteca_server.wire.patience import Limits
from sonoteca_server.wire.sendfile import SendingServer
from sonoteca_shared.ranges import ByteRange
from tests.kit.wait import until

WINDOW = 4 << 20


class FolderOfBlobs:
    """A store that is a folder; as one without files when `on_file` is False."""

    def __init__(self, folder: Path, *, on_file: bool = True) -> None:
        self.folder = folder
        self.on_file = on_file
        self.open_now = 0

    def open(self, key: str) -> OpenFile:
        return OpenFile(self, self.folder / key)


class OpenFile:
    def __init__(self, store: FolderOfBlobs, path: Path) -> None:
        self._store = store
        self._fd = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._fd).st_size
        store.open_now += 1

    @property
    def descriptor(self) -> int | None:
        return self._fd if self._store.on_file else None

    def read_at(self, offset: int, count: int) -> bytes:
        return os.pread(self._fd, count, offset)

    def close(self) -> None:
        os.close(self._fd)
        self._store.open_now -= 1


class BodyHandler(RequestHandler):
    """Sends a body whole, and notes how that ended."""

    def initialize(self, blobs: FolderOfBlobs, body: Extents, ended: list[object]) -> None:
        self.blobs, self.body, self.ended = blobs, body, ended

    async def get(self) -> None:
        self.set_header("Content-Length", str(self.body.size))
        try:
            async with Outlet(self.blobs, self) as outlet:
                await outlet.send(self.body.cut(ByteRange(0, self.body.size)))
            self.ended.append("sent")
        except (BlobDamagedError, StreamClosedError) as error:
            self.ended.append(error)
            self.request.connection.stream.close()  # type: ignore[union-attr]


@dataclass
class Sender:
    """A server of one body."""

    address: tuple[str, int]
    blobs: FolderOfBlobs
    ended: list[object] = field(default_factory=list)

    def request(self, *, buffer: int | None = None, count: int = 1) -> socket.socket:
        """A connection that has asked `count` times; `buffer` is what its kernel may hold."""
        sock = socket.socket()
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.settimeout(15)
        sock.connect(self.address)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * count)
        return sock


@contextlib.contextmanager
def sending(
    blobs: FolderOfBlobs,
    body: Extents,
    *,
    idle_s: float = 30,
    ssl_options: ssl.SSLContext | None = None,
) -> Iterator[Sender]:
    """A server of this body in a thread."""
    loop = asyncio.new_event_loop()
    sender = Sender(("127.0.0.1", 0), blobs)
    began = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        neighbours = {"blobs": blobs, "body": body, "ended": sender.ended}
        server = SendingServer(
            Application([("/", BodyHandler, neighbours)]),
            limits=Limits(10, idle_s, 75),
            ssl_options=ssl_options,
        )
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        server.add_sockets([listening])
        sender.address = listening.getsockname()
        began.set()
        await stop.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    began.wait()
    try:
        yield sender
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def answer(sock: socket.socket, *, piece: int = 1 << 20) -> bytes:
    """The body of the next answer, as far as it came."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    left = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    got = bytearray()
    with contextlib.suppress(ConnectionError):
        while left > len(got) and (data := sock.recv(min(piece, left - len(got)))):
            got += data
    return bytes(got)


@pytest.fixture
def blobs(tmp_path: Path) -> FolderOfBlobs:
    (tmp_path / "a").write_bytes(random.Random(1).randbytes(2 * WINDOW + 300_000))
    (tmp_path / "b").write_bytes(random.Random(2).randbytes(70_000))
    return FolderOfBlobs(tmp_path)


def whole(blobs: FolderOfBlobs, key: str) -> Slice:
    size = (blobs.folder / key).stat().st_size
    return Slice(key, size, 0, size)


def mixed(blobs: FolderOfBlobs) -> tuple[Extents, bytes]:
    """A body with every kind of extent, around the borders that matter, and what it is."""
    a, b = (whole(blobs, key) for key in "ab")
    small, window = 64 << 10, WINDOW
    cuts = [a.cut(1, 1 + size) for size in (
        1, 2048, 2049, small, small + 1, window, window + 1, window + 2048, window + 2049,
        2 * window, 2 * window + 5,
    )]  # fmt: skip
    extents: list[Extent] = [
        b"head",
        a,
        b"",
        b"x" * 3000,
        b,
        b.cut(69_999, 70_000),
        *cuts,
        b"y" * 100_000,
        b,
    ]
    data = {key: (blobs.folder / key).read_bytes() for key in "ab"}
    parts = (e if isinstance(e, bytes) else data[e.key][e.start : e.end] for e in extents)
    return Extents(extents), b"".join(parts)


@pytest.mark.parametrize("on_file", [True, False])
def test_every_kind_of_extent_arrives_as_it_is(blobs: FolderOfBlobs, *, on_file: bool) -> None:
    blobs.on_file = on_file
    body, expected = mixed(blobs)
    with sending(blobs, body) as sender, sender.request() as sock:
        assert answer(sock) == expected
    assert blobs.open_now == 0


def test_a_platform_without_sendfile_reads_and_writes(
    blobs: FolderOfBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "CAN_SEND_FILES", False)
    monkeypatch.delattr(os, "sendfile")
    body, expected = mixed(blobs)
    with sending(blobs, body) as sender, sender.request() as sock:
        assert answer(sock) == expected


def test_what_is_not_in_memory_is_fetched_first(
    blobs: FolderOfBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def warm(fd: int, offset: int, count: int) -> None:
        asked.append((offset, count))
        pagecache.warm(fd, offset, count)

    monkeypatch.setattr(bodies, "is_cached", lambda *_: False)
    monkeypatch.setattr(bodies, "warm", warm)
    body = Extents([whole(blobs, "a")])
    with sending(blobs, body) as sender, sender.request() as sock:
        assert answer(sock) == (blobs.folder / "a").read_bytes()
    assert asked[:3] == [(0, 256 << 10), (256 << 10, 512 << 10), (768 << 10, 1 << 20)]


def test_the_page_cache_is_asked_and_filled(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(300_000))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        pagecache.warm(file.fileno(), 0, 300_000)
        assert pagecache.is_cached(file.fileno(), 0, 300_000)


def test_answers_keep_their_order_on_one_connection(blobs: FolderOfBlobs) -> None:
    body = Extents([b"head", whole(blobs, "a"), b"tail"])
    expected = b"head" + (blobs.folder / "a").read_bytes() + b"tail"
    with sending(blobs, body) as sender, sender.request(count=5) as sock:
        assert [answer(sock) == expected for _ in range(5)] == [True] * 5


def test_slow_readers_get_every_byte(blobs: FolderOfBlobs) -> None:
    body = Extents([whole(blobs, "a"), b"end"])
    expected = (blobs.folder / "a").read_bytes() + b"end"
    with sending(blobs, body) as sender, contextlib.ExitStack() as stack:
        readers = [stack.enter_context(sender.request(buffer=8192)) for _ in range(8)]
        assert [answer(sock, piece=5000) == expected for sock in readers] == [True] * 8


def test_clients_that_leave_leave_nothing_open(blobs: FolderOfBlobs) -> None:
    body = Extents([whole(blobs, "a")] * 4)
    with sending(blobs, body) as sender:
        for turn in range(60):
            with sender.request(buffer=8192) as sock:
                sock.recv(100)
                if turn % 2:  # a reset instead of an end
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0" + bytes(4))
        until(lambda: len(sender.ended) == 60)
        assert all(isinstance(each, StreamClosedError) for each in sender.ended)
        assert blobs.open_now == 0


def test_a_client_that_takes_nothing_is_let_go(blobs: FolderOfBlobs) -> None:
    body = Extents([whole(blobs, "a")] * 4)
    with sending(blobs, body, idle_s=0.3) as sender, sender.request(buffer=8192) as sock:
        sock.recv(100)
        until(lambda: bool(sender.ended))
        assert isinstance(sender.ended[0], StreamClosedError)
        assert blobs.open_now == 0


def test_a_client_that_takes_a_little_now_and_then_is_not(blobs: FolderOfBlobs) -> None:
    body = Extents([whole(blobs, "a")])
    with sending(blobs, body, idle_s=0.5) as sender, sender.request(buffer=8192) as sock:
        sock.settimeout(0.05)
        got = bytearray()
        pause = threading.Event()
        while len(got) < 3 << 20:
            pause.wait(0.01)  # what a slow line is; longer together than the patience
            with contextlib.suppress(TimeoutError):
                got += sock.recv(48 << 10)
        assert sender.ended == []


def test_a_file_that_shrinks_breaks_the_connection(blobs: FolderOfBlobs) -> None:
    body = Extents([whole(blobs, "a")])
    with sending(blobs, body) as sender, sender.request(buffer=8192) as sock:
        sock.recv(100)
        os.truncate(blobs.folder / "a", WINDOW)
        assert len(answer_rest(sock)) < body.size - 100
        until(lambda: bool(sender.ended))
        assert isinstance(sender.ended[0], BlobDamagedError)
        assert "ended while it was sent" in str(sender.ended[0])


def answer_rest(sock: socket.socket) -> bytes:
    got = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(1 << 20):
            got += data
    return bytes(got)


def test_over_tls_the_same_bytes_arrive(blobs: FolderOfBlobs, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key", "-out", tmp_path / "cert"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    client = ssl.create_default_context(cafile=str(tmp_path / "cert"))
    body, expected = mixed(blobs)
    with sending(blobs, body, ssl_options=context) as sender:
        plain = socket.create_connection(sender.address, timeout=10)
        with client.wrap_socket(plain, server_hostname="localhost") as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answer(sock) == expected


extents = st.lists(
    st.one_of(
        st.binary(max_size=9),
        st.builds(lambda start, count: Slice("a", 50, start, start + count),
                  st.integers(0, 30), st.integers(0, 20)),
    ),
    max_size=8,
)  # fmt: skip


@given(extents, st.integers(0, 99), st.integers(1, 99))
def test_any_range_of_a_body_is_a_slice_of_it(
    parts: list[bytes | Slice], start: int, count: int
) -> None:
    blob = bytes(range(50))
    body = Extents(parts)
    flat = [e if isinstance(e, bytes) else blob[e.start : e.end] for e in parts]
    cut = list(body.cut(ByteRange(start, start + count)))
    got = b"".join(e if isinstance(e, bytes) else blob[e.start : e.end] for e in cut)
    assert body.size == len(b"".join(flat))
    assert got == b"".join(flat)[start : start + count]
    assert all(map(len, cut))
