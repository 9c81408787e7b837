"""Archives: files of ours or of others, put together as a zip that is laid out when asked for.

An archive of our own sounds is whole as soon as it is noted; one of URLs when its job has fetched
them. What it holds is decided then: whatever becomes of the sounds, its bytes stay the same until
it expires.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sonoteca_server.catalog import Catalog
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library.archive_rows import Draft, Finished, OnError
from sonoteca_server.library.choices import Choice
from sonoteca_server.storage import Blobs
from sonoteca_shared.errors import ConflictError

Choose = Callable[[Connection], Choice]


class KeyReusedError(ConflictError):
    """An Idempotency-Key came before, with another request."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key came with another request: use a new one for each")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRequest:
    """What an archive is asked to hold: the files at some URLs, or sounds of ours by a choice.

    `digest` is of the whole request, and `key` what its sender gave it to be known by again.
    """

    urls: Sequence[str] = ()
    choose: Choose | None = None
    name: str = ""
    on_error: OnError = OnError.SKIP
    origin: str
    callback_url: str | None = None
    key: str | None = None
    digest: str


class Archives:
    """The archives of one library.

    `submit` notes a job that fetches the files of an archive, in the transaction that it is called
    in, and gives its id. `told` is called in the one that ends an archive.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: Blobs,
        submit: Callable[[Connection, str], str],
        told: Callable[[Connection, Finished], None],
        *,
        expiry_s: float,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._submit = submit
        self._told = told
        self._expiry_s = expiry_s

    async def create(self, request: ArchiveRequest) -> str:
        """A new archive, or the one that the same request with the same key made; its hash."""
        return await self._catalog.write(self._create, request)

    def _create(self, connection: Connection, request: ArchiveRequest) -> str:
        key_digest = _digest(request.key) if request.key is not None else None
        if key_digest is not None:
            known = rows.find_by_key(connection, key_digest)
            if known is not None:
                if known.request_digest != request.digest:
                    raise KeyReusedError
                return str(known.hash)
        draft = Draft(
            hash=secrets.token_hex(20),
            name=request.name,
            on_error=request.on_error,
            origin=request.origin,
            callback_url=request.callback_url,
            key_digest=key_digest,
            request_digest=request.digest,
            keep_s=self._expiry_s,
        )
        archive = rows.add(connection, draft)
        if request.choose is None:
            job = self._submit(connection, draft.hash)
            rows.add_urls(connection, archive, list(dict.fromkeys(request.urls)), job)
        else:
            choice = request.choose(connection)
            rows.add_sounds(connection, archive, choice.sounds, choice.missing)
            self._told(connection, rows.finish(connection, draft.hash))
        return draft.hash

    async def cancel(self, archive_hash: str) -> None:
        """End an archive that nobody wants any more; ended ones stay as they are."""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
