"""The faults that a proxy puts into exchanges with a real server, one function each."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

from tests.kit.proxy import BLOCK, Exchange, Fault, answer, honest

_SOMEWHERE = "Sat, 21 Nov 2026 10:00:00 GMT"
_LATER = "Sat, 21 Nov 2026 10:00:40 GMT"

PAGE = b"<!doctype html><title>Welcome</title><p>Accept our terms to use this network."


def cut(after: int, *, reset: bool = False) -> Fault:
    """Send so many bytes of the body, and break the line."""

    def fault(exchange: Exchange) -> None:
        exchange.tell(exchange.ask())
        exchange.relay(after)
        exchange.hang_up(reset=reset)

    return fault


def hang_up(exchange: Exchange) -> None:
    """Break the line before anything is asked or answered."""
    exchange.hang_up(reset=True)


def stall(after: int = 0, *, head: bool = True) -> Fault:
    """Send so many bytes (or not even the head), and then nothing, without breaking the line."""

    def fault(exchange: Exchange) -> None:
        reply = exchange.ask()
        if head:
            exchange.tell(reply)
            exchange.relay(after)
        exchange.wait()

    return fault


def slow(exchange: Exchange) -> None:
    """Be honest, in small pieces."""
    exchange.tell(exchange.ask())
    while data := exchange.read(10_000):
        exchange.give(data)


def say(status: int, body: bytes = b"", **fields: str) -> Fault:
    """Answer this in the server's place, once the request has come whole."""

    def fault(exchange: Exchange) -> None:
        exchange.swallow()
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        exchange.tell(answer(status, {"Content-Length": str(len(body)), **names}))
        exchange.give(body)

    return fault


def refuse(status: int, code: str, title: str, **fields: str) -> Fault:
    """Answer with a problem document, as our server does."""
    problem = {"type": "about:blank", "title": title, "status": status, "detail": "", "code": code}
    body = json.dumps({**problem, "request_id": "r1", "error": title}).encode()
    return say(status, body, Content_Type="application/problem+json", **fields)


def page(status: int = 200) -> Fault:
    """Answer as a hotel's network does: with a page to log in."""
    return say(status, PAGE, Content_Type="text/html; charset=utf-8")


def redirect(to: str, status: int = 302) -> Fault:
    """Send the client elsewhere."""
    return say(status, Location=to)


def in_circles(exchange: Exchange) -> None:
    """Send the client to where it is."""
    say(307, Location=exchange.passed.path)(exchange)


def edit(body: Callable[[bytes], bytes] = bytes, *, status: str = "", **fields: str) -> Fault:
    """Pass the answer on with another status, other fields ("" takes one away), another body."""

    def fault(exchange: Exchange) -> None:
        head = exchange.ask()
        data = body(b"".join(iter(exchange.read, b"")))
        head.set("Content-Length", str(len(data)))
        if status:
            head.line = f"HTTP/1.1 {status}"
        for name, value in fields.items():
            head.set(name.replace("_", "-"), value or None)
        exchange.tell(head)
        exchange.give(data)

    return fault


def flip(data: bytes) -> bytes:
    """The same but for one bit in the middle."""
    spoiled = bytearray(data)
    spoiled[len(data) // 2] ^= 1
    return bytes(spoiled)


zipped = edit(gzip.compress, Content_Encoding="gzip")


def in_place_of(start: int) -> Fault:
    """Send the bytes from `start` on instead of those that were asked for, and say so."""

    def fault(exchange: Exchange) -> None:
        exchange.request.set("Range", f"bytes={start}-")
        exchange.request.set("If-Range", None)
        honest(exchange)

    return fault


def whole(**fields: str) -> Fault:
    """Send the whole file where a part was asked for, with these fields."""

    def fault(exchange: Exchange) -> None:
        exchange.request.set("Range", None)
        head = exchange.ask()
        for name, value in fields.items():
            head.set(name.replace("_", "-"), value or None)
        exchange.tell(head)
        exchange.relay()

    return fault


def endless(status: int, **fields: str) -> Fault:
    """Send zeros for as long as anybody reads them."""

    def fault(exchange: Exchange) -> None:
        exchange.swallow()
        names = {name.replace("_", "-"): value for name, value in fields.items()}
        exchange.tell(answer(status, names))
        while True:
            exchange.give(bytes(BLOCK))

    return fault


def longer(count: int) -> Fault:
    """Promise and send so many bytes more than there are; fewer, when it is negative."""

    def fault(exchange: Exchange) -> None:
        head = exchange.ask()
        length = (head.length or 0) + count
        head.set("Content-Length", str(length))
        exchange.tell(head)
        exchange.relay(length)
        exchange.give(bytes(max(0, count)))

    return fault


def flood(count: int, length: int = 20) -> Fault:
    """Put so many fields of such a length before those of the answer."""

    def fault(exchange: Exchange) -> None:
        head = exchange.ask()
        for number in range(count):
            head.fields[f"X-Flood-{number}"] = "x" * length
        exchange.tell(head)
        exchange.relay()

    return fault


def busy(status: int, *, date: bool = False) -> Fault:
    """Ask to be left alone for forty seconds, counted or by the clock of the server."""
    if date:
        return refuse(status, "busy", "Busy", Retry_After=_LATER, Date=_SOMEWHERE)
    return refuse(status, "busy", "Busy", Retry_After="40")


# Those of an upload.


def swallow(count: int, *, reset: bool = False) -> Fault:
    """Let the server have so many bytes, and break the line."""

    def fault(exchange: Exchange) -> None:
        exchange.begin()
        exchange.pass_some(count)
        exchange.hang_up(reset=reset)

    return fault


def flip_sent(exchange: Exchange) -> None:
    """Pass the request on with one wrong bit in it."""
    server = exchange.begin()
    exchange.pass_some(100_000)
    server.sendall(flip(exchange.take(1000)))
    exchange.pass_some(exchange.request.length or 0)
    exchange.tell(exchange.listen())
    exchange.relay()


def lose_answer(exchange: Exchange) -> None:
    """Let the server have everything, and the client nothing of what it says."""
    exchange.ask()
    exchange.hang_up(reset=True)


def then(what: Fault) -> Fault:
    """Let the server have everything, and answer something else than it does."""

    def fault(exchange: Exchange) -> None:
        exchange.ask()
        what(exchange)

    return fault
