from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_desktop.client import ServerRefusedError, ServerReplacedError, ServerUnreachableError
from sonoteca_desktop.transfers.plan import (
    LONGEST_OBEDIENCE,
    TABLE,
    BadReplyError,
    CorruptError,
    DiskFullError,
    Event,
    Kind,
    PathBlockedError,
    SourceChangedError,
    State,
    WayOn,
    after,
    back_off,
    judge,
    read_reply,
    way_on,
)
from sonoteca_desktop.transfers.target import local_trouble
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.ranges import ByteRange

ETAG = '"sha256-ab"'
RUNNING = {State.HASHING, State.RUNNING, State.VERIFYING}


USER = {Event.PAUSE, Event.RESUME, Event.RETRY}
CAME_FROM = {
    # A worker takes what is queued, and only then reads, sends, fetches or compares.
    State.HASHING: {State.RUNNING},
    State.PREPARING: {State.QUEUED, State.RUNNING},
    State.RUNNING: {State.QUEUED, State.PREPARING, State.HASHING, State.VERIFYING},
    State.VERIFYING: {State.HASHING, State.RUNNING},
    State.DONE: {State.VERIFYING},  # nothing is done that was not compared
    State.WAITING: {*RUNNING, State.PREPARING},
    # The look before it runs may show that it cannot.
    State.BLOCKED: {*RUNNING, State.QUEUED, State.PREPARING, State.WAITING},
    State.FAILED: {*RUNNING, State.QUEUED, State.PREPARING, State.WAITING, State.BLOCKED},
    State.PAUSED: set(State) - {State.PAUSED, State.VERIFYING, State.DONE, State.FAILED},
    State.QUEUED: set(State) - {State.DONE},
}
"""Where a transfer may have been before."""


@given(st.sampled_from(State), st.lists(st.sampled_from(Event), max_size=40))
def test_no_sequence_of_events_leaves_the_table(state: State, events: list[Event]) -> None:
    for event in events:
        before, state = state, after(state, event) or state
        assert state in TABLE
        if state is before:
            continue
        assert before in CAME_FROM[state]
        match before:
            case State.PAUSED:
                assert event is Event.RESUME  # a restart does not, and nothing else does
            case State.FAILED:
                assert event is Event.RETRY
            case State.WAITING | State.BLOCKED:
                assert event in USER | {Event.DUE, Event.RESTART, Event.BLOCK, Event.FAIL}
        if state is State.PAUSED:
            assert event is Event.PAUSE


@pytest.mark.parametrize("state", set(State) - {State.DONE})
def test_there_is_a_way_out_of_every_state(state: State) -> None:
    """By itself, or by something that the user can do."""
    ways = {event for event, to in TABLE[state].items() if to is not state}
    if state in RUNNING:
        assert ways >= {Event.WAIT, Event.BLOCK, Event.FAIL}
    elif state in {State.WAITING, State.BLOCKED}:
        assert ways >= {Event.DUE, Event.RETRY, Event.PAUSE}
    else:
        assert ways & (USER | {Event.START})
    assert TABLE[state].get(Event.RESTART) is not None


@pytest.mark.parametrize("state", State)
def test_a_restart_leaves_nothing_running(state: State) -> None:
    after_restart = after(state, Event.RESTART)
    assert after_restart is not None
    assert after_restart not in RUNNING | {State.PREPARING, State.WAITING}


@pytest.mark.parametrize("state", set(State) - {State.DONE})
def test_everything_unfinished_can_still_become_done(state: State) -> None:
    reached = {state}
    while more := {to for each in reached for to in TABLE[each].values()} - reached:
        reached |= more
    assert State.DONE in reached


