"""A sound that comes over the network while it plays: one streaming GET from the playhead on."""

from __future__ import annotations

import random
import threading
import time
from http import HTTPStatus
from typing import Protocol

import requests

from sonoteca_desktop.client import (
    BLOCK,
    ServerRefusedError,
    ServerUnreachableError,
    interrupt,
    read_some,
)
from sonoteca_desktop.transfers.rangecache import RangeCache
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.ranges import ByteRange, parse_content_range

# A seek this far ahead of the connection is reached sooner by reading on than by asking anew.
SOON = 256 << 10
# Who rests with a full read-ahead for longer than this gives the server its connection back.
REST_S = 10.0
# How long the line may be down: longer for one who listens already than for one who wants to.
PATIENCE_AT_START_S = 3.0
PATIENCE_S = 30.0

_LONGEST_WAIT_S = 4.0
_MAY_PASS = frozenset((408, 425, 429, 500, 502, 503, 504))


class Remote(Protocol):
    """Where the bytes come from: the one call of `Client` that a stream needs."""

    def get_from(
        self, path: str, start: int, *, etag: str | None = None, end: int | None = None
    ) -> requests.Response: ...


class StreamFailedError(SonotecaError):
    """The bytes of a sound cannot be had, and trying again would not help."""

    code = "stream-failed"


class StreamClosedError(SonotecaError):
    """Somebody stopped listening while others still waited for bytes."""

    code = "stream-closed"


