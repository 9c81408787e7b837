"""What every handler shares: who may ask, JSON, and errors as problem documents."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from sonoteca_server.catalog.facets import FacetCounts
from sonoteca_server.jobs.conversion import Conversions
from sonoteca_server.jobs.derivatives import Derivatives
from sonoteca_server.jobs.queue import Jobs
from sonoteca_server.library.archives import Archives
from sonoteca_server.library.collections import Collections
from sonoteca_server.library.editing import Editing
from sonoteca_server.library.ingest import Ingest
from sonoteca_server.library.lists import Lists
from sonoteca_server.library.objects import Objects
from sonoteca_server.library.presets import Presets
from sonoteca_server.library.repositories import Repositories
from sonoteca_server.library.sounds import Sounds
from sonoteca_server.library.trash import Trash
from sonoteca_server.library.uploads import Uploads
from sonoteca_server.storage import BlobDamagedError
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_server.wire.errors import (
    ForeignOriginError,
    MediaTypeError,
    MethodNotAllowedError,
    MisdirectedError,
    StoppingError,
)
from sonoteca_server.wire.intake import close_writing, drop_body
from sonoteca_server.wire.problems import problem, status_of
from sonoteca_server.wire.turns import Turns
from sonoteca_shared import routes
from sonoteca_shared.errors import NotFoundError, SonotecaError

JSON = "application/json"
_SAFE = ("GET", "HEAD", "OPTIONS")
_ADDING = ("POST", "PUT", "PATCH")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_Method = Callable[..., Awaitable[None] | None]

log = logging.getLogger(__name__)


class Running:
    """The requests that are not to be cut; who stops lets no new ones in and waits for these."""

    def __init__(self) -> None:
        self._requests: set[object] = set()
        self._stopping = False
        self._ended = asyncio.Event()

    def begin(self, request: object) -> None:
        """Count a request; StoppingError when it comes too late."""
        if self._stopping:
            raise StoppingError
        self._requests.add(request)

    def end(self, request: object) -> None:
        """The request is answered, or may be cut from now on."""
        self._requests.discard(request)
        if not self._requests and self._stopping:
            self._ended.set()

    async def stop(self, *, patience_s: float) -> None:
        """Let no more in, and wait for those that run, but not for ever."""
        self._stopping = True
        if self._requests:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._ended.wait()


@dataclass(frozen=True, slots=True)
class Services:
    """The neighbours that handlers talk to, and the settings that concern them."""

    sounds: Sounds
    lists: Lists
    ingest: Ingest
    objects: Objects
    editing: Editing
    collections: Collections
    repositories: Repositories
    trash: Trash
    uploads: Uploads
    archives: Archives
    facets: FacetCounts
    jobs: Jobs
    conversions: Conversions
    derivatives: Derivatives
    presets: Presets
    blobs: LocalBlobs
    running: Running
    turns: Turns
    public_url: str
    max_upload_bytes: int
    min_free_bytes: int


@stream_request_body
class Handler(RequestHandler):
    """The common ground: headers, the guard against foreign pages, answers and refusals.

    Nobody's body is kept in memory: it comes in pieces, which are dropped unless a handler
    takes them, and who is refused hears of it before the body is through.
    """

    def initialize(self, services: Services) -> None:
        self.services = services
        self.request_id = secrets.token_hex(8)

    def set_default_headers(self) -> None:
        self.set_header("Server", "Sonoteca")
        self.set_header(routes.LIBRARY, self.settings["library"])
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")

    async def prepare(self) -> None:
        try:
            self.services.running.begin(self)
            self.guard()
            self.check_coding()
            if self.request.method in _ADDING:
                self.check_disk()
            await self.begin()
        except StreamClosedError:
            raise  # the client left: there is nobody to tell
        except (SonotecaError, OSError) as error:
            await self.refuse_early(error)
            if self.has_body:
                await drop_body(self.request.connection.stream)  # type: ignore[union-attr]
            self.finish()

    async def begin(self) -> None:
        """Refuse, or get ready for, a request whose head alone is there yet."""
        if self.has_body:
            method = getattr(self, str(self.request.method).lower())
            if method == self._not_taken:
                method()

    async def data_received(self, chunk: bytes) -> None:
        """A piece of a body; one that nobody asked for is dropped, so that the line is in step."""

    def on_finish(self) -> None:
        self.services.running.end(self)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.services.running.end(self)

    @property
    def has_body(self) -> bool:
        """Whether the request says that a body follows."""
        headers = self.request.headers
        return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"

    def check_coding(self) -> None:
        """Refuse a body that is packed: what it unpacks to could be any size."""
        coding = self.request.headers.get("Content-Encoding", "identity")
        if self.has_body and coding.strip().lower() != "identity":
            raise MediaTypeError(f"send the body as it is, not as “{coding[:100]}”")

    def check_disk(self) -> None:
        """Refuse what adds to a library on a disk that is full: what is left is for deleting."""
        self.services.blobs.ballast.check_half()

    def guard(self) -> None:
        """Refuse what a web page of another site could send through its reader's browser."""
        host, public = self.request.host.lower(), _split(self.services.public_url)
        if not _is_loopback(host) and (not host or host != public.netloc.lower()):
            raise MisdirectedError(
                f"this server does not answer for the host “{self.request.host[:100]}”; "
                "set PUBLIC_URL to the address that it is reached under"
            )
        if self.request.method in _SAFE:
            return
        headers = self.request.headers
        own = (f"{self.request.protocol}://{host}", f"{public.scheme}://{public.netloc}".lower())
        foreign = headers.get("Origin", own[0]) not in own
        if foreign or headers.get("Sec-Fetch-Site") == "cross-site":
            raise ForeignOriginError("a page of another site may not change this library")

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A part of the path; one that is no text cannot be anything's name, so it is not found."""
        return value.decode(errors="replace") if name is None else super().decode_argument(value)

    @property
    def wants_page(self) -> bool:
        """Whether the asker is a browser that shows a page."""
        return "text/html" in self.request.headers.get("Accept", "")

    def answer(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Send a value as JSON."""
        self.answer_json(msgspec.json.encode(value), status)

    def turn(self) -> AbstractContextManager[None]:
        """A turn at searching; TooManyError when the asker's address has its share already."""
        return self.services.turns.taken(self.request.remote_ip or "")

    def answer_json(self, data: bytes | str, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Send what is JSON already."""
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.finish(data)

    def _not_taken(self, *_args: str, **_kwargs: str) -> None:
        raise self._refusal_of_method()

    def _refusal_of_method(self) -> MethodNotAllowedError:
        allowed = [m for m in _METHODS if getattr(type(self), m.lower()) is not Handler._not_taken]
        return MethodNotAllowedError(str(self.request.method), allowed)

    head: _Method = _not_taken
    get: _Method = _not_taken
    post: _Method = _not_taken
    put: _Method = _not_taken
    patch: _Method = _not_taken
    delete: _Method = _not_taken
    options: _Method = _not_taken

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, StreamClosedError):
            self.services.running.end(self)
            return  # the client left, so there is nobody to tell
        if self._headers_written:
            # Half a body was promised to be whole: only a broken connection says that it is not.
            self.request.connection.stream.close()  # type: ignore[union-attr]
            return
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, SonotecaError):
            status, code, detail = int(status_of(error)), error.code, str(error)
        else:
            status, code, detail = status_code, _code_of(status_code), _detail_of(error)
            if status == HTTPStatus.METHOD_NOT_ALLOWED:  # of a method that is none of HTTP's
                error = self._refusal_of_method()
                code, detail = error.code, str(error)
            # Tornado's own refusals come before the end of the request is read.
            self.set_header("Connection", "close")
        self.set_status(status)
        # Tornado has cleared every field by now; what the refusal needs it brings along.
        for name, value in getattr(error, "headers", {}).items():
            self.set_header(name, value)
        self.refuse(status, code, detail)

    def refuse(self, status: int, code: str, detail: str) -> None:
        """Send a refusal as a problem document; a page overrides it for people."""
        document = problem(
            status, code, detail, request_id=self.request_id, instance=self.request.path
        )
        self.set_header("Content-Type", "application/problem+json")
        self.write_whole(msgspec.json.encode(document))

    def write_whole(self, data: bytes) -> None:
        """Write all that the answer's body will be."""
        self.set_header("Content-Length", str(len(data)))
        self.write(data)

    async def refuse_early(self, error: Exception) -> None:
        """Answer although the body is not there yet, so that the client reads it and stops.

        Whoever calls this has to drop what still comes, and to finish.
        """
        failure = (type(error), error, error.__traceback__)
        self.log_exception(*failure)
        self.clear()
        self.write_error(HTTPStatus.INTERNAL_SERVER_ERROR, exc_info=failure)
        self.set_header("Connection", "close")
        with contextlib.suppress(StreamClosedError):
            await self.flush()
            close_writing(self.request.connection.stream)  # type: ignore[union-attr]
        self.services.running.end(self)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # A refusal is an answer, and a client that left is its own business: no traceback.
        if isinstance(value, BlobDamagedError):
            log.error("request %s failed: %s", self.request_id, value)
        elif not isinstance(value, SonotecaError | StreamClosedError | HTTPError):
            log.error("request %s failed", self.request_id, exc_info=(typ, value, tb))


class UnknownPath(Handler):
    """Whatever no row of the table knows."""

    async def begin(self) -> None:
        if self.has_body:
            self.get()

    def get(self, *_args: str) -> None:
        raise NotFoundError("there is nothing at this path")

    head = post = put = patch = delete = options = get


@lru_cache(maxsize=10)
def _split(address: str) -> SplitResult:
    return urlsplit(address)


@lru_cache(maxsize=100)
def _is_loopback(host_and_port: str) -> bool:
    try:
        host = urlsplit(f"//{host_and_port}").hostname or ""
    except ValueError:  # a bracket without its partner
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _code_of(status: int) -> str:
    return "internal" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "bad-request"


def _detail_of(error: object) -> str:
    if isinstance(error, HTTPError) and error.log_message:
        return str(error.log_message)
    return ""
