"""Other servers that never end, say nothing, or say what is not so: each is done with in time."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Iterator

import pytest

from sonoteca_server.jobs.addresses import Guard, parse_allow
from sonoteca_server.jobs.fetch import Fetcher
from sonoteca_server.jobs.outward import Outward
from tests.kit.upstream import Answer, File, Upstream, Visit, upstream
from tests.server.test_fetch import DATA, Memory, fetch, redirect_to, refused, then

PAGE = b"<!DOCTYPE html><title>Log in</title>"


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def silent(visit: Visit) -> None:
    """Not a word."""
    visit.stall()


def dripping_head(visit: Visit) -> None:
    """A head without end, a byte now and then."""
    visit.send("HTTP/1.1 200 OK\r\nX: ")
    while not visit.pause(0.02):
        visit.send("x")


def interim_for_ever(visit: Visit) -> None:
    """One answer that is none after the other."""
    while not visit.pause(0.001):
        visit.send("HTTP/1.1 100 Continue\r\n\r\n")


def endless_head(visit: Visit) -> None:
    """Fields without end."""
    visit.send("HTTP/1.1 200 OK\r\n")
    while not visit.pause(0.0):
        visit.send("X: ", "x" * 1000, "\r\n")


def large_head(visit: Visit) -> None:
    """A head that ends, but not soon enough."""
    visit.send("HTTP/1.1 200 OK\r\n", f"X: {'x' * 1000}\r\n" * 70, "Content-Length: 1\r\n\r\nx")


def stalling(visit: Visit) -> None:
    """A file of which the rest does not come."""
    visit.head(Content_Length=1000)
    visit.send(b"x" * 10)
    visit.stall()


def cut_head(visit: Visit) -> None:
    """A head that looks as if it were whole, but for its last line."""
    visit.send("HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n")


def short(visit: Visit) -> None:
    """Less than announced."""
    visit.head(Content_Length=len(DATA))
    visit.send(DATA[:-1])


def long(visit: Visit) -> None:
    """More than announced."""
    visit.head(Content_Length=len(DATA) - 1, ETag='"one"')
    visit.send(DATA)


def short_in_chunks(visit: Visit) -> None:
    """Chunks without the last one."""
    visit.head(Transfer_Encoding="chunked")
    visit.send(b"3\r\nabc\r\n")


def two_lengths(visit: Visit) -> None:
    """Two lengths, of which one is a lie."""
    visit.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")


def no_http(visit: Visit) -> None:
    """Another protocol."""
    visit.send("220 mail.example ESMTP\r\n\r\n")


def bomb(visit: Visit) -> None:
    """Small here, large when it is unpacked."""
    body = gzip.compress(bytes(10_000_000))
    visit.head(Content_Encoding="gzip", Content_Length=len(body))
    visit.send(body)


def part_unasked(visit: Visit) -> None:
    """A part, and nobody asked for one."""
    visit.head(206, Content_Range="bytes 5-9/10", Content_Length=5, ETag='"one"')
    visit.send(b"56789")


def no_content(visit: Visit) -> None:
    """Success, it says."""
    visit.head(204)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (silent, "silent"),
        (dripping_head, "silent"),
        (stalling, "silent"),
        (interim_for_ever, "bad-answer"),
        (endless_head, "bad-answer"),
        (large_head, "bad-answer"),
        (cut_head, "cut-off"),
        (short, "cut-off"),
        (short_in_chunks, "cut-off"),
        (long, "bad-answer"),
        (two_lengths, "bad-answer"),
        (no_http, "bad-answer"),
        (part_unasked, "bad-answer"),
        (bomb, "encoded-answer"),
        (no_content, "http-status"),
        (redirect_to("/a.wav"), "too-many-redirects"),
        (redirect_to("http://127.0.0.1:1/", status=300), "http-status"),
        (redirect_to(""), "http-status"),
    ],
)
def test_a_server_that_misbehaves_is_an_error_in_time(
    remote: Upstream, answer: Answer, code: str
) -> None:
    assert refused(remote, remote.url("/a.wav", answer), idle_s=0.25).code == code


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 451, 501, 505])
def test_a_status_that_stays_is_told_after_one_request(remote: Upstream, status: int) -> None:
    failed = refused(remote, remote.url("/a.wav", lambda visit: visit.head(status)))
    assert str(failed).startswith(f"http://{remote.place}/a.wav answered {status}")
    assert len(remote.visits) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_passes_is_tried_again(remote: Upstream, status: int) -> None:
    busy: Answer = lambda visit: visit.head(status, Content_Length=0)  # noqa: E731
    url = remote.url("/a.wav", then(busy, busy, File(DATA)))
    assert fetch(remote, url)[1] == DATA
    always = remote.url("/b.wav", busy)
    assert refused(remote, always).code == "http-status"


@pytest.mark.parametrize("wait", ["soon", "-1", "²", "Mon, 1 Jan 99999999999 00:00:00 GMT"])
def test_a_retry_after_that_means_nothing_is_none(remote: Upstream, wait: str) -> None:
    busy: Answer = lambda visit: visit.head(503, Retry_After=wait, Content_Length=0)  # noqa: E731
    assert fetch(remote, remote.url("/a.wav", then(busy, File(DATA))))[1] == DATA


def test_who_says_to_come_back_after_the_time_is_over_is_not_waited_for(remote: Upstream) -> None:
    busy: Answer = lambda visit: visit.head(503, Retry_After=3600, Content_Length=0)  # noqa: E731
    assert refused(remote, remote.url("/a.wav", busy)).code == "http-status"
    assert len(remote.visits) == 1


def endless(visit: Visit) -> None:
    """Bytes without end, and without a pause."""
    visit.head(Content_Type="audio/wav")
    while True:
        visit.send(bytes(65536))


def slow(visit: Visit) -> None:
    """Never silent, and never done."""
    visit.head(Content_Length=1_000_000)
    while not visit.pause(0.05):
        visit.send(b"x")


@pytest.mark.parametrize("answer", [endless, slow])
def test_a_file_that_never_ends_is_given_up_when_its_time_is_over(
    remote: Upstream, answer: Answer
) -> None:
    assert refused(remote, remote.url("/a.wav", answer), max_s=0.5).code == "too-slow"


def test_a_server_that_sends_next_to_nothing_is_given_up(remote: Upstream) -> None:
    assert refused(remote, remote.url("/a.wav", slow), slow_s=0.2).code == "slow"
    assert len(remote.visits) == 6


def test_who_sends_enough_between_its_pauses_is_waited_for(remote: Upstream) -> None:
    def halting(visit: Visit) -> None:
        visit.head(Content_Length=len(DATA))
        for start in range(0, len(DATA), 500_000):
            visit.pause(0.2)
            visit.send(DATA[start : start + 500_000])

    assert fetch(remote, remote.url("/a.wav", halting), slow_s=0.9)[1] == DATA
    assert len(remote.visits) == 1


def test_what_ends_with_the_connection_is_taken_and_told_as_not_proven(remote: Upstream) -> None:
    def answer(visit: Visit) -> None:
        visit.head(Content_Type="audio/wav")
        visit.send(DATA)

    fetched, data = fetch(remote, remote.url("/a.wav", answer))
    assert (data, fetched.proven) == (DATA, False)


def test_chunks_that_end_are_proof(remote: Upstream) -> None:
    def answer(visit: Visit) -> None:
        visit.head(Transfer_Encoding="chunked")
        visit.send(b"3\r\nabc\r\n", b"0\r\n\r\n")

    fetched, data = fetch(remote, remote.url("/a.wav", answer))
    assert (data, fetched.proven) == (b"abc", True)


def test_chunks_that_are_cut_go_on_where_they_were(remote: Upstream) -> None:
    def answer(visit: Visit) -> None:
        visit.head(Transfer_Encoding="chunked", ETag='"one"')
        visit.send(f"{len(DATA):x}\r\n", DATA[:2_000_000])

    file = File(DATA)
    assert fetch(remote, remote.url("/a.wav", then(answer, file)))[1] == DATA
    assert file.sent == len(DATA) - 2_000_000


def test_a_part_of_the_rest_is_taken_and_the_rest_of_it_asked_for(remote: Upstream) -> None:
    def bit_by_bit(visit: Visit) -> None:
        begin, end = visit.asked, min(visit.asked + 1_000_000, len(DATA))
        told = f"bytes {begin}-{end - 1}/{len(DATA)}"
        visit.head(206, Content_Range=told, ETag='"one"', Content_Length=end - begin)
        visit.send(DATA[begin:end])

    url = remote.url("/a.wav", then(File(DATA, cuts=(1,)), bit_by_bit))
    assert fetch(remote, url)[1] == DATA
    assert len(remote.visits) == 4


def test_an_empty_file_is_a_file(remote: Upstream) -> None:
    assert fetch(remote, remote.url("/a.txt", File(b"", etag="")))[1] == b""


@pytest.mark.parametrize(
    ("path", "kind", "data"),
    [
        ("/take1.wav", "text/html; charset=utf-8", PAGE),
        ("/take1.wav?x=1", "TEXT/HTML", b"anything"),
        ("/take1.WAV", "application/xhtml+xml", b"anything"),
        ("/archive.zip", "application/octet-stream", b"\xef\xbb\xbf\r\n " + PAGE),
        ("/take1.wav", "audio/wav", b"<html><head>"),
    ],
)
def test_a_page_to_log_in_is_not_the_file(
    remote: Upstream, path: str, kind: str, data: bytes
) -> None:
    remote.answers["/login"] = File(data, kind=kind)
    failed = refused(remote, remote.url(path, redirect_to("/login")))
    assert failed.code == "page-instead-of-file"
    assert refused(remote, remote.url(path, File(data, kind=kind))).code == failed.code


@pytest.mark.parametrize("path", ["/", "/notes.html", "/index.php", "/get?id=5", "/v1.2/readme"])
def test_a_page_that_was_asked_for_is_a_file(remote: Upstream, path: str) -> None:
    assert fetch(remote, remote.url(path, File(PAGE, kind="text/html")))[1] == PAGE


def test_errors_tell_status_and_url_and_not_the_body(remote: Upstream) -> None:
    def answer(visit: Visit) -> None:
        visit.head(403, Content_Length=6, X_Secret="secret")
        visit.send(b"secret")

    assert str(refused(remote, remote.url("/a", answer))) == (
        f"http://{remote.place}/a answered 403 Forbidden"
    )


def test_a_fetch_that_is_cancelled_leaves_at_once(remote: Upstream) -> None:
    begun, left = threading.Event(), threading.Event()

    def answer(visit: Visit) -> None:
        visit.head(Content_Length=1000)
        visit.send(b"x")
        begun.set()
        visit.stall()
        left.set()

    async def cancel() -> None:
        outward = Outward(Guard(parse_allow(remote.place)), idle_s=60.0)
        url = remote.url("/a.wav", answer)
        fetching = asyncio.create_task(Fetcher(outward, max_s=60.0).fetch(url, Memory()))
        await asyncio.to_thread(begun.wait)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert await asyncio.to_thread(left.wait, 5.0)

    asyncio.run(cancel())
