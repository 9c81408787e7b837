"""The rules of a transfer, without any IO: its states, what leads where, when to try again.

Everything that can happen to a transfer is an event, and `TABLE` says where it leads. An event
that stands in no row of its state means nothing there and changes nothing: a pause that comes
after the last byte, say.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from sonoteca_desktop.client import (
    UNEXPLAINED,
    ServerRefusedError,
    ServerReplacedError,
    ServerUnreachableError,
)
from sonoteca_desktop.transfers.libraries import GONE, AnotherLibraryError
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.ranges import ByteRange, parse_content_range

LONGEST_WAIT: Final = 60.0
LONGEST_OBEDIENCE: Final = 3600.0
"""For how long a server may send us away with Retry-After."""
PROGRESS: Final = 1 << 20
"""So many new bytes show that the line works: the next trouble counts as the first."""
LOOK_AGAIN: Final = 30.0
"""How often a transfer that a full disk or a missing folder blocks looks whether that is over."""
SERVER_FULL_WAIT: Final = 300.0
BAD_REPLIES: Final = 3
"""So often a server may break the protocol before we give the file up."""


class Kind(StrEnum):
    """Which way the bytes go."""

    DOWNLOAD = "download"
    UPLOAD = "upload"


class State(StrEnum):
    """How a transfer stands."""

    QUEUED = "queued"
    HASHING = "hashing"
    """An upload's file is read: the server may have its bytes already."""
    PREPARING = "preparing"
    """The server makes what is to be fetched, and is asked now and then whether it is ready."""
    RUNNING = "running"
    VERIFYING = "verifying"
    """All bytes are over: they are compared with the catalogue, or the server looks at them."""
    WAITING = "waiting"
    """The network or the server is in trouble; goes on by itself, for ever."""
    PAUSED = "paused"
    BLOCKED = "blocked"
    """Something on this computer (or a full server) is in the way; goes on when it is gone."""
    DONE = "done"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen to a transfer. The user pauses, resumes and retries; the rest happens."""

    START = "start"
    HASH = "hash"
    PREPARE = "prepare"
    CHECK = "check"
    FINISH = "finish"
    WAIT = "wait"
    BLOCK = "block"
    FAIL = "fail"
    ANEW = "anew"
    YIELD = "yield"
    DUE = "due"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    RESTART = "restart"


TABLE: Final[Mapping[State, Mapping[Event, State]]] = MappingProxyType(
    {
        State.QUEUED: {
            Event.START: State.RUNNING,
            Event.PREPARE: State.PREPARING,
            Event.BLOCK: State.BLOCKED,
            Event.FAIL: State.FAILED,
            Event.PAUSE: State.PAUSED,
            Event.RESTART: State.QUEUED,
        },
        State.PREPARING: {
            Event.PREPARE: State.PREPARING,
            Event.START: State.RUNNING,
            Event.WAIT: State.WAITING,
            Event.BLOCK: State.BLOCKED,
            Event.FAIL: State.FAILED,
            Event.PAUSE: State.PAUSED,
            Event.RESTART: State.QUEUED,
        },
        State.HASHING: {
            Event.START: State.RUNNING,
            Event.CHECK: State.VERIFYING,
            Event.WAIT: State.WAITING,
            Event.BLOCK: State.BLOCKED,
            Event.FAIL: State.FAILED,
            Event.ANEW: State.QUEUED,
            Event.YIELD: State.QUEUED,
            Event.PAUSE: State.PAUSED,
            Event.RESTART: State.QUEUED,
        },
        State.RUNNING: {
            Event.HASH: State.HASHING,
            Event.PREPARE: State.PREPARING,  # it was ready before, and is to be made again
            Event.START: State.RUNNING,
            Event.CHECK: State.VERIFYING,
            Event.WAIT: State.WAITING,
            Event.BLOCK: State.BLOCKED,
            Event.FAIL: State.FAILED,
            Event.ANEW: State.QUEUED,
            # Another one was moved before it, or is blocked by what it met itself.
            Event.YIELD: State.QUEUED,
            Event.PAUSE: State.PAUSED,
            Event.RESTART: State.QUEUED,
        },
        State.VERIFYING: {
            # The server refused the last bytes, and an upload goes on at once.
            Event.START: State.RUNNING,
            Event.CHECK: State.VERIFYING,
            Event.FINISH: State.DONE,
            Event.WAIT: State.WAITING,
            Event.BLOCK: State.BLOCKED,
            Event.FAIL: State.FAILED,
            Event.ANEW: State.QUEUED,
            Event.RESTART: State.QUEUED,
        },
        # Before it runs again there is a look whether it can: the disk may be full by now.
        State.WAITING: {
            Event.BLOCK: State.BLOCKED,
            Event.FAIL: State.FAILED,
            Event.DUE: State.QUEUED,
            Event.RETRY: State.QUEUED,
            Event.PAUSE: State.PAUSED,
            Event.RESTART: State.QUEUED,
        },
        State.BLOCKED: {
            Event.BLOCK: State.BLOCKED,
            Event.FAIL: State.FAILED,
            Event.DUE: State.QUEUED,
            Event.RETRY: State.QUEUED,
            Event.PAUSE: State.PAUSED,
            Event.RESTART: State.QUEUED,
        },
        # Only the user leads in and out of a pause: a restart keeps it.
        State.PAUSED: {Event.RESUME: State.QUEUED, Event.RESTART: State.PAUSED},
        State.FAILED: {Event.RETRY: State.QUEUED, Event.RESTART: State.FAILED},
        State.DONE: {Event.RESTART: State.DONE},
    }
)


class DiskFullError(SonotecaError):
    """There is no room for the bytes on this computer."""

    code = "disk-full"


class PathBlockedError(SonotecaError):
    """A file or folder of this computer cannot be used: gone, unplugged, not allowed."""

    code = "path-blocked"


class SourceChangedError(SonotecaError):
    """The file was written to while it was being sent."""

    code = "source-changed"


class SourceGoneError(SonotecaError):
    """The file is not in its folder any more."""

    code = "source-gone"


class CorruptError(SonotecaError):
    """All bytes came, and they are not those that the catalogue names."""

    code = "corrupt"

    def __init__(self, *, expected: str, given: str) -> None:
        super().__init__(
            "What arrived is not the file in the catalogue: something between here and the "
            f"server changes files (SHA-256 {given[:12]}… instead of {expected[:12]}…)"
        )
        self.expected = expected
        self.given = given


class DamagedError(SonotecaError):
    """All bytes came, and what they are says itself that some of them are wrong."""

    code = "damaged"


class BodyChangedError(SonotecaError):
    """The server made a body anew, with other bytes: those that came are of no use."""

    code = "body-changed"


class PreparingError(SonotecaError):
    """The server has not made it yet; it may be asked again after `wait` seconds."""

    code = "preparing"

    def __init__(self, sentence: str, *, wait: float) -> None:
        super().__init__(sentence)
        self.wait = wait


class BadReplyError(SonotecaError):
    """The reply breaks the rules of HTTP, or is about another file than was asked for."""

    code = "bad-reply"


class WayOn(StrEnum):
    """What to do at once about an upload that the server refuses to continue."""

    LOOK = "look"
    """It stands elsewhere than we thought: ask, and go on from there."""
    ANEW = "anew"
    """It is there no more: begin another one."""
    SMALLER = "smaller"
    """It was too much for something on the way: send less at once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a failed attempt leads: the event, a sentence for the user, how to go on."""

    event: Event
    note: str
    delay: float | None = None
    """Seconds until the next attempt; None for a back-off that grows with every attempt."""
    at_least: float = 0.0
    """The server asked to be left alone for so long."""
    keep: bool = True
    """Whether what has come so far is of use for the next attempt."""
    bad_reply: bool = False
    """Whether this counts against the server's `BAD_REPLIES`."""
    whole_server: bool = False
    """Whether the other transfers had better wait, too."""


