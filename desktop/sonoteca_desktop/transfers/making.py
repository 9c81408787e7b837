"""Has the server make what is to be fetched, and learns how long it is and which bytes it has."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus

from sonoteca_desktop.client import Client, ServerRefusedError
from sonoteca_desktop.transfers import archive
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.plan import BadReplyError, PreparingError
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import ArchiveStatus, FileError, Progress
from sonoteca_shared.ranges import parse_content_range

_LOOK_AGAIN = 1.0
# A server may convert for as long before it answers; who leaves ends that.
_PATIENCE = 1800.0
_TOLD = 3
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS})
_PREPARING = frozenset(
    {HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.SERVICE_UNAVAILABLE, *_BUSY}
)


class ArchiveFailedError(SonotecaError):
    """The server could not put together what was asked for."""

    code = "archive-failed"


@dataclass(frozen=True, slots=True)
class Order:
    """What the server is to make, as far as it is on its way: an archive, or what is at `url`."""

    wish: str
    """The archive that is asked for; "" where there is nothing to be put together."""
    key: str
    url: str


@dataclass(frozen=True, slots=True)
class Made:
    """What the server has made; it can be fetched in parts, which all have this ETag."""

    size: int
    etag: str


class Making:
    """One look whether the server is ready; PreparingError when it is not.

    It is looked each time before bytes are fetched: what was ready before may have gone since.

    `remember` is told of every step before it counts: nothing is ever asked for twice.
    """

    def __init__(
        self,
        client: Client,
        order: Order,
        control: Control,
        remember: Callable[[Order], None],
    ) -> None:
        self._client = client
        self._order = order
        self._control = control
        self._remember = remember

    def run(self) -> Made:
        """What is ready to be fetched."""
        try:
            with self._client.line.open_to_cuts() as cut, self._control.breaking(cut):
                if self._order.wish:
                    self._follow_archive()
                return self._learn()
        except ServerRefusedError as refusal:
            if refusal.status in _PREPARING and refusal.retry_after is not None:
                busy = refusal.status in _BUSY
                sentence = "The server has others to serve first" if busy else _words(None)
                raise PreparingError(sentence, wait=refusal.retry_after) from refusal
            raise

    def _follow_archive(self) -> None:
        """Ask for the archive, if that was not done; nothing when it is whole."""
        status = self._look() if self._order.url else None
        if status is None or status.status == "cancelled":
            self._begin()
            status = archive.look(self._client, self._order.url)
        if status.status == "failed":
            self._forget()  # who tries again asks for a new one
            raise ArchiveFailedError(_failure(status.errors))
        if status.status != "completed":
            raise PreparingError(_words(status.progress), wait=_LOOK_AGAIN)

    def _look(self) -> ArchiveStatus | None:
        """How the archive is; None when the server knows nothing of it any more."""
        try:
            return archive.look(self._client, self._order.url)
        except ServerRefusedError as refusal:
            if refusal.status not in archive.GONE:
                raise
            self._forget()
            return None

    def _begin(self) -> None:
        if not self._order.key or self._order.url:
            self._note(replace(self._order, key=secrets.token_hex(16), url=""))
        url = archive.create(self._client, self._order.wish, self._order.key)
        self._note(replace(self._order, url=url))

    def _forget(self) -> None:
        self._note(replace(self._order, key="", url=""))

    def _note(self, order: Order) -> None:
        self._remember(order)
        self._order = order

    def _learn(self) -> Made:
        # The first byte alone: the answer says of all the others what there is to know.
        answered = self._client.get_from(self._order.url, 0, end=1, silence_timeout=_PATIENCE)
        with answered as response:
            return _made(response.status_code, response.headers)


def _made(status: int, headers: Mapping[str, str]) -> Made:
    etag, size = headers.get("ETag", ""), _size(status, headers)
    if size is None:
        raise BadReplyError("the server does not say how long the file is")
    if not etag.startswith('"'):
        raise BadReplyError("the server does not say which bytes the file has")
    return Made(size, etag)


def _size(status: int, headers: Mapping[str, str]) -> int | None:
    if status == HTTPStatus.PARTIAL_CONTENT:
        part = parse_content_range(headers.get("Content-Range"))
        return part.size if part is not None else None
    length = headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def _words(progress: Progress | None) -> str:
    """What the server is doing, and how far it is."""
    parts = []
    if progress is not None and progress.files_total:
        parts.append(f"{progress.files_done} of {progress.files_total} files")
    if progress is not None and progress.bytes_total:
        parts.append(f"{100 * progress.bytes_done // progress.bytes_total} %")
    return ": ".join(filter(None, ("The server is preparing it", ", ".join(parts))))


def _failure(errors: Sequence[FileError]) -> str:
    told = [f"{each.url}: {each.detail.rstrip('.')}" for each in errors[:_TOLD]]
    more = f"and {len(errors) - _TOLD} more" if len(errors) > _TOLD else ""
    return "; ".join(filter(None, ("The server could not get the files", *told, more)))
