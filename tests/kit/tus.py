"""A tus client that does what it is told, mistakes included."""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

BYTES = {"Content-Type": "application/offset+octet-stream"}


def meta(**values: str) -> str:
    """An Upload-Metadata."""
    pairs = ((key, base64.b64encode(value.encode()).decode()) for key, value in values.items())
    return ",".join(f"{key} {value}" for key, value in pairs)


def ask(method: str, url: str, data: Any = None, **headers: str) -> requests.Response:
    """One request of the protocol; `Upload_Offset="5"` is a header, None leaves one out."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {"Tus-Resumable": "1.0.0"} | given
    return requests.request(method, url, data=data, headers=sent, timeout=15)


def create(server: str, length: int | None = None, **headers: str) -> str:
    """A new upload; its address."""
    sized = {} if length is None else {"Upload_Length": str(length)}
    answer = ask("POST", f"{server}/files/", **sized, **headers)
    assert answer.status_code == 201, answer.text
    return server + answer.headers["Location"]


def patch(url: str, offset: int, data: Any, **headers: str) -> requests.Response:
    """More bytes."""
    return ask("PATCH", url, data, **BYTES, Upload_Offset=str(offset), **headers)


def head(url: str) -> requests.Response:
    """How far it has come."""
    return ask("HEAD", url)


def offset(url: str) -> int:
    """The offset that HEAD tells."""
    answer = head(url)
    assert answer.status_code == 200, answer.headers
    return int(answer.headers["Upload-Offset"])


@contextlib.contextmanager
def open_patch(
    url: str, at: int, length: int, headers: Mapping[str, str] | None = None
) -> Iterator[socket.socket]:
    """A line on which a PATCH of `length` bytes is announced and none is sent yet."""
    address = urlsplit(url)
    fields = {
        "Host": address.netloc,
        "Tus-Resumable": "1.0.0",
        "Content-Type": BYTES["Content-Type"],
        "Upload-Offset": str(at),
        "Content-Length": str(length),
        **(headers or {}),
    }
    head_lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    with socket.create_connection((address.hostname, address.port), timeout=15) as line:
        line.sendall(f"PATCH {address.path} HTTP/1.1\r\n{head_lines}\r\n".encode())
        yield line


def reset(line: socket.socket) -> None:
    """End a line as a crash would: nothing is waited for."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.close()