def after(state: State, event: Event) -> State | None:
    """The state that an event leads to, or None when it means nothing in this state."""
    return TABLE[state].get(event)


def back_off(tries: int, chance: random.Random) -> float:
    """Seconds to wait after so many failed tries: full jitter, so that clients spread out."""
    return chance.uniform(0.0, min(LONGEST_WAIT, 2.0 ** min(tries, 10)))


def read_reply(
    status: int, headers: Mapping[str, str], *, start: int, end: int, size: int, etag: str
) -> ByteRange:
    """Which bytes of our file a reply carries, when [start, end) was asked for.

    `etag` is "" where nobody told which one the file has.
    That is a part from `start` on, or the whole (a server without ranges, or whose file is another
    one: the digest will tell). Anything else is a BadReplyError.
    """
    coding = headers.get("Content-Encoding", "identity").lower()
    if coding != "identity":
        raise BadReplyError(f"the server sent the file coded as {coding}, which was not asked for")
    if status == HTTPStatus.PARTIAL_CONTENT:
        return _read_part(headers, start=start, end=end, size=size, etag=etag)
    if status != HTTPStatus.OK:
        raise BadReplyError(f"the server answered {status} where a file was asked for")
    length = headers.get("Content-Length", str(size))
    if length != str(size):
        raise BadReplyError(f"the server's file has {length} bytes, the catalogue's has {size}")
    return ByteRange(0, size)


def _read_part(
    headers: Mapping[str, str], *, start: int, end: int, size: int, etag: str
) -> ByteRange:
    header = headers.get("Content-Range")
    given = parse_content_range(header)
    part = None if given is None or given.size != size else given.part
    if part is None or part.start != start or part.end > end:
        raise BadReplyError(f"asked for bytes {start}-{end - 1}/{size}, the server sent {header}")
    # If-Range forbids this: it would join the bytes of two files.
    if etag and headers.get("ETag", etag) != etag:
        raise BadReplyError("the server sent a part of another file")
    return part


