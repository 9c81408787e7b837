"""Which heads of requests are taken: RFC 9112 read strictly, before any handler is asked."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine

MAX_HEAD = 32 << 10
_MOST_LINES = 200
_VERSIONS = ("HTTP/1.0", "HTTP/1.1")
_LENGTH = re.compile("[0-9]{1,18}")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")

# The end of a head, or so much without one that none will be taken any more. Only the latter is
# longer than MAX_HEAD; it begins where the buffer does, so that a body behind a head is not it.
END_OF_HEAD = rb"\r?\n\r?\n|\A(?:(?!\r?\n\r?\n)[\x00-\xff]){%d}" % (MAX_HEAD + 1)


class HeadTooLargeError(Exception):
    """The head has too many bytes or too many lines; it is answered 431."""


def check_lines(head: bytes) -> None:
    """Refuse what different readers split into different lines (section 2.2), or what has no end.

    HTTPInputError for the former, HeadTooLargeError for the latter.
    """
    if len(head) > MAX_HEAD or head.count(b"\n") > _MOST_LINES:
        raise HeadTooLargeError
    if _BARE.search(head):
        raise HTTPInputError("a line ends in CR or LF alone")


def check_framing(start: RequestStartLine, headers: HTTPHeaders) -> None:
    """HTTPInputError unless there is exactly one way to see where the body ends (section 6.3)."""
    if start.version not in _VERSIONS:
        raise HTTPInputError(f"{start.version} is not spoken here")
    lengths, codings = headers.get_list("Content-Length"), headers.get_list("Transfer-Encoding")
    if len(lengths) + len(codings) > 1:
        raise HTTPInputError("the length of the body is told more than once")
    if lengths and not _LENGTH.fullmatch(lengths[0]):
        raise HTTPInputError("Content-Length is not a number")
    if codings and (codings[0].lower() != "chunked" or start.version != "HTTP/1.1"):
        raise HTTPInputError("Transfer-Encoding is something else than chunked")


def in_origin_form(start: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
    """A request in absolute-form as the one that it stands for; its host counts (section 3.2.2)."""
    if not start.path.lower().startswith(("http://", "https://")):
        return start
    try:
        address = urlsplit(start.path)
    except ValueError as error:
        raise HTTPInputError("the address in the request line is none") from error
    headers["Host"] = address.netloc
    path = address.path or "/"
    return start._replace(path=f"{path}?{address.query}" if address.query else path)
