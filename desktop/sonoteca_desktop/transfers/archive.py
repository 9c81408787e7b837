"""The calls about archives to one server: asked for, followed, and given up."""

from __future__ import annotations

import contextlib
from http import HTTPStatus

import msgspec

from sonoteca_desktop.client import Client
from sonoteca_shared import routes
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import ArchiveStatus

GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class Wish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an archive is made of, which is one of the first four; and its name."""

    sounds: tuple[str, ...] | None = None
    query: str | None = None
    collection: str | None = None
    urls: tuple[str, ...] | None = None
    name: str | None = None


class _Created(msgspec.Struct):
    """The answer to who asks for an archive."""

    archive_hash: str


def create(client: Client, wish: str, key: str) -> str:
    """Ask for an archive; the path of its zip. With the same key there is only one of it."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    answer = client.request("POST", routes.ARCHIVES, headers=headers, data=wish.encode())
    return routes.fill(routes.ARCHIVE_FILE, hash=client.decode(answer, _Created).archive_hash)


def look(client: Client, url: str) -> ArchiveStatus:
    """How far the archive of a zip is."""
    return client.read(routes.with_query(_status_path(url), details="1"), ArchiveStatus)


def end_quietly(client: Client, url: str) -> None:
    """Nobody wants the zip any more; a server that does not hear of it lets it expire."""
    with contextlib.suppress(SonotecaError):
        client.request("DELETE", _status_path(url))


def _status_path(url: str) -> str:
    return routes.fill(routes.ARCHIVE, hash=url.rpartition("/")[2].removesuffix(".zip"))
