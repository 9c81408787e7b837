"""A small real server for the desktop's tests that misbehaves on demand.

It sends files with ranges as ours does. Faults are put into `script`, one for each request that
comes; when the script is over it behaves.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from sonoteca_shared import digests, routes
from sonoteca_shared.models import Links, Sound
from sonoteca_shared.ranges import ByteRange, content_range, parse_ranges
from tests.kit.receiving import Received, ReceivingHandler

Fault = Callable[["Handler"], None]


@dataclass
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def arguments(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}


class FaultyServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.files: dict[str, bytes] = {}
        self.script: deque[Fault] = deque()
        self.asked: list[Asked] = []
        self.received = Received()
        self.gone: dict[str, str] = {}  # uploads that were refused, and why
        self.sent = 0
        self.pace: float = 0.0  # seconds between blocks
        self.broken = False  # as if it had been killed
        self.released = threading.Event()
        self.lock = threading.Lock()

    def add(self, data: bytes, name: str, folder: str = "") -> Sound:
        sound = make_sound(data, name, folder)
        self.files[urlsplit(sound.links.file).path] = data
        return sound

    def downloads(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "GET"]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave in the middle are what the tests are about."""


class Handler(ReceivingHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    @property
    def received(self) -> Received:  # type: ignore[override]
        return self.server.received

    def make_sound(self, data: bytes, name: str, folder: str) -> Sound:
        return make_sound(data, name, folder)

    def do_GET(self) -> None:
        self._note(b"")
        sound = self.received.sounds.get(self.path)
        if sound is not None:
            self.answer(msgspec.to_builtins(sound))
        elif not self._misbehave(self.server.script):
            self.behave()

    def do_POST(self) -> None:
        asked = self._note(b"")
        if self.path == routes.UPLOADS:
            if not self._misbehave(self.received.creations):
                self.create()
            return
        asked.body = self.rfile.read(int(self.headers["Content-Length"]))
        self.take_question(self.path, asked.body)

    def do_HEAD(self) -> None:
        self._note(b"")
        if reason := self.server.gone.get(self.path):
            self.head(410, 0, {"Sonoteca-Refused": reason})
        else:
            self.look()

    def do_PATCH(self) -> None:
        self._note(b"")
        if not self._misbehave(self.server.script):
            self.append()

    def do_DELETE(self) -> None:
        self._note(b"")
        self.end()

    def behave(self) -> None:
        data = self.file()
        if data is None:
            self.refuse(404, "not-found", "There is no such file")
            return
        part = self.part(data)
        status = 200 if part is None else 206
        part = part or ByteRange(0, len(data))
        headers = {} if status == 200 else {"Content-Range": content_range(part, len(data))}
        self.head(status, len(part), {"ETag": digests.etag(sha256(data)), **headers})
        self.send(data[part.start : part.end])

    def file(self) -> bytes | None:
        return self.server.files.get(urlsplit(self.path).path)

    def part(self, data: bytes) -> ByteRange | None:
        if self.headers.get("If-Range", digests.etag(sha256(data))) != digests.etag(sha256(data)):
            return None
        parts = parse_ranges(self.headers.get("Range"), len(data))
        return parts[0] if isinstance(parts, tuple) else None

    def head(self, status: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def send(self, data: bytes) -> None:
        for start in range(0, len(data), 64 << 10):
            block = data[start : start + (64 << 10)]
            if self.server.broken:
                raise ConnectionError("killed")
            self.wfile.write(block)
            with self.server.lock:
                self.server.sent += len(block)
            if self.server.pace:
                self.server.released.wait(self.server.pace)

    def refuse(self, status: int, code: str, title: str, detail: str = "", **headers: str) -> None:
        problem = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": "r1",
            "error": title,
        }
        body = json.dumps(problem).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.head(status, len(body), names)
        self.send(body)

    def _note(self, body: bytes) -> Asked:
        asked = Asked(self.command, self.path, dict(self.headers), body)
        self.server.asked.append(asked)
        return asked

    def _misbehave(self, script: deque[Fault]) -> bool:
        if not script:
            return False
        script.popleft()(self)
        return True


def cut(after: int) -> Fault:
    """Promise everything, send so many bytes, and close."""

    def fault(handler: Handler) -> None:
        data = handler.file() or b""
        part = handler.part(data)
        start = part.start if part else 0
        headers = {"ETag": digests.etag(sha256(data))}
        if part:
            headers["Content-Range"] = content_range(part, len(data))
        handler.head(206 if part else 200, len(data) - start, headers)
        handler.send(data[start : start + after])
        handler.close_connection = True

    return fault


def stall(after: int) -> Fault:
    """Like `cut`, but keep the line open without a word until `released`."""

    def fault(handler: Handler) -> None:
        cut(after)(handler)
        handler.wfile.flush()
        handler.server.released.wait(60)

    return fault


def refuse(status: int, title: str = "No", detail: str = "", **headers: str) -> Fault:
    """Answer with a problem document; an upload's body is left unread."""

    def fault(handler: Handler) -> None:
        handler.close_connection = handler.command == "PATCH"
        handler.refuse(status, "no", title, detail, **headers)

    return fault


def reply(status: int, data: bytes, **headers: str) -> Fault:
    """Send exactly this, whatever was asked for."""

    def fault(handler: Handler) -> None:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.head(status, len(data), names)
        handler.send(data)

    return fault


def hang_up(handler: Handler) -> None:
    """Close without an answer."""
    handler.close_connection = True


@contextlib.contextmanager
def faulty_server(port: int = 0) -> Iterator[FaultyServer]:
    server = FaultyServer(port)
    # Looks often whether it is to end: the default of 0.5 s would be waited for by every test.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def make_sound(data: bytes, name: str, folder: str = "") -> Sound:
    """The catalogue entry of some bytes; that they are no WAV does not matter to a transfer."""
    digest = sha256(data)
    return Sound(
        id=f"id-{digest[:8]}",
        rev=1,
        repository="main",
        folder=folder,
        name=name,
        sha256=digest,
        size=len(data),
        duration=1.0,
        samplerate=48_000,
        bitdepth=16,
        channels=1,
        frames=48_000,
        format="pcm",
        container="RIFF",
        created=datetime(2026, 1, 5, tzinfo=UTC),
        links=Links(file=routes.content_path("main", digest, name)),
    )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
