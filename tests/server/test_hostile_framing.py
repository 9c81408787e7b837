"""Requests that different readers cut differently: one answer at most, and the line closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.kit.http import serve
from tests.kit.raw import exchange
from tests.kit.wavs import build_wav

WAV = build_wav()
# What an attacker hides behind a body that another reader thinks is shorter or longer.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(*fields: bytes, body: bytes = b"5\r\nabcde\r\n0\r\n\r\n", line: bytes = b"") -> bytes:
    """A POST with these header fields."""
    start = line or b"POST /post HTTP/1.1"
    return b"\r\n".join([start, b"Host: localhost", *fields, b"", body])


def get(*fields: bytes, line: bytes = b"GET /list HTTP/1.1") -> bytes:
    return b"\r\n".join([line, b"Host: localhost", *fields, b"", b""])


CHUNKED = b"Transfer-Encoding: chunked"

# What is wrong → the bytes that are sent.
BAD_FRAMING: dict[str, bytes] = {
    "CL and TE": post(b"Content-Length: 5", CHUNKED),
    "TE and CL": post(CHUNKED, b"Content-Length: 5"),
    "CL negative": post(b"Content-Length: -1"),
    "CL signed": post(b"Content-Length: +5"),
    "CL hexadecimal": post(b"Content-Length: 0x5"),
    "CL with a fraction": post(b"Content-Length: 5.0"),
    "CL with an exponent": post(b"Content-Length: 5e0"),
    "CL with an underscore": post(b"Content-Length: 1_0"),
    "CL in Arabic digits": post("Content-Length: \u0665".encode()),
    "CL empty": post(b"Content-Length: "),
    "CL of letters": post(b"Content-Length: five"),
    "CL with a space": post(b"Content-Length: 1 0"),
    "CL without end": post(b"Content-Length: " + b"9" * 5000),
    "CL over 64 bits": post(b"Content-Length: 18446744073709551617"),
    "two CLs": post(b"Content-Length: 5", b"Content-Length: 6"),
    "two equal CLs": post(b"Content-Length: 5", b"Content-Length: 5"),
    "CL as a list": post(b"Content-Length: 5, 6"),
    "CL as a list of equals": post(b"Content-Length: 5, 5"),
    "CL on a GET": get(b"Content-Length: x"),
    "TE gzip, chunked": post(b"Transfer-Encoding: gzip, chunked"),
    "TE chunked, identity": post(b"Transfer-Encoding: chunked, identity"),
    "TE identity": post(b"Transfer-Encoding: identity"),
    "TE xchunked": post(b"Transfer-Encoding: xchunked"),
    "TE in quotes": post(b'Transfer-Encoding: "chunked"'),
    "TE with a vertical tab": post(b"Transfer-Encoding: \x0bchunked"),
    "TE twice": post(CHUNKED, CHUNKED),
    "TE and another": post(CHUNKED, b"Transfer-Encoding: cow"),
    "TE empty": post(b"Transfer-Encoding: "),
    "TE under HTTP/1.0": post(CHUNKED, line=b"POST /post HTTP/1.0"),
    "space before the colon": post(b"Transfer-Encoding : chunked"),
    "tab before the colon": post(b"Content-Length\t: 5"),
    "folded field": post(b"Transfer-Encoding:\r\n chunked"),
    "folded first field": b"GET /list HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "field without a colon": get(b"Nonsense"),
    "field without a name": get(b": nothing"),
    "field name with a slash": get(b"a/b: c"),
    "field name that is not ASCII": get("Tést: c".encode()),
    "NUL in a field": get(b"A: b\x00c"),
    "NUL in a field name": get(b"A\x00: b"),
    "NUL in the path": get(line=b"GET /li\x00st HTTP/1.1"),
    "CR in a field": get(b"A: b\rTransfer-Encoding: chunked"),
    "bare LF after the request line": b"GET /list HTTP/1.1\nHost: localhost\r\n\r\n",
    "bare LF after a field": b"GET /list HTTP/1.1\r\nHost: localhost\n\r\n",
    "bare LFs at the end": b"GET /list HTTP/1.1\r\nHost: localhost\n\n",
    "bare LF hides a field": get(b"A: b\nTransfer-Encoding: chunked"),
    "chunk size of letters": post(CHUNKED, body=b"xyz\r\nabcde\r\n0\r\n\r\n"),
    "chunk size negative": post(CHUNKED, body=b"-5\r\nabcde\r\n0\r\n\r\n"),
    "chunk size signed": post(CHUNKED, body=b"+5\r\nabcde\r\n0\r\n\r\n"),
    "chunk size with 0x": post(CHUNKED, body=b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "chunk size with an underscore": post(CHUNKED, body=b"1_0\r\nabcde\r\n0\r\n\r\n"),
    "chunk size empty": post(CHUNKED, body=b"\r\nabcde\r\n0\r\n\r\n"),
    "chunk size over 64 bits": post(CHUNKED, body=b"1" + b"0" * 40 + b"\r\nabcde\r\n0\r\n\r\n"),
    "chunk size without end": post(CHUNKED, body=b"0" * 5000 + b"5\r\nabcde\r\n0\r\n\r\n"),
    "chunk size ended by LF": post(CHUNKED, body=b"5\nabcde\r\n0\r\n\r\n"),
    "chunk longer than told": post(CHUNKED, body=b"5\r\nabcdefgh\r\n0\r\n\r\n"),
    "chunk shorter than told": post(CHUNKED, body=b"6\r\nabc\r\n0\r\n\r\n0\r\n\r\n"),
    "chunk extension of a megabyte": post(
        CHUNKED, body=b"5;" + b"e" * (1 << 20) + b"\r\nabcde\r\n"
    ),
    "trailer with a length": post(CHUNKED, body=b"5\r\nabcde\r\n0\r\nContent-Length: 9\r\n\r\n"),
    "trailers without end": post(CHUNKED, body=b"5\r\nabcde\r\n0\r\n" + b"A: b\r\n" * 10_000),
    "HTTP/0.9": b"GET /list\r\n\r\n",
    "HTTP/1.2": get(line=b"GET /list HTTP/1.2"),
    "HTTP/2.0": get(line=b"GET /list HTTP/2.0"),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.10": get(line=b"GET /list HTTP/1.10"),
    "http/1.1 in lower case": get(line=b"GET /list http/1.1"),
    "no version": get(line=b"GET /list HTTP/"),
    "two spaces": get(line=b"GET  /list HTTP/1.1"),
    "tab instead of a space": get(line=b"GET\t/list HTTP/1.1"),
    "space in the path": get(line=b"GET /li st HTTP/1.1"),
    "no method": get(line=b" /list HTTP/1.1"),
    "method with brackets": get(line=b"G(E)T /list HTTP/1.1"),
    "only line ends": b"\r\n" * 4,
    "TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40) + b"\r\n\r\n",
    "SOCKS greeting": b"\x05\x01\x00\r\n\r\n",
    "no Host": b"GET /list HTTP/1.1\r\n\r\n",
    "two Hosts": get(b"Host: localhost"),
    "Host with a path": b"GET /list HTTP/1.1\r\nHost: localhost/evil\r\n\r\n",
    "Host with a space": b"GET /list HTTP/1.1\r\nHost: local host\r\n\r\n",
    "Host with an account": b"GET /list HTTP/1.1\r\nHost: a@localhost\r\n\r\n",
    "absolute-form without a port": get(line=b"GET http://[::1/list HTTP/1.1"),
    "request line of 100 KB": get(line=b"GET /" + b"a" * 100_000 + b" HTTP/1.1"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("library")) as address:
        yield address


def test_the_same_requests_without_their_fault_are_answered(server: str) -> None:
    for request in (
        get(),
        get(b"A:b", b"C:  d\t"),
        b"\r\n" + get(),
        get(line=b"GET /list HTTP/1.0"),
        get(line=f"GET {server}/list HTTP/1.1".encode()),
        get(line=f"GET {server} HTTP/1.1".encode()),
    ):
        assert exchange(server, request, quiet_s=0.2).statuses == [200], request
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(WAV), WAV)
    for framing, body in ((b"Content-Length: %d" % len(WAV), WAV), (CHUNKED, chunks)):
        sent = exchange(server, post(framing, body=body) + get(), quiet_s=0.5)
        assert sent.statuses[0] in (200, 201)
        assert sent.statuses[1:] == [200]


@pytest.mark.parametrize("request_", BAD_FRAMING.values(), ids=BAD_FRAMING.keys())
@pytest.mark.parametrize("path", [b"/post", b"/list", b"/nowhere", b"/data/main"])
def test_bad_framing_gets_one_refusal_at_most_and_is_closed(
    server: str, request_: bytes, path: bytes
) -> None:
    bytes_sent = request_.replace(b"/post ", path + b" ").replace(b"/list ", path + b" ")
    if path == b"/data/main":
        bytes_sent = bytes_sent.replace(b"POST ", b"PUT ")
    got = exchange(server, bytes_sent + SMUGGLED, quiet_s=5)
    assert got.closed
    assert len(got.statuses) <= 1
    assert all(400 <= status < 500 for status in got.statuses), got.answer[:500]
    assert b"Tornado" not in got.answer


# What is asked with a method or a target that means nothing here → its statuses.
ODD: dict[str, tuple[bytes, set[int]]] = {
    "CONNECT": (get(line=b"CONNECT example.org:443 HTTP/1.1"), {405}),
    "TRACE": (get(line=b"TRACE / HTTP/1.1"), {405}),
    "an unknown method": (get(line=b"BREW /list HTTP/1.1"), {405}),
    "a method of 8,000 letters": (get(line=b"A" * 8000 + b" /list HTTP/1.1"), {405}),
    "OPTIONS *": (get(line=b"OPTIONS * HTTP/1.1"), {404, 405}),
    "asterisk-form": (get(line=b"GET * HTTP/1.1"), {404}),
    "authority-form": (get(line=b"GET localhost:80 HTTP/1.1"), {404}),
    "another host's address": (get(line=b"GET http://evil.example/list HTTP/1.1"), {421}),
    "another scheme": (get(line=b"GET ftp://localhost/list HTTP/1.1"), {404}),
    "a path without a slash": (get(line=b"GET list HTTP/1.1"), {404}),
    "two slashes": (get(line=b"GET //evil.example/list HTTP/1.1"), {404}),
    "an upgrade": (get(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"), {200}),
    "an expectation": (get(b"Expect: the unexpected"), {200, 417}),
}


@pytest.mark.parametrize(("request_", "statuses"), ODD.values(), ids=ODD.keys())
def test_what_means_nothing_here_is_refused_in_words(
    server: str, request_: bytes, statuses: set[int]
) -> None:
    got = exchange(server, request_, quiet_s=0.2)
    assert len(got.statuses) == 1
    assert set(got.statuses) <= statuses, got.answer[:300]
    assert b"Tornado" not in got.answer


def test_nothing_of_all_that_was_kept(server: str) -> None:
    names = requests.get(f"{server}/list", timeout=10).json()
    assert len(names) <= 1  # the WAV of the first test