def judge(error: SonotecaError, *, kind: Kind, corrupt: int = 0, bad_replies: int = 0) -> Verdict:
    """What a failed attempt means; `corrupt` and `bad_replies` count those before this one."""
    if isinstance(error, PreparingError):
        return Verdict(Event.PREPARE, str(error), delay=min(error.wait, LONGEST_OBEDIENCE))
    if isinstance(error, (CorruptError, DamagedError)) or _is_mismatch(error):
        event = Event.FAIL if corrupt else Event.ANEW
        return Verdict(event, str(error), keep=False)
    if isinstance(error, BadReplyError) or _is_unsatisfiable(error, kind):
        last = bad_replies + 1 >= BAD_REPLIES
        note = f"The server's replies make no sense: {error}"
        return Verdict(Event.FAIL if last else Event.WAIT, note, keep=False, bad_reply=True)
    if isinstance(error, ServerRefusedError):
        return _judge_refusal(error, kind)
    if isinstance(error, (DiskFullError, PathBlockedError, AnotherLibraryError)):
        event = Event.WAIT if isinstance(error, AnotherLibraryError) else Event.BLOCK
        return Verdict(event, str(error), delay=LOOK_AGAIN)
    if isinstance(error, (SourceChangedError, BodyChangedError)):
        return Verdict(Event.WAIT, str(error), keep=False)
    if isinstance(error, ServerUnreachableError):
        is_replaced = isinstance(error, ServerReplacedError)
        note = str(error) if is_replaced else "The server cannot be reached"
        return Verdict(Event.WAIT, note, whole_server=True)
    return Verdict(Event.FAIL, str(error))


def goes_on_without(error: Exception) -> bool:
    """Whether one of several connections may fail so, and the others go on for it.

    A server may also refuse one more connection than it likes, with 503 or 429.
    """
    if not isinstance(error, SonotecaError):
        return False
    verdict = judge(error, kind=Kind.DOWNLOAD)
    return verdict.event is Event.WAIT and verdict.keep


def way_on(refusal: ServerRefusedError) -> WayOn | None:
    """How an upload goes on at once after a refusal; None when it cannot, and `judge` decides."""
    if refusal.status in GONE:
        # The server may have looked at the whole of it, and its answer been lost.
        return None if refusal.code in _FINAL else WayOn.ANEW
    if refusal.code == UNEXPLAINED:
        # Not from our server: from another one, or from what stands before it.
        return _UNEXPLAINED_WAYS.get(refusal.status)
    return WayOn.LOOK if refusal.code in _ELSEWHERE else None


_UNEXPLAINED_WAYS: Final[Mapping[int, WayOn]] = MappingProxyType(
    {
        HTTPStatus.CONFLICT: WayOn.LOOK,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: WayOn.SMALLER,
    }
)
_FINAL = frozenset({"not-a-wav", "name-taken"})
_ELSEWHERE = frozenset({"offset-mismatch", "upload-final"})
_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.LOCKED, HTTPStatus.TOO_MANY_REQUESTS})
_NEVER = frozenset({HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED})


def _is_unsatisfiable(error: SonotecaError, kind: Kind) -> bool:
    """Its file is shorter than what we have of it: nothing of ours can be right."""
    return (
        kind is Kind.DOWNLOAD
        and isinstance(error, ServerRefusedError)
        and error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    )


def _is_mismatch(error: SonotecaError) -> bool:
    """Whether the server got other bytes than we sent."""
    return isinstance(error, ServerRefusedError) and error.code == "digest-mismatch"


def _judge_refusal(refusal: ServerRefusedError, kind: Kind) -> Verdict:
    status = refusal.status
    if status == HTTPStatus.INSUFFICIENT_STORAGE:
        return Verdict(Event.BLOCK, str(refusal), delay=SERVER_FULL_WAIT)
    if status == HTTPStatus.UNAUTHORIZED:
        return Verdict(Event.BLOCK, str(refusal), delay=LONGEST_OBEDIENCE, whole_server=True)
    hopeless = status in _NEVER or refusal.code == "no-converter"
    if status in _AGAIN or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and not hopeless):
        asked = min(refusal.retry_after or 0.0, LONGEST_OBEDIENCE)
        note = "The server is busy" if asked else f"The server has trouble ({refusal})"
        return Verdict(Event.WAIT, note, at_least=asked, whole_server=bool(asked))
    # A part is not given up for that: somebody may bring back what it is a part of.
    keep = kind is Kind.DOWNLOAD if status in GONE else status != HTTPStatus.PRECONDITION_FAILED
    return Verdict(Event.FAIL, str(refusal), keep=keep)
