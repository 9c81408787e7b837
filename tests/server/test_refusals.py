"""Refusals reach whoever still sends, and cost the server next to nothing."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.kit.engines import require
from tests.kit.http import ServerProcess, server_process

MIB = 1 << 20
SIZE = 100 * MIB

# What is asked → the status that refuses it before the body is through.
REFUSED: tuple[tuple[str, dict[str, str], int], ...] = (
    ("/post", {}, 413),
    ("/post?nmae=a.wav", {}, 400),
    ("/post", {"Host": "evil.example"}, 421),
    ("/post", {"Origin": "https://evil.example"}, 403),
    ("/post", {"Content-Encoding": "gzip"}, 415),
    ("/nowhere", {}, 404),
    ("/list", {}, 405),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process(tmp_path_factory.mktemp("library"), "--max-upload-bytes", "1000") as it:
        yield it


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size // MIB):
        yield bytes(MIB)


def most_memory(pid: int) -> int:
    """The most that the process ever held, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED)
@pytest.mark.parametrize("told", [True, False], ids=["length told", "chunked"])
def test_a_refusal_reaches_a_client_that_still_sends(
    server: ServerProcess, path: str, headers: dict[str, str], status: int, *, told: bool
) -> None:
    before = most_memory(server.pid)
    body: Any = bytes(SIZE) if told else zeros(SIZE)
    answer = requests.post(server.url + path, data=body, headers=headers, timeout=15)
    assert answer.status_code == status
    assert answer.headers["Connection"] == "close"
    assert answer.json()["status"] == status
    assert most_memory(server.pid) - before < 32 * MIB


def test_a_refusal_reaches_curl(server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "big.wav"
    with file.open("wb") as out:
        out.truncate(SIZE)
    for expect in ("Expect:", "Expect: 100-continue"):
        words = ["--data-binary", f"@{file}", "-H", expect, "-w", "%{http_code}", "-o", "/dev/null"]
        command = [str(require("curl")), "-sS", *words, f"{server.url}/post"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=15)
        assert (done.returncode, done.stdout) == (0, "413"), done.stderr


def test_a_client_that_waits_before_it_sends_need_not_send(server: ServerProcess) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        line.sendall(
            b"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 (Continue)" not in answer


def test_a_body_that_nobody_asked_for_is_dropped_and_the_line_stays_in_step(
    server: ServerProcess,
) -> None:
    with requests.Session() as session:
        assert session.get(f"{server.url}/list", data=bytes(2 * MIB), timeout=10).json() == []
        assert session.get(f"{server.url}/healthz", timeout=10).status_code == 200


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: -1",
        b"Content-Length: +5",
        b"Content-Length: " + b"9" * 5000,
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked",
    ],
)
def test_a_body_without_a_clear_end_is_refused_and_the_line_closed(
    server: ServerProcess, framing: bytes
) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as line:
        line.sendall(
            b"POST /post HTTP/1.1\r\nHost: localhost\r\n" + framing + b"\r\n\r\n5\r\nabcde"
        )
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 413 "))
    assert answer.count(b"HTTP/1.1 ") == 1
