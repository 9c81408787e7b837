"""What a request for stored bytes gets: all, a part or none (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from sonoteca_shared.ranges import UNSATISFIABLE, ByteRange, content_range, parse_range

_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Representation:
    """Stored bytes as HTTP sees them; `modified` is in whole seconds since the epoch."""

    size: int
    etag: str
    modified: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer: its status, the header fields that depend on it, and the bytes to send.

    There are none to send of what is empty, and where `is_refusal`.
    """

    status: HTTPStatus
    headers: dict[str, str]
    body: ByteRange | None

    @property
    def is_refusal(self) -> bool:
        """Whether the request gets none of the bytes that it asked for."""
        return self.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)


def plan(method: str, headers: Mapping[str, str], file: Representation) -> Plan:
    """What to answer to a GET or HEAD of these bytes."""
    common = {
        "ETag": file.etag,
        "Last-Modified": email.utils.formatdate(file.modified, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    refusal = _precondition(headers, file)
    if refusal is not None:
        return Plan(refusal, common, None)
    whole = Plan(HTTPStatus.OK, common, ByteRange(0, file.size) if file.size else None)
    asked = headers.get("Range")
    if method != "GET" or asked is None or not _if_range_holds(headers, file, common):
        return whole
    part = parse_range(asked, file.size)
    if part is None:
        return whole
    if part is UNSATISFIABLE:
        unsatisfied = {"Content-Range": f"bytes */{file.size}"}
        return Plan(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, common | unsatisfied, None)
    field = {"Content-Range": content_range(part, file.size)}
    return Plan(HTTPStatus.PARTIAL_CONTENT, common | field, part)


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


def _date(text: str | None, *, otherwise: float) -> float:
    """A date in seconds since the epoch; a field that is absent or no date counts as none."""
    try:
        return email.utils.parsedate_to_datetime(text or "").timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return otherwise
