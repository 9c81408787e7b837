"""The planner of answers: conditions and ranges of RFC 9110 as a pure function."""

from __future__ import annotations

import email.message
import email.policy
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_server.wire.conditions import Plan, Representation, plan
from sonoteca_shared.ranges import Pieces

DATA = bytes(range(200))
FILE = Representation(len(DATA), '"sha256-a"', 1_000_000_000, "audio/wav")
THEN = "Sun, 09 Sep 2001 01:46:40 GMT"
BEFORE, AFTER = "Sun, 09 Sep 2001 01:46:39 GMT", "Sun, 09 Sep 2001 01:46:41 GMT"


def ask(method: str = "GET", **fields: str) -> Plan:
    return plan(method, {name.replace("_", "-"): value for name, value in fields.items()}, FILE)


def flat(pieces: Pieces) -> bytes:
    return b"".join(p if isinstance(p, bytes) else DATA[p.start : p.end] for p in pieces)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 200),
        # The order of section 13.2.2: each row is decided by its first field.
        ({"If_Match": '"sha256-a"', "If_Unmodified_Since": BEFORE}, 200),
        ({"If_Match": '"b"', "If_Unmodified_Since": AFTER}, 412),
        ({"If_Match": '"b"', "If_None_Match": '"sha256-a"'}, 412),
        ({"If_Match": 'W/"sha256-a"'}, 412),
        ({"If_Match": '"b", "sha256-a"'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": ""}, 412),
        ({"If_Unmodified_Since": BEFORE, "If_None_Match": '"b"'}, 412),
        ({"If_Unmodified_Since": THEN}, 200),
        ({"If_Unmodified_Since": "yesterday"}, 200),
        ({"If_None_Match": '"sha256-a"', "If_Modified_Since": BEFORE}, 304),
        ({"If_None_Match": '"b"', "If_Modified_Since": AFTER}, 200),
        ({"If_None_Match": 'W/"sha256-a"', "Range": "bytes=0-1"}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_Modified_Since": THEN}, 304),
        ({"If_Modified_Since": BEFORE}, 200),
        ({"If_Modified_Since": "Sun, 09 Sep 2001 01:46:40 -0000"}, 304),
        ({"If_Modified_Since": "Sunday, 09-Sep-01 01:46:40 GMT"}, 304),
        ({"If_Modified_Since": "Sun Sep  9 01:46:40 2001"}, 304),
        ({"If_Modified_Since": "Sun, 99 Sep 99999999999 01:46:40 GMT"}, 200),
        ({"Range": "bytes=0-1"}, 206),
        ({"Range": "bytes=0-1", "If_Range": '"sha256-a"'}, 206),
        ({"Range": "bytes=0-1", "If_Range": 'W/"sha256-a"'}, 200),
        ({"Range": "bytes=0-1", "If_Range": '"b"'}, 200),
        ({"Range": "bytes=0-1", "If_Range": THEN}, 206),
        ({"Range": "bytes=0-1", "If_Range": AFTER}, 200),
        ({"Range": "bytes=200-", "If_Range": '"b"'}, 200),
        ({"Range": "bytes=200-"}, 416),
        ({"Range": "bytes=200-", "If_Match": '"b"'}, 412),
        ({"Range": "bytes=0-0,2-2"}, 206),
        ({"If_Range": '"b"'}, 200),
    ],
)
def test_the_status_follows_from_the_first_field_that_decides(
    fields: dict[str, str], status: int
) -> None:
    planned = ask(**fields)
    assert planned.status == status
    assert planned.headers["ETag"] == FILE.etag
    assert planned.headers["Last-Modified"] == THEN
    assert planned.is_refusal == (planned.length == 0)


def test_head_knows_no_ranges() -> None:
    for fields in ({"Range": "bytes=200-"}, {"Range": "bytes=0-1,3-4", "If_Range": '"sha256-a"'}):
        planned = ask("HEAD", **fields)
        assert (planned.status, planned.length) == (HTTPStatus.OK, 200)
        assert planned.headers == ask().headers


def test_one_range_has_no_parts() -> None:
    planned = ask(Range="bytes=5-9")
    assert flat(planned.pieces) == DATA[5:10]
    assert planned.headers["Content-Range"] == "bytes 5-9/200"
    assert planned.headers["Content-Type"] == "audio/wav"


def test_what_cannot_be_had_is_told_with_the_size() -> None:
    planned = ask(Range="bytes=200-,300-")
    assert planned.headers["Content-Range"] == "bytes */200"
    assert "Content-Type" not in planned.headers


specs = st.builds("{}-{}".format, st.integers(0, 150), st.integers(0, 250) | st.just(""))


@given(st.lists(specs | st.builds("-{}".format, st.integers(0, 250)), min_size=1, max_size=12))
def test_every_plan_is_what_python_slices(asked: list[str]) -> None:
    planned = ask(Range="bytes=" + ",".join(asked))
    body = flat(planned.pieces)
    assert len(body) == planned.length
    if planned.status != HTTPStatus.PARTIAL_CONTENT:
        assert body == (DATA if planned.status == HTTPStatus.OK else b"")
        return
    parts = read_multipart(planned, body)
    for field, part in parts:
        first, last = field.removeprefix("bytes ").removesuffix("/200").split("-")
        assert part == DATA[int(first) : int(last) + 1]
    wanted = {at for spec in asked for at in numbers(spec)}
    sent = [at for field, _ in parts for at in numbers(field[6:].partition("/")[0])]
    assert sorted(sent) == sorted(wanted)
    assert len(parts) <= 10


def numbers(spec: str) -> range:
    """The bytes that a range of a file of 200 means."""
    first, _, last = spec.partition("-")
    if not first:
        return range(max(0, 200 - int(last)), 200)
    return range(200)[int(first) : int(last) + 1 if last else 200]


def read_multipart(planned: Plan, body: bytes) -> list[tuple[str, bytes]]:
    """The parts of an answer with their Content-Range, as a reader of MIME finds them."""
    if field := planned.headers.get("Content-Range"):
        return [(field, body)]
    head = f"Content-Type: {planned.headers['Content-Type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    assert not message.defects
    parts = message.get_payload()
    assert isinstance(parts, list)
    boundary = message.get_boundary()
    assert body.endswith(f"\r\n--{boundary}--\r\n".encode())
    raw = body.split(f"\r\n--{boundary}".encode())[1:-1]
    found = []
    for part, text in zip(parts, raw, strict=True):
        assert isinstance(part, email.message.Message)
        assert part.get_content_type() == "audio/wav"
        found.append((part["Content-Range"], text.partition(b"\r\n\r\n")[2]))
    return found


def test_nothing_is_sent_of_an_empty_file() -> None:
    empty = Representation(0, '"e"', 0)
    assert plan("GET", {}, empty).pieces == ()
    assert plan("GET", {"Range": "bytes=0-"}, empty).status == 416
    assert plan("GET", {"Range": "bytes=-1"}, empty).status == HTTPStatus.OK
