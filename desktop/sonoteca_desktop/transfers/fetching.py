"""Fetches segments of a file over the one connection of a thread."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from sonoteca_desktop.client import Client, ServerUnreachableError, read_some
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.part import Part
from sonoteca_desktop.transfers.plan import BodyChangedError, read_reply
from sonoteca_desktop.transfers.rangecache import RangeCache
from sonoteca_shared.errors import SonotecaError

# What has arrived is taken at once; more of it at a time costs a tenth less than 256 KiB. It has to
# be less than the least that is taken from a segment: what is on its way must not be given away.
BLOCK = 512 << 10
# A kill costs what is not synced, what each connection has in hand, and what its socket holds,
# which may be twice this: 8 MiB, 4 * 0.5 MiB and 4 * 1.25 MiB are less than 16 MiB.
ROOM = 640 << 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch, and as which file."""

    url: str
    size: int
    etag: str
    sha256: str
    """"" where the server makes it when asked: then the ETag says which bytes it has."""
    path: Path
    part: Path
    zipped: bool = False


class NoRangesError(SonotecaError):
    """The whole file came where a part was asked for: it has to come in one stream."""

    code = "no-ranges"


class Fetcher:
    """Fetches one segment after another, as long as there is one to take.

    `flowing` is called whenever a part that was asked for comes in. What was heard already is taken
    from `cache`. `shared`: others may fetch the same file, over connections of their own.
    """

    def __init__(
        self,
        client: Client,
        wanted: Wanted,
        part: Part,
        control: Control,
        *,
        cache: RangeCache | None,
        flowing: Callable[[], None] = lambda: None,
        shared: bool = False,
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._part = part
        self._control = control
        self._cache = cache
        self._flowing = flowing
        self._shared = shared

    def work(self) -> None:
        """Fetch until there is nothing to take."""
        line = self._client.line
        with line.holding(ROOM) if self._shared else contextlib.nullcontext():
            self._work()

    def _work(self) -> None:
        while (segment := self._part.take()) is not None:
            try:
                while self._part.segments[segment.start].left:
                    self._take_heard(segment.start)
                    self._fetch_piece(segment.start)
            finally:
                self._part.leave(segment.start)

    def _take_heard(self, start: int) -> None:
        """Take the bytes here that were heard already."""
        while self._heard(start):
            assert self._cache is not None
            self._control.go_on()
            segment = self._part.segments[start]
            data = self._cache.read(segment.at, min(BLOCK, segment.left))
            if data:  # else it is there no more
                self._part.keep(start, data)

    def _heard(self, start: int) -> bool:
        segment = self._part.segments[start]
        return (
            self._cache is not None and segment.left > 0 and self._cache.available(segment.at) > 0
        )

    def _fetch_piece(self, start: int) -> None:
        wanted, segment = self._wanted, self._part.segments[start]
        if not segment.left:
            return
        gap = self._cache.gap(segment.at) if self._cache is not None else None
        end = segment.end if gap is None else min(segment.end, gap.end)
        with self._client.line.open_to_cuts() as cut, self._control.breaking(cut):
            response = self._client.get_from(
                wanted.url, segment.at, etag=wanted.etag, end=end if end < wanted.size else None
            )
        with response, self._control.reading(response):
            self._check_body(response)
            piece = read_reply(
                response.status_code,
                response.headers,
                start=segment.at,
                end=end,
                size=wanted.size,
                etag=wanted.etag,
            )
            if piece.start != segment.at or piece.end > end:
                raise NoRangesError("the server sends files whole or not at all")
            self._receive(response, start, piece.end)

    def _check_body(self, response: requests.Response) -> None:
        """Nothing, or BodyChangedError where no digest will tell that other bytes came."""
        is_whole = response.status_code == requests.codes.ok
        if (
            is_whole
            and not self._wanted.sha256
            and response.headers.get("ETag") != self._wanted.etag
        ):
            raise BodyChangedError("The server has made it anew: it is fetched from its beginning")

    def _receive(self, response: requests.Response, start: int, end: int) -> None:
        """Take the bytes up to `end`; what a server sends after that is not asked for."""
        is_part = response.status_code == requests.codes.partial_content
        while (left := self._left(start, end)) > 0 and not self._heard(start):
            data = self._read(response, start, min(BLOCK, left))
            if not data:
                raise ServerUnreachableError("The connection broke: the server sent too little")
            self._part.keep(start, data)
            if is_part:
                self._flowing()

    def _left(self, start: int, end: int) -> int:
        segment = self._part.segments[start]
        return min(end, segment.end) - segment.at  # others may have taken of its end

    def _read(self, response: requests.Response, start: int, wanted: int) -> bytes:
        segment = self._part.segments[start]
        if self._cache is not None and self._cache.hurried(segment.at, segment.end):
            self._control.go_on()
            return read_some(response, wanted)  # somebody listens: that is not limited
        allowed = self._control.take(wanted)
        data = read_some(response, allowed)
        self._control.give_back(allowed - len(data))
        return data
