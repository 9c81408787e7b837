"""What every handler shares: who may ask, JSON, and errors as problem documents."""

from __future__ import annotations

import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import msgspec
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from sonoteca_server.library.ingest import Ingest
from sonoteca_server.library.sounds import Sounds
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_server.wire.errors import (
    ForeignOriginError,
    MethodNotAllowedError,
    MisdirectedError,
)
from sonoteca_server.wire.problems import problem, status_of
from sonoteca_shared.errors import NotFoundError, SonotecaError

JSON = "application/json"
_SAFE = ("GET", "HEAD", "OPTIONS")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_Method = Callable[..., Awaitable[None] | None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The neighbours that handlers talk to, and the settings that concern them."""

    sounds: Sounds
    ingest: Ingest
    blobs: LocalBlobs
    public_host: str
    max_upload_bytes: int
    min_free_bytes: int
    body_idle_s: float


class Handler(RequestHandler):
    """The common ground: headers, the guard against foreign pages, answers and refusals."""

    def initialize(self, services: Services) -> None:
        self.services = services
        self.request_id = secrets.token_hex(8)

    def set_default_headers(self) -> None:
        self.set_header("Server", "Sonoteca")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cross-Origin-Resource-Policy", "same-origin")

    def prepare(self) -> Any:
        self.guard()

    def guard(self) -> None:
        """Refuse what a web page of another site could send through its reader's browser."""
        host = urlsplit(f"//{self.request.host}").hostname or ""
        if not _is_loopback(host) and self.request.host != self.services.public_host:
            raise MisdirectedError(
                f"this server does not answer for the host “{self.request.host[:100]}”; "
                "set PUBLIC_URL to the address that it is reached under"
            )
        if self.request.method in _SAFE:
            return
        headers = self.request.headers
        origin = headers.get("Origin")
        own = f"{self.request.protocol}://{self.request.host}"
        foreign = origin is not None and origin != own
        if foreign or headers.get("Sec-Fetch-Site") == "cross-site":
            raise ForeignOriginError("a page of another site may not change this library")

    @property
    def wants_page(self) -> bool:
        """Whether the asker is a browser that shows a page."""
        return "text/html" in self.request.headers.get("Accept", "")

    def answer(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Send a value as JSON."""
        self.answer_json(msgspec.json.encode(value), status)

    def answer_json(self, data: bytes | str, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Send what is JSON already."""
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.finish(data)

    def _not_taken(self, *_args: str, **_kwargs: str) -> None:
        allowed = [m for m in _METHODS if getattr(type(self), m.lower()) is not Handler._not_taken]
        raise MethodNotAllowedError(str(self.request.method), allowed)

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
        self.finish(msgspec.json.encode(document))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        # A refusal is an answer, and a client that left is its own business: no traceback.
        if not isinstance(value, SonotecaError | StreamClosedError | HTTPError):
            log.error("request %s failed", self.request_id, exc_info=(typ, value, tb))


class UnknownPath(Handler):
    """Whatever no row of the table knows."""

    def prepare(self) -> None:
        self.guard()
        raise NotFoundError("there is nothing at this path")


def _is_loopback(host: str) -> bool:
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
