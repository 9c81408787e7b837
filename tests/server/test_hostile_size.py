"""Things of monstrous size: answered in words or cut off, in little memory, and nobody waits."""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.kit.http import ServerProcess, server_process
from tests.kit.raw import exchange
from tests.kit.wavs import build_wav

MIB = 1 << 20


def get(*fields: bytes, line: bytes = b"GET /list HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: localhost", *fields, b"", b""])


def post(path: str, kind: str, body: bytes, *fields: bytes) -> bytes:
    length = b"Content-Length: %d" % len(body)
    content = f"Content-Type: {kind}".encode()
    line = f"POST {path} HTTP/1.1".encode()
    return get(length, content, *fields, line=line) + body


def multipart(parts: int, each: bytes) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="n%d"\r\n\r\n%s\r\n'
    return b"".join(part % (number, each) for number in range(parts)) + b"--x--\r\n"


FORM = "multipart/form-data; boundary=x"
JSON = "application/json"
UNDO = "/api/v1/undo"
BATCH = "/api/v1/sounds:batch"


def zip_bomb() -> bytes:
    pack = zlib.compressobj(9, wbits=31)
    return pack.compress(bytes(50 * MIB)) + pack.flush()


# What is sent → the statuses that it may get; none means that the line may be cut.
MONSTERS: dict[str, tuple[Callable[[], bytes], set[int]]] = {
    "a head of 200 KB": (lambda: get(b"A: " + b"b" * 200_000), {431}),
    "a head of 20 MB": (lambda: get(b"A: " + b"b" * 20 * MIB), {431}),
    "20,000 fields": (lambda: get(*[b"a%d: b" % n for n in range(20_000)]), {431}),
    "1,000 short fields": (lambda: get(*[b"a: b"] * 1_000), {431}),
    "a request line of 100 KB": (lambda: get(line=b"GET /%s HTTP/1.1" % (b"a" * 100_000)), {431}),
    "a query of 20,000 names": (
        lambda: get(line=b"GET /list?%s HTTP/1.1" % b"&".join([b"a"] * 15_000)),
        {400},
    ),
    "JSON 100,000 deep": (lambda: post(UNDO, JSON, b"[" * 100_000), {400}),
    "JSON objects 20,000 deep": (lambda: post(UNDO, JSON, b'{"change":' * 20_000), {400}),
    "JSON in an unknown field, deep": (
        lambda: post(UNDO, JSON, b'{"x":' + b"[" * 90_000 + b"]" * 90_000 + b"}"),
        {400},
    ),
    "JSON of 50 MB": (lambda: post(UNDO, JSON, b'{"change":"' + b"a" * 50 * MIB + b'"}'), {413}),
    "JSON with a number of a million digits": (
        lambda: post("/api/v1/sounds/x/revert", JSON, b'{"rev":' + b"9" * 1_000_000 + b"}"),
        {400, 404},
    ),
    "a batch of 20,000 ids": (
        lambda: post(BATCH, JSON, b'{"ids":[%s],"delete":true}' % b",".join([b'"x"'] * 20_000)),
        {400},
    ),
    "a form of 8,000 parts": (lambda: post("/post", FORM, multipart(8_000, b"v")), {400}),
    "a form with a field of 50 MB": (
        lambda: post("/post", FORM, multipart(1, b"v" * 50 * MIB)),
        {400},
    ),
    "a part with a head of 10 MB": (
        lambda: post("/post", FORM, b"--x\r\nA: " + b"b" * 10 * MIB + b"\r\n\r\n\r\n--x--\r\n"),
        {400},
    ),
    "a form without its boundary": (lambda: post("/post", FORM, b"a" * 20 * MIB), {400}),
    "a boundary of 20,000 letters": (
        lambda: post("/post", "multipart/form-data; boundary=" + "x" * 20_000, b"--x"),
        {400},
    ),
    "200,000 form fields": (
        lambda: post(
            "/post",
            "application/x-www-form-urlencoded",
            b"&".join(b"a%d=b" % n for n in range(200_000)),
        ),
        {422},
    ),
    "a gzip bomb": (
        lambda: post("/post", "audio/wav", zip_bomb(), b"Content-Encoding: gzip"),
        {415},
    ),
    "a gzip bomb as JSON": (lambda: post(UNDO, JSON, zip_bomb(), b"Content-Encoding: gzip"), {415}),
    "a body of 9 exabytes": (
        lambda: get(b"Content-Length: 9000000000000000000", line=b"POST /post HTTP/1.1"),
        {400, 413, 507},
    ),
    "10,000 ranges": (
        lambda: get(
            b"Range: bytes=" + b",".join(b"%d-" % n for n in range(5_000)),
            line=b"GET /download HTTP/1.1",
        ),
        {200},
    ),
    "10,000 tags": (
        lambda: get(
            b"If-None-Match: " + b",".join([b'"a"'] * 7_000), line=b"GET /download HTTP/1.1"
        ),
        {200},
    ),
    "a date of digits": (
        lambda: get(b"If-Modified-Since: " + b"9" * 30_000, line=b"GET /download HTTP/1.1"),
        {200},
    ),
    "an offer of 8,000 kinds": (lambda: get(b"Accept: " + b"a/b," * 8_000), {200}),
    "a name of 30 KB": (
        lambda: get(line=b"GET /list?name=%s HTTP/1.1" % (b"*a" * 15_000)),
        {200},
    ),
    "a search of 30 KB": (
        lambda: get(line=b"GET /list?q=%s HTTP/1.1" % (b"(a+OR+" * 5_000)),
        {200},
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process(tmp_path_factory.mktemp("library")) as it:
        sent = requests.post(f"{it.url}/post?name=a.wav", data=build_wav(), timeout=10)
        assert sent.status_code == 201
        yield it


def most_memory(pid: int) -> int:
    """The most that the process ever held, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize(("make", "statuses"), MONSTERS.values(), ids=MONSTERS.keys())
def test_a_monster_is_answered_in_little_memory(
    server: ServerProcess, make: Callable[[], bytes], statuses: set[int]
) -> None:
    request, before = make(), most_memory(server.pid)
    got = exchange(server.url, request, quiet_s=1.5)
    assert len(got.statuses) <= 1
    assert set(got.statuses) <= statuses, got.answer[:500]
    assert got.statuses or got.closed
    assert most_memory(server.pid) - before < 100 * MIB
    assert requests.get(f"{server.url}/list", timeout=10).json() == ["a.wav"]


def test_others_are_answered_while_monsters_come(server: ServerProcess) -> None:
    monsters = [make() for make, _ in MONSTERS.values()]
    done = threading.Event()

    def send_all() -> None:
        try:
            for monster in monsters:
                exchange(server.url, monster, quiet_s=0.2)
        finally:
            done.set()

    sending = threading.Thread(target=send_all)
    sending.start()
    answered = 0
    with requests.Session() as session:
        while not done.is_set() or not answered:
            assert session.get(f"{server.url}/list", timeout=5).json() == ["a.wav"]
            answered += 1
    sending.join()
    assert answered