def test_waits_longer_with_every_try_but_never_over_a_minute() -> None:
    chance = random.Random(1)
    for tries, most in ((0, 1.0), (1, 2.0), (5, 32.0), (6, 60.0), (10_000, 60.0)):
        waits = [back_off(tries, chance) for _ in range(200)]
        assert max(waits) <= most
        assert min(waits) < most / 4  # spread over all of it
        assert max(waits) > most * 3 / 4


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (206, {"Content-Range": "bytes 4-9/10", "ETag": ETAG}, ByteRange(4, 10)),
        (206, {"Content-Range": "bytes 4-9/10"}, ByteRange(4, 10)),
        (206, {"Content-Range": "bytes 4-5/10"}, ByteRange(4, 6)),
        (200, {"Content-Length": "10", "ETag": ETAG}, ByteRange(0, 10)),
        (200, {"Content-Length": "10", "ETag": '"other"'}, ByteRange(0, 10)),  # the digest decides
        (200, {}, ByteRange(0, 10)),
        (200, {"Content-Encoding": "identity"}, ByteRange(0, 10)),
        (206, {"Content-Range": "bytes 3-9/10"}, None),
        (206, {"Content-Range": "bytes 5-9/10"}, None),
        (206, {"Content-Range": "bytes 4-9/11"}, None),
        (206, {"Content-Range": "bytes 4-9/*"}, None),
        (206, {"Content-Range": "bytes 4-9/10", "ETag": '"other"'}, None),
        (206, {"Content-Range": "bytes 4-9/10", "ETag": f"W/{ETAG}"}, None),
        (206, {}, None),
        (206, {"Content-Type": "multipart/byteranges; boundary=x"}, None),
        (200, {"Content-Length": "11"}, None),
        (200, {"Content-Encoding": "gzip"}, None),
        (204, {}, None),
    ],
)
def test_takes_only_replies_that_are_about_our_file(
    status: int, headers: dict[str, str], expected: ByteRange | None
) -> None:
    def read() -> ByteRange:
        return read_reply(status, headers, start=4, end=10, size=10, etag=ETAG)

    if expected is None:
        with pytest.raises(BadReplyError):
            read()
    else:
        assert read() == expected


def refusal(status: int, retry_after: float | None = None) -> ServerRefusedError:
    return ServerRefusedError(status, "code", "No", "because", retry_after)


@pytest.mark.parametrize(
    ("error", "kind", "event", "note"),
    [
        (ServerUnreachableError("x"), Kind.DOWNLOAD, Event.WAIT, "The server cannot be reached"),
        (
            ServerReplacedError("http://x", "a page answers"),
            Kind.UPLOAD,
            Event.WAIT,
            "The server at http://x cannot be reached: a page answers",
        ),
        (refusal(423), Kind.UPLOAD, Event.WAIT, "The server has trouble (No: because)"),
        (refusal(413), Kind.UPLOAD, Event.FAIL, "No: because"),
        (refusal(408), Kind.DOWNLOAD, Event.WAIT, "The server has trouble (No: because)"),
        (refusal(500), Kind.UPLOAD, Event.WAIT, "The server has trouble (No: because)"),
        (refusal(503, 9.0), Kind.DOWNLOAD, Event.WAIT, "The server is busy"),
        (refusal(429, 9.0), Kind.UPLOAD, Event.WAIT, "The server is busy"),
        (refusal(501), Kind.UPLOAD, Event.FAIL, "No: because"),
        (refusal(505), Kind.UPLOAD, Event.FAIL, "No: because"),
        (refusal(507), Kind.UPLOAD, Event.BLOCK, "No: because"),
        (refusal(401), Kind.DOWNLOAD, Event.BLOCK, "No: because"),
        (refusal(403), Kind.DOWNLOAD, Event.FAIL, "No: because"),
        (refusal(404), Kind.DOWNLOAD, Event.FAIL, "No: because"),
        (refusal(410), Kind.DOWNLOAD, Event.FAIL, "No: because"),
        (refusal(422), Kind.UPLOAD, Event.FAIL, "No: because"),
        (refusal(416), Kind.UPLOAD, Event.FAIL, "No: because"),
        (DiskFullError("full"), Kind.DOWNLOAD, Event.BLOCK, "full"),
        (PathBlockedError("gone"), Kind.UPLOAD, Event.BLOCK, "gone"),
        (SourceChangedError("changed"), Kind.UPLOAD, Event.WAIT, "changed"),
        (SonotecaError("whatever"), Kind.UPLOAD, Event.FAIL, "whatever"),
    ],
)
def test_every_trouble_leads_somewhere(
    error: SonotecaError, kind: Kind, event: Event, note: str
) -> None:
    verdict = judge(error, kind=kind)
    assert (verdict.event, verdict.note) == (event, note)


