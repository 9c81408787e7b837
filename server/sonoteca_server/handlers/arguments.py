"""Query arguments, read strictly: each one known, given once, and of its kind."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from tornado.httputil import HTTPServerRequest

from sonoteca_server.catalog.feed import timestamp
from sonoteca_server.catalog.search import (
    SORTS,
    Cursor,
    Order,
    SoundFilter,
    parse_cursor,
)
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.names import clean_folder

MAX_PAGE = 1_000
_MOST = (1 << 31) - 1
_DIGITS = re.compile(r"[0-9]{1,18}")


def read_arguments(request: HTTPServerRequest, known: Iterable[str]) -> dict[str, str]:
    """The arguments of the query by name; BadRequestError for one unknown or given twice."""
    names = set(known)
    arguments = {}
    for name, values in request.query_arguments.items():
        if name not in names:
            raise BadRequestError(
                f"there is no argument “{name[:100]}” here{_nearest(name, names)}"
            )
        if len(values) > 1:
            raise BadRequestError(f"“{name}” is given {len(values)} times; give it once")
        try:
            arguments[name] = values[0].decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadRequestError(f"“{name}” is not text in UTF-8") from error
    return arguments


def _nearest(name: str, names: set[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    known = ", ".join(sorted(names))
    return f"; did you mean “{near[0]}”?" if near else f"; known are: {known}"


def parse_whole(name: str, text: str) -> int:
    """A number of things or bytes."""
    if not _DIGITS.fullmatch(text):
        raise BadRequestError(f"“{name}” takes a whole number, not “{text[:100]}”")
    return int(text)


def _count(name: str, text: str) -> int:
    # What is more than any column of counts holds fits no sound anyway.
    return min(parse_whole(name, text), _MOST)


def _seconds(name: str, text: str) -> float:
    try:
        # float() knows more numbers than we say: 1_0, and digits of other scripts.
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadRequestError(f"“{name}” takes a number of seconds, not “{text[:100]}”")
    return value


def _moment(name: str, text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return timestamp(aware.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise BadRequestError(
            f"“{name}” takes a date such as 2026-01-31 or 2026-01-31T12:00:00Z, not “{text[:100]}”"
        ) from error


def _text(_name: str, text: str) -> str:
    return text


def _named(name: str, text: str) -> str:
    if "\0" in text:  # which PostgreSQL does not know
        raise BadRequestError(f"“{name}” takes text without NUL characters")
    return text


def _folder(_name: str, text: str) -> str:
    return clean_folder(text)


_READERS: dict[str, Callable[[str, str], Any]] = {
    "name": _named,
    "folder": _folder,
    "repository": _named,
    "minduration": _seconds,
    "maxduration": _seconds,
    "minsize": parse_whole,
    "maxsize": parse_whole,
    "samplerate": _count,
    "channels": _count,
    "bitdepth": _count,
    "format": _named,
    "created_after": _moment,
    "created_before": _moment,
    "q": _text,
}

METADATA = (*_READERS, "sort")
PAGING = ("page_size", "cursor")


def read_filter(arguments: dict[str, str]) -> SoundFilter:
    """The metadata arguments as a filter."""
    given = {name: arguments[name] for name in _READERS if name in arguments}
    return SoundFilter(**{name: _READERS[name](name, text) for name, text in given.items()})


def read_order(arguments: dict[str, str]) -> Order:
    """`sort=name`, or `sort=-name` for the other direction; by creation unless given."""
    text = arguments.get("sort", "created")
    name = text.removeprefix("-")
    if name not in SORTS:
        raise BadRequestError(f"“sort” knows no “{name[:100]}”{_nearest(name, set(SORTS))}")
    return Order(name, descending=text.startswith("-"))


def read_page(arguments: dict[str, str], default: int) -> tuple[int, Cursor | None]:
    """How many a page holds, and where it begins."""
    size = parse_whole("page_size", arguments.get("page_size", str(default)))
    if not 1 <= size <= MAX_PAGE:
        raise BadRequestError(f"“page_size” is between 1 and {MAX_PAGE}, not {size}")
    text = arguments.get("cursor")
    return size, parse_cursor(text) if text is not None else None
