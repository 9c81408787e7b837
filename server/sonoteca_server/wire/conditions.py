"""What a request for bytes gets: all, parts or none (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import email.utils
import functools
import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus

from sonoteca_shared.ranges import UNSATISFIABLE, ByteRange, Pieces, content_range, parse_ranges

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Representation:
    """Bytes as HTTP sees them; `modified` is in whole seconds since the epoch."""

    size: int
    etag: str
    modified: int
    media_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer: its status, the header fields that depend on it, and what to send.

    There is nothing to send of what is empty, and where `is_refusal`.
    """

    status: HTTPStatus
    headers: dict[str, str]
    pieces: Pieces = ()

    @property
    def is_refusal(self) -> bool:
        """Whether the request gets none of the bytes that it asked for."""
        return self.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)

    @property
    def length(self) -> int:
        """How many bytes the pieces have."""
        return sum(map(len, self.pieces))


def plan(method: str, headers: Mapping[str, str], file: Representation) -> Plan:
    """What to answer to a GET or HEAD of these bytes."""
    common = {
        "ETag": file.etag,
        "Last-Modified": _written(file.modified),
        "Accept-Ranges": "bytes",
    }
    refusal = _precondition(headers, file)
    if refusal is not None:
        return Plan(refusal, common)
    typed = common | {"Content-Type": file.media_type}
    whole = Plan(HTTPStatus.OK, typed, (ByteRange(0, file.size),) if file.size else ())
    asked = headers.get("Range")
    if method != "GET" or asked is None or not _if_range_holds(headers, file, common):
        return whole
    parts = parse_ranges(asked, file.size)
    if parts is None:
        return whole
    if parts is UNSATISFIABLE:
        unsatisfied = {"Content-Range": content_range(None, file.size)}
        return Plan(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, common | unsatisfied)
    if len(parts) == 1:
        field = {"Content-Range": content_range(parts[0], file.size)}
        return Plan(HTTPStatus.PARTIAL_CONTENT, typed | field, parts)
    # Whoever wrote the file did not know its hash, so the boundary is nowhere in it.
    boundary = hashlib.sha256(f"{file.etag} {parts}".encode()).hexdigest()[:32]
    several = {"Content-Type": f"multipart/byteranges; boundary={boundary}"}
    pieces = _multipart(file, parts, boundary)
    return Plan(HTTPStatus.PARTIAL_CONTENT, common | several, pieces)


def _multipart(file: Representation, parts: Sequence[ByteRange], boundary: str) -> Pieces:
    """The parts with what stands between them (RFC 9110 section 14.6)."""
    pieces: list[bytes | ByteRange] = []
    for part in parts:
        head = (
            f"\r\n--{boundary}\r\nContent-Type: {file.media_type}\r\n"
            f"Content-Range: {content_range(part, file.size)}\r\n\r\n"
        )
        pieces += head.encode("ascii"), part
    return (*pieces, f"\r\n--{boundary}--\r\n".encode("ascii"))


def _precondition(headers: Mapping[str, str], file: Representation) -> HTTPStatus | None:
    """The status that ends the request, in the order of RFC 9110 section 13.2.2."""
    if (match := headers.get("If-Match")) is not None:
        if match.strip() != "*" and file.etag not in _TAG.findall(match):
            return HTTPStatus.PRECONDITION_FAILED
    elif file.modified > _date(headers.get("If-Unmodified-Since"), otherwise=math.inf):
        return HTTPStatus.PRECONDITION_FAILED
    if (none := headers.get("If-None-Match")) is not None:
        weakly = [tag.removeprefix("W/") for tag in _TAG.findall(none)]
        return HTTPStatus.NOT_MODIFIED if none.strip() == "*" or file.etag in weakly else None
    since = _date(headers.get("If-Modified-Since"), otherwise=-math.inf)
    return HTTPStatus.NOT_MODIFIED if file.modified <= since else None


def _if_range_holds(
    headers: Mapping[str, str], file: Representation, common: Mapping[str, str]
) -> bool:
    """A strong tag or exactly our date; a weak tag never matches (section 13.1.5)."""
    given = headers.get("If-Range")
    return given is None or given.strip() in (file.etag, common["Last-Modified"])


@functools.lru_cache(maxsize=1_000)
def _written(moment: int) -> str:
    """Seconds since the epoch as a date; of one file it is asked for again and again."""
    return email.utils.formatdate(moment, usegmt=True)


def _date(text: str | None, *, otherwise: float) -> float:
    """A date in seconds since the epoch; a field that is absent or no date counts as none."""
    if text is None:
        return otherwise
    try:
        moment = email.utils.parsedate_to_datetime(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return aware.timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return otherwise
