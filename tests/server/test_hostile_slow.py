"""Slow clients of every kind, by the dozen or the thousand: nobody notices, and they end."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from tests.kit.http import serve, server_process
from tests.kit.raw import connect, exchange, is_closed, is_reset
from tests.kit.wait import until
from tests.kit.wavs import chunk, fmt_chunk, riff


def wav_of(data: bytes) -> bytes:
    return riff(fmt_chunk(), chunk(b"data", data))


BIG = wav_of(bytes(8 << 20))
HEAD = b"POST /post HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

# A kind of slowness → what is sent at once, and what then now and then.
KINDS: dict[str, tuple[bytes, bytes]] = {
    "says nothing": (b"", b""),
    "stops within a head": (b"GET /list HTTP/1.1\r\nHost: loc", b""),
    "drips a head": (b"GET /list HTTP/1.1\r\nHost: localhost\r\n", b"a: b\r\n"),
    "drips a request line": (b"G", b"E"),
    "stops before a body": (HEAD + b"Content-Length: 100000\r\n\r\n", b""),
    "stops within a body": (HEAD + b"Content-Length: 100000\r\n\r\n" + BIG[:5000], b""),
    "drips a body": (HEAD + b"Content-Length: 100000\r\n\r\n" + BIG[:50], b"\0"),
    "stops within a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1000\r\nRIFF", b""),
    "drips chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nR\r\n"),
    "drips a chunk size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "drips a body nobody asked for": (
        HEAD.replace(b"/post", b"/nowhere") + b"Content-Length: 100000\r\n\r\n",
        b"\0",
    ),
    "drips JSON": (
        HEAD.replace(b"/post", b"/api/v1/undo") + b"Content-Length: 9999\r\n\r\n{",
        b" ",
    ),
    "begins a second head": (GET + b"GET /list", b""),
    "does not read": (b"GET /download HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    "asks for much and does not read": (
        b"GET /download HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
        b"",
    ),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "library", header_timeout_s=2.0, body_idle_s=2.0) as address:
        upload(address, BIG, "big.wav")
        yield address


def upload(server: str, wav: bytes, name: str) -> None:
    answer = requests.post(f"{server}/post", params={"name": name}, data=wav, timeout=10)
    assert answer.status_code == 201, answer.text


def work(server: str, name: str) -> float:
    """Upload, list and download as anybody does; the seconds that it took."""
    wav = wav_of(os.urandom(2_000))
    began = time.monotonic()
    upload(server, wav, name)
    assert name in requests.get(f"{server}/list", timeout=10).json()
    assert requests.get(f"{server}/download", {"name": name}, timeout=10).content == wav
    return time.monotonic() - began


@contextmanager
def slow_clients(server: str, kind: str, count: int) -> Iterator[list[socket.socket]]:
    """So many connections of this kind, which drip until the block is left."""
    first, drop = KINDS[kind]
    stop = threading.Event()
    with ExitStack() as stack:
        lines = [
            stack.enter_context(connect(server, receive_buffer=4096 if "read" in kind else 0))
            for _ in range(count)
        ]
        for line in lines:
            line.sendall(first)
        dripping = threading.Thread(target=drip, args=(lines, drop, stop))
        dripping.start()
        try:
            yield lines
        finally:
            stop.set()
            dripping.join()


def has_ended(kind: str, line: socket.socket) -> bool:
    """Whether the server ends it within a while; who does not read must not begin to."""
    return is_reset(line) if "read" in kind else is_closed(line, within_s=30)


def drip(lines: list[socket.socket], drop: bytes, stop: threading.Event) -> None:
    while drop and not stop.wait(0.2):
        for line in lines:
            with suppress(OSError):
                line.send(drop)


@pytest.mark.parametrize("kind", KINDS)
def test_sixty_slow_clients_delay_nobody_and_are_given_up(server: str, kind: str) -> None:
    with slow_clients(server, kind, 60) as lines:
        work(server, "meanwhile.wav")
        assert [line for line in lines if not has_ended(kind, line)] == []
    work(server, "afterwards.wav")


def test_a_connection_that_is_kept_between_requests_is_not_given_up(server: str) -> None:
    with connect(server) as kept, connect(server) as silent:
        for _ in range(2):
            kept.sendall(GET)
            assert kept.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
            assert is_closed(silent)  # by then the time for a head is over


def test_a_client_that_is_slow_but_steady_is_served(server: str) -> None:
    wav = wav_of(os.urandom(40_000))
    pieces = [wav[at : at + 4_000] for at in range(0, len(wav), 4_000)]

    def slowly() -> Iterator[bytes]:
        for piece in pieces:
            time.sleep(0.4)  # over all it takes twice as long as silence may last
            yield piece

    assert requests.post(f"{server}/post", data=slowly(), timeout=20).status_code == 201


def test_more_connections_than_there_is_room_for(tmp_path: Path) -> None:
    with full_house(tmp_path, 12) as (server, most):
        lines = [connect(server) for _ in range(3 * most)]
        try:
            for line in lines:
                line.send(b"GET /li")
            until(lambda: exchange(server, GET, quiet_s=0.2).statuses == [200])
            work(server, "meanwhile.wav")
            assert is_closed(lines[0])
        finally:
            for line in lines:
                line.close()


def test_when_all_are_busy_the_next_hears_when_to_come_back(tmp_path: Path) -> None:
    lines: list[socket.socket] = []

    def is_refused() -> bool:
        lines.append(connect(address))
        lines[-1].sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + BIG[:5000])
        return exchange(address, GET, quiet_s=0.2).statuses == [503]

    with full_house(tmp_path, 12) as (address, most):
        try:
            until(is_refused)
            assert len(lines) <= most
            assert b"\r\nRetry-After: 5\r\n" in exchange(address, GET).answer
        finally:
            for line in lines:
                line.close()
        until(lambda: exchange(address, GET, quiet_s=0.2).statuses == [200])


@contextmanager
def full_house(folder: Path, most: int) -> Iterator[tuple[str, int]]:
    """A server whose process may have few files open; its address, and about how many clients."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3 * most, hard))
    try:
        running = serve(folder / "library")
        address = running.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield address, most
    finally:
        running.__exit__(None, None, None)


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_slow_clients(tmp_path: Path, kind: str) -> None:
    flags = ("--header-timeout-s", "5", "--body-idle-s", "5")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    count = 250 if "read" in kind else 1_000
    with server_process(tmp_path / "library", *flags) as process:
        upload(process.url, BIG, "big.wav")
        with slow_clients(process.url, kind, count) as lines:
            took = work(process.url, "meanwhile.wav")
            print(f"{kind}: {took:.2f} s beside {count}")  # noqa: T201 - for docs/performance.md
            assert [line for line in lines if not has_ended(kind, line)] == []
        work(process.url, "afterwards.wav")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
