"""Other servers on loopback, honest and hostile: each path is answered as the test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from sonoteca_shared.ranges import ByteRange, parse_ranges


class Visit:
    """One request that came, and the connection to answer it on, byte by byte."""

    def __init__(self, line: socket.socket, over: threading.Event) -> None:
        self._line = line
        self._over = over
        head = bytearray()
        while b"\r\n\r\n" not in head:
            piece = line.recv(4096)
            if not piece:
                raise ConnectionError
            head += piece
        first, _, rest = bytes(head).partition(b"\r\n")
        fields, _, self.body = rest.partition(b"\r\n\r\n")
        self.method, self.path, _ = first.decode().split(" ")
        self.fields: Message = BytesHeaderParser().parsebytes(fields)
        while len(self.body) < int(self.fields.get("Content-Length", "0")):
            self.body += line.recv(4096)

    def send(self, *parts: bytes | str) -> None:
        """Say this; a client that has left is told by ConnectionError or the like."""
        for part in parts:
            self._line.sendall(part.encode() if isinstance(part, str) else part)

    def head(self, status: int = 200, **fields: object) -> None:
        """The head of an answer; `content_length=3` is `Content-Length: 3`."""
        lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Told'}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        self.send("\r\n".join([*lines, "", ""]))

    def pause(self, seconds: float) -> bool:
        """Say nothing for so long, or until the test is over, which it then is."""
        return self._over.wait(seconds)

    def stall(self) -> None:
        """Say nothing more, until the client leaves or the test is over."""
        self._line.settimeout(0.05)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                if not self._line.recv(1):
                    return

    @property
    def asked(self) -> int:
        """The byte from which on the client wants the file."""
        return int(self.fields.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])


Answer = Callable[[Visit], None]


class Upstream:
    """A server of the test: `answers` by path, and the `visits` it had."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.visits: list[Visit] = []
        self.over = threading.Event()
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, name="upstream")]
        self._threads[0].start()

    @property
    def place(self) -> str:
        """As `FETCH_ALLOW` names it."""
        return f"127.0.0.1:{self.port}"

    def url(self, path: str, answer: Answer | None = None) -> str:
        """The URL of a path, which is answered so from now on."""
        if answer is not None:
            self.answers[path] = answer
        return f"http://{self.place}{path}"

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [visit.path for visit in self.visits]

    def close(self) -> None:
        """Take no more visits, and end those there are."""
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._answer, args=(line,), name="upstream visit")
            self._threads.append(thread)
            thread.start()

    def _answer(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                line = self._tls.wrap_socket(line, server_side=True)
            with line:
                visit = Visit(line, self.over)
                self.visits.append(visit)
                self.answers.get(visit.path, missing)(visit)


@contextlib.contextmanager
def upstream(tls: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """A server of the test, gone when the block is left."""
    server = Upstream(tls)
    try:
        yield server
    finally:
        server.close()


def missing(visit: Visit) -> None:
    """404."""
    visit.head(404, Content_Length=0)


@dataclass
class File:
    """A file as an honest server has it; each cut ends one answer after so many bytes of it."""

    data: bytes
    etag: str = '"one"'
    name: str = ""
    kind: str = "audio/wav"
    cuts: tuple[int, ...] = ()
    ranges: bool = True
    sent: int = 0

    def __call__(self, visit: Visit) -> None:
        """Answer with the whole or with the part that was asked for."""
        fields: dict[str, object] = {"Content_Type": self.kind}
        fields |= {"ETag": self.etag} if self.etag else {}
        if self.name:
            fields["Content_Disposition"] = self.name
        part, status = self._part(visit)
        if status == 206:
            fields["Content_Range"] = f"bytes {part.start}-{part.end - 1}/{len(self.data)}"
        body = self.data[part.start : part.end] if len(self.data) else b""
        visit.head(status, **fields, Content_Length=len(body))
        cut, self.cuts = (self.cuts[0], self.cuts[1:]) if self.cuts else (len(body), ())
        self.sent += len(body[:cut])
        visit.send(body[:cut])

    def _part(self, visit: Visit) -> tuple[ByteRange, int]:
        whole = ByteRange(0, max(1, len(self.data)))
        if not self.ranges or visit.fields.get("If-Range", self.etag) != self.etag:
            return whole, 200
        ranges = parse_ranges(visit.fields.get("Range"), len(self.data))
        return (ranges[0], 206) if isinstance(ranges, tuple) else (whole, 200)