class Stream:
    """Fills a range cache from where the playhead is, and never far ahead of it.

    The connection is opened again only for a playhead outside of what is present or will be soon,
    and after a cut. Nothing that is present is fetched again. No call but `fetch` ever waits.
    """

    def __init__(
        self, remote: Remote, path: str, etag: str, cache: RangeCache, *, ahead: int
    ) -> None:
        self.ahead = ahead
        self.error: SonotecaError | None = None
        self._remote = remote
        self._path = path
        self._etag = etag
        self._cache = cache
        # The state below is guarded by the condition of the cache: bytes, playhead and end are one
        # subject, and whoever waits for one of them has to hear of the others.
        self._changed = cache.changed
        self._playhead = 0
        self._closed = False
        self._response: requests.Response | None = None
        self._interrupted = False
        self._at = 0
        self._failures = 0
        self._troubled_since = 0.0
        self._patience = PATIENCE_AT_START_S
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def ready(self, offset: int, count: int) -> bool:
        """Whether so many bytes are there, or none will come any more."""
        return self._is_over() or self._cache.available(offset) >= count

    def read(self, offset: int, count: int) -> bytes:
        """The bytes at `offset` as far as they are there, with the playhead moved to them."""
        self.aim(offset)
        data = self._cache.read(offset, count)
        if not data and self.error is not None:
            raise self.error
        return data

    def fetch(self, offset: int, count: int) -> bytes:
        """The bytes at `offset`, waited for; fewer only where the file ends."""
        end = min(offset + count, self._cache.size)
        # In steps that the read-ahead has room for: beyond it nothing would come.
        step = max(1, self.ahead // 2)
        return b"".join(self._fetch(at, min(step, end - at)) for at in range(offset, end, step))

    def _fetch(self, offset: int, count: int) -> bytes:
        self.aim(offset)
        if not self._cache.wait(offset, count, unless=self._is_over):
            raise self.error or StreamClosedError("The sound was stopped.")
        return self._cache.read(offset, count)

    def aim(self, offset: int) -> None:
        """Say where the playhead is; a connection that leads elsewhere is dropped for another."""
        with self._changed:
            self._playhead = offset
            response = self._response if self._has_strayed() else None
            self._interrupted |= response is not None
            self._changed.notify_all()
        if response is not None:
            interrupt(response)

    def close(self, wait: float = 0.0) -> None:
        """Drop the connection at once; `wait` up to so many seconds for the thread to end."""
        with self._changed:
            self._closed = True
            response = self._response
            self._changed.notify_all()
        if response is not None:
            interrupt(response)
        if wait:
            self._thread.join(wait)

    def _is_over(self) -> bool:
        return self._closed or self.error is not None

    def _run(self) -> None:
        while (part := self._wait_for_part()) is not None:
            try:
                self._fetch_part(part)
            except (ServerUnreachableError, ServerRefusedError) as trouble:
                self._take_trouble(trouble)
            except StreamFailedError as error:
                self._fail(error)
            except OSError as error:
                reason = error.strerror or str(error)
                folder = self._cache.path.parent
                self._fail(StreamFailedError(f"The sound cannot be kept in {folder}: {reason}."))
        self._cache.keep()

    def _wait_for_part(self) -> ByteRange | None:
        """What to fetch next, when it is time; None when this stream is over."""
        with self._changed:
            hurried = self._is_over() or self._wanted() is not None
        if not hurried:
            self._cache.keep()  # waits for the disk, which a seek must not
        with self._changed:
            self._changed.wait_for(lambda: self._is_over() or self._wanted() is not None)
            return None if self._is_over() else self._wanted()

    def _wanted(self) -> ByteRange | None:
        """The first missing bytes from the playhead on, if they are near enough to be needed."""
        gap = self._cache.gap(self._playhead)
        if gap is None or not self._has_room(gap.start):
            return None
        if self._cache.is_coming(gap.start, SOON):
            # A download is right before it: a second connection would fetch the same.
            soon = self._playhead + self.ahead // 4
            self._cache.hurry(ByteRange(gap.start, soon) if gap.start < soon else None)
            return None
        return gap

    def _has_room(self, at: int) -> bool:
        # A quarter has to be used up first: many small reads cost more than a few large ones.
        return at - self._playhead <= self.ahead * 3 // 4

    def _has_strayed(self) -> bool:
        """Whether the connection brings something else than what the playhead needs next."""
        if self._response is None:
            return False
        gap = self._cache.gap(self._playhead)
        if gap is None:
            return False
        return self._cache.is_coming(gap.start, SOON) or not 0 <= gap.start - self._at <= SOON

    def _fetch_part(self, part: ByteRange) -> None:
        size = self._cache.size
        end = part.end if part.end < size else None
        with self._remote.get_from(self._path, part.start, etag=self._etag, end=end) as response:
            self._check(response, part)
            with self._changed:
                self._response, self._at = response, part.start
                self._interrupted = False
            try:
                self._read(response, part.end)
            except ServerUnreachableError:
                if not self._interrupted:  # else it is our own doing
                    raise
            finally:
                with self._changed:
                    self._response = None

    def _check(self, response: requests.Response, part: ByteRange) -> None:
        """Accept exactly the bytes that were asked for, of exactly this file."""
        if response.headers.get("ETag", self._etag) != self._etag:
            raise StreamFailedError("The server has another sound in this place by now.")
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            sent = parse_content_range(response.headers.get("Content-Range"))
            right = sent is not None and (sent.part, sent.size) == (part, self._cache.size)
        else:
            length = response.headers.get("Content-Length", "")
            whole = ByteRange(0, self._cache.size)
            right = response.status_code == HTTPStatus.OK and part == whole
            right = right and length in ("", str(len(whole)))
        if not right:
            raise StreamFailedError(
                "The server, or something on the way to it, does not send the part of the sound "
                "that it was asked for. Download the sound to hear it."
            )

    def _read(self, response: requests.Response, end: int) -> None:
        while self._at < end and self._may_read_on():
            data = read_some(response, min(BLOCK, end - self._at))
            if not data:
                raise ServerUnreachableError("The connection ended before the sound did.")
            self._cache.write(self._at, data)
            with self._changed:
                self._at += len(data)
                self._failures = 0
                self._patience = PATIENCE_S

    def _may_read_on(self) -> bool:
        """Rest while enough lies ahead of the playhead; False to let the connection go."""

        def ready() -> bool:
            return self._is_over() or self._has_strayed() or self._has_room(self._at)

        with self._changed:
            if self._at - self._playhead >= self.ahead:
                self._changed.wait_for(ready, REST_S)
                return ready() and not self._is_over() and not self._has_strayed()
            return not self._is_over() and not self._has_strayed()

    def _take_trouble(self, trouble: ServerUnreachableError | ServerRefusedError) -> None:
        """Wait a moment before the next try, or give up."""
        if isinstance(trouble, ServerRefusedError) and trouble.status not in _MAY_PASS:
            self._fail(trouble)
            return
        now = time.monotonic()
        if not self._failures:
            self._troubled_since = now
        if now - self._troubled_since > self._patience:
            self._fail(trouble)
            return
        wait = min(_LONGEST_WAIT_S, 0.1 * 2 ** min(self._failures, 10))
        self._failures += 1
        with self._changed:
            # Jitter, or all desktops of a studio would come back in the same instant.
            self._changed.wait_for(self._is_over, wait * random.uniform(0.5, 1.0))  # noqa: S311

    def _fail(self, error: SonotecaError) -> None:
        with self._changed:
            self.error = error
            self._changed.notify_all()
