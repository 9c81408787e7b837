"""Query arguments, read strictly: each one known, given once, and of its kind."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tornado.httputil import HTTPServerRequest

from sonoteca_server.catalog.conditions import Asker
from sonoteca_server.catalog.feed import timestamp
from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.catalog.orders import SORTS, Cursor, Order, parse_cursor
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.names import clean_folder
from sonoteca_shared.query import Query, parse

MAX_PAGE = 1_000
_MOST = (1 << 31) - 1
_DIGITS = re.compile(r"[0-9]{1,18}")
# So long a sound is new to those who ask for new ones.
_NEW = timedelta(days=7)


class Arguments(dict[str, str]):
    """The arguments of a query by name; all values of `tag`, which may stand more than once."""

    def __init__(self, values: dict[str, str], tags: Iterable[str] = ()) -> None:
        super().__init__(values)
        self.tags = tuple(tags)

    def without(self, *names: str) -> Arguments:
        """The arguments but for some, and for those that a form left empty."""
        kept = {name: text for name, text in self.items() if text and name not in names}
        return Arguments(kept, filter(None, self.tags))

    def address(self, path: str, **others: str) -> str:
        """The path with these arguments, and others in their place."""
        return f"{path}?{urlencode(self | {'tag': self.tags} | others, doseq=True)}"


def read_arguments(request: HTTPServerRequest, known: Iterable[str]) -> Arguments:
    """The arguments of the query; BadRequestError for one unknown, or given twice but for `tag`."""
    names = set(known)
    arguments: dict[str, list[str]] = {}
    for name, values in request.query_arguments.items():
        if name not in names:
            raise BadRequestError(
                f"there is no argument “{name[:100]}” here{_nearest(name, names)}"
            )
        if len(values) > 1 and name != "tag":
            raise BadRequestError(f"“{name}” is given {len(values)} times; give it once")
        try:
            arguments[name] = [value.decode("utf-8") for value in values]
        except UnicodeDecodeError as error:
            raise BadRequestError(f"“{name}” is not text in UTF-8") from error
    tags = arguments.pop("tag", ())
    return Arguments({name: values[0] for name, values in arguments.items()}, tags)


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


def parse_seconds(name: str, text: str) -> float:
    """A length or a place in time."""
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
    "minduration": parse_seconds,
    "maxduration": parse_seconds,
    "minsize": parse_whole,
    "maxsize": parse_whole,
    "samplerate": _count,
    "channels": _count,
    "bitdepth": _count,
    "format": _named,
    "created_after": _moment,
    "created_before": _moment,
    "uploaded_by": _named,
}

METADATA = (*_READERS, "tag", "q", "sort")
PAGING = ("page_size", "cursor")


@dataclass(frozen=True, slots=True)
class Search:
    """What a list is asked for, in which order, and how its query was understood."""

    wanted: SoundFilter
    order: Order
    query: Query


def read_search(given: Arguments) -> Search:
    """The metadata arguments; a sort of the query holds where the argument says none."""
    query = parse(given.get("q", ""))
    values = {name: read(name, given[name]) for name, read in _READERS.items() if name in given}
    tags = tuple(_named("tag", tag) for tag in given.tags)
    hour = datetime.now(UTC).replace(minute=0, second=0)
    asker = Asker(new_since=timestamp(hour - _NEW))
    wanted = SoundFilter(**values, tags=tags, query=query.tree, asker=asker)
    return Search(wanted, _order(given.get("sort", query.sort or "created")), query)


def _order(text: str) -> Order:
    """`name`, or `-name` for the other direction."""
    name = text.removeprefix("-")
    if name not in SORTS:
        raise BadRequestError(f"“sort” knows no “{name[:100]}”{_nearest(name, set(SORTS))}")
    return Order(name, descending=text.startswith("-"))


def read_page(arguments: Arguments, default: int) -> tuple[int, Cursor | None]:
    """How many a page holds, and where it begins."""
    size = parse_whole("page_size", arguments.get("page_size", str(default)))
    if not 1 <= size <= MAX_PAGE:
        raise BadRequestError(f"“page_size” is between 1 and {MAX_PAGE}, not {size}")
    text = arguments.get("cursor")
    return size, parse_cursor(text) if text is not None else None
