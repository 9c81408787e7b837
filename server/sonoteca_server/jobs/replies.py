"""What an answer means for a file that is being fetched: pure rules, without a connection.

Bytes are put after bytes only when the server proves that both are of one entity: a strong ETag
that is the same, a part that begins where ours ends, and the same size of the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote

from sonoteca_server.jobs.addresses import Target
from sonoteca_server.jobs.outward import BadAnswerError, ExchangeError
from sonoteca_shared.disposition import parse_filename
from sonoteca_shared.names import clean_name
from sonoteca_shared.ranges import parse_content_range

_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_MOST_WAIT_S = 3_600.0
# RFC 9110 §8.8.3, but for obs-text, which we could not send back as it came; nor very long ones.
_STRONG = re.compile(r'"[\x21\x23-\x7e]{0,1000}"')
_PAGE_TYPES = ("text/html", "application/xhtml+xml")
# The endings of what is a page, or made by a program that may answer anything.
_PAGE_ENDINGS = ("htm", "html", "xhtml", "shtml", "php", "asp", "aspx", "jsp", "cgi", "pl", "do")
_ENDING = re.compile(r"[a-z0-9]{1,8}")
_PAGE_BEGINS = (b"<!doctype html", b"<html")
_SNIFFED = 512


class StatusError(ExchangeError):
    """The server answered with another status than one that brings the file."""

    code = "http-status"

    def __init__(self, url: str, status: int, retry_after_s: float) -> None:
        try:
            words = f" {HTTPStatus(status).phrase}"
        except ValueError:
            words = ""
        super().__init__(f"{url} answered {status}{words}")
        self.status = status
        self.retry_after_s = retry_after_s
        self.lasting = status not in _PASSING


class EntityChangedError(ExchangeError):
    """What was fetched so far cannot be gone on with; the file is fetched from its beginning."""

    code = "entity-changed"


class EncodedError(ExchangeError):
    """The answer is compressed, which was not asked for, and may be a bomb."""

    code = "encoded-answer"
    lasting = True


class PageInsteadError(ExchangeError):
    """A page came in the place of the file: to log in, mostly."""

    code = "page-instead-of-file"
    lasting = True


class Head(Protocol):
    """The head of an answer."""

    @property
    def target(self) -> Target:
        """Who answered."""
        ...

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def length(self) -> int | None:
        """The length that was announced."""
        ...

    def field(self, name: str, /) -> str:
        """The value of a field, "" when it has none that can be read."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a file has come: `offset` bytes of it are there, and what they are a part of.

    `etag` is "" and `total` None where the server did not say.
    """

    offset: int = 0
    etag: str = ""
    total: int | None = None
    name: str = ""

    @property
    def fields(self) -> Mapping[str, str]:
        """What to ask with, so that the answer goes on from here or begins anew."""
        if not self.offset or not self.etag:
            return {}
        return {"Range": f"bytes={self.offset}-", "If-Range": self.etag}


def is_redirect(head: Head) -> bool:
    """Whether the file is elsewhere."""
    return head.status in _REDIRECTS and bool(head.field("location"))


def judge(head: Head, standing: Standing, promised: str) -> tuple[Standing, int | None]:
    """Where the bytes of this answer belong, and the byte before which they end, if it is told.

    The standing given back has offset 0 when what is there is to be dropped. `promised` is the name
    in the URL that was asked for. ExchangeError when the answer does not bring the file.
    """
    if head.field("content-encoding").strip().lower() not in ("", "identity"):
        raise EncodedError(f"{head.target.url} sent a compressed answer, which was not asked for")
    if head.status == HTTPStatus.OK:
        _refuse_page(head, promised)
        return _from_the_start(head, promised), head.length
    if head.status == HTTPStatus.PARTIAL_CONTENT:
        return _going_on(head, standing)
    if head.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and standing.fields:
        told = parse_content_range(head.field("content-range"))
        if told is not None and told.size == standing.offset == standing.total:
            return standing, standing.offset
        raise _changed(head)
    raise StatusError(head.target.url, head.status, retry_after_s(head))


def refuse_page_bytes(begin: bytes, head: Head, promised: str) -> None:
    """PageInsteadError when the first bytes of a file are those of a page, whatever its type."""
    first = begin[:_SNIFFED].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if _is_no_page(promised) and first.startswith(_PAGE_BEGINS):
        raise _page(head, promised)


def retry_after_s(head: Head) -> float:
    """How long the server wants us to wait, in seconds; an hour at most, 0 when it does not say."""
    value = head.field("retry-after").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value[:9]), _MOST_WAIT_S)
    moment, now = _date(value), _date(head.field("date")) or datetime.now(UTC)
    return 0.0 if moment is None else min(max(0.0, (moment - now).total_seconds()), _MOST_WAIT_S)


def name_in(target: Target) -> str:
    """The name of a file as its URL has it, "" when it has none."""
    return clean_name(unquote(target.path.partition("?")[0].rpartition("/")[2]))


def _from_the_start(head: Head, promised: str) -> Standing:
    etag = head.field("etag")
    told = parse_filename(head.field("content-disposition")) or ""
    name = clean_name(told) or promised or name_in(head.target)
    return Standing(0, etag if _STRONG.fullmatch(etag) else "", head.length, name)


def _going_on(head: Head, standing: Standing) -> tuple[Standing, int]:
    told = parse_content_range(head.field("content-range"))
    if not standing.fields:
        raise BadAnswerError(f"{head.target.url} sent a part of a file that was asked for whole")
    if told is None or told.part is None or told.size is None:
        raise _changed(head)
    same = standing.total in (None, told.size) and head.field("etag") == standing.etag
    if not same or told.part.start != standing.offset:
        raise _changed(head)
    return Standing(standing.offset, standing.etag, told.size, standing.name), told.part.end


def _refuse_page(head: Head, promised: str) -> None:
    kind = head.field("content-type").partition(";")[0].strip().lower()
    if kind in _PAGE_TYPES and _is_no_page(promised):
        raise _page(head, promised)


def _is_no_page(promised: str) -> bool:
    """Whether a URL with this name in it promises something else than a page."""
    stem, _, ending = promised.lower().rpartition(".")
    return bool(stem) and bool(_ENDING.fullmatch(ending)) and ending not in _PAGE_ENDINGS


def _page(head: Head, promised: str) -> PageInsteadError:
    return PageInsteadError(
        f"{head.target.url} sent a web page in the place of “{promised}”: it may want a log-in"
    )


def _changed(head: Head) -> EntityChangedError:
    return EntityChangedError(f"{head.target.url} did not go on with the same file")


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