@pytest.mark.parametrize("status", [404, 410])
def test_what_came_is_never_given_up_because_a_server_has_it_no_more(status: int) -> None:
    assert judge(refusal(status), kind=Kind.DOWNLOAD).keep


def test_a_wrong_digest_is_forgiven_once() -> None:
    error = CorruptError(expected="ab" * 32, given="cd" * 32)
    first = judge(error, kind=Kind.DOWNLOAD)
    second = judge(error, kind=Kind.DOWNLOAD, corrupt=1)
    assert (first.event, first.keep) == (Event.ANEW, False)
    assert (second.event, second.keep) == (Event.FAIL, False)
    assert "cdcdcdcdcdcd…" in second.note


def test_bytes_that_arrive_as_others_are_sent_once_more() -> None:
    error = ServerRefusedError(422, "digest-mismatch", "Not the bytes that were announced")
    first = judge(error, kind=Kind.UPLOAD)
    second = judge(error, kind=Kind.UPLOAD, corrupt=1)
    assert (first.event, first.keep) == (Event.ANEW, False)
    assert second.event is Event.FAIL


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "not-found", WayOn.ANEW),
        (410, "unexplained", WayOn.ANEW),
        (410, "upload-gone", WayOn.ANEW),
        (410, "digest-mismatch", WayOn.ANEW),
        (410, "not-a-wav", None),
        (410, "name-taken", None),
        (409, "offset-mismatch", WayOn.LOOK),
        (409, "name-taken", None),
        (403, "upload-final", WayOn.LOOK),
        (403, "forbidden", None),
        (423, "locked", None),
        (413, "too-large", None),
        (507, "no-space", None),
        (409, "unexplained", WayOn.LOOK),
        (413, "unexplained", WayOn.SMALLER),
        (403, "unexplained", None),
    ],
)
def test_an_upload_goes_on_at_once_where_it_can(
    status: int, code: str, expected: WayOn | None
) -> None:
    assert way_on(ServerRefusedError(status, code, "No")) is expected


@pytest.mark.parametrize("error", [BadReplyError("odd"), refusal(416)])
def test_senseless_replies_are_forgiven_twice(error: SonotecaError) -> None:
    verdicts = [judge(error, kind=Kind.DOWNLOAD, bad_replies=count) for count in range(3)]
    assert [each.event for each in verdicts] == [Event.WAIT, Event.WAIT, Event.FAIL]
    assert not any(each.keep for each in verdicts)
    assert all(each.bad_reply for each in verdicts)


def test_a_server_may_send_us_away_for_an_hour_at_most() -> None:
    verdict = judge(refusal(503, 10**9), kind=Kind.DOWNLOAD)
    assert verdict.at_least == LONGEST_OBEDIENCE
    assert verdict.whole_server


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EDQUOT, DiskFullError),
        (errno.EACCES, PathBlockedError),
        (errno.EIO, PathBlockedError),
    ],
)
def test_trouble_with_our_own_disk_names_the_path(
    number: int, expected: type[SonotecaError]
) -> None:
    with pytest.raises(expected, match=r"/there/a\.wav"), local_trouble(Path("/there/a.wav")):
        raise OSError(number, "trouble")
