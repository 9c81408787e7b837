"""Archives: files of ours or of others, put together as a zip that is laid out when asked for.

An archive of our own sounds is whole as soon as it is noted; one of URLs when its job has fetched
them. What it holds is decided then: whatever becomes of the sounds, its bytes stay the same until
it expires.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection, select
from zlib_ng import zlib_ng

from sonoteca_server.catalog import Catalog, jobs
from sonoteca_server.catalog.schema import archive_members, archives, objects
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library.archive_losses import end_lost, has_lost
from sonoteca_server.library.archive_rows import (
    ArchiveRow,
    ArchiveState,
    Draft,
    Finished,
    OnError,
    Outcome,
)
from sonoteca_server.library.archive_sounds import (
    WITHIN_S,
    ObjectGoneError,
    add_members,
    members_of,
)
from sonoteca_server.library.choices import Choice
from sonoteca_server.library.layouts import Layouts
from sonoteca_server.library.zips import VERSION, Entry, Zip, entry_of
from sonoteca_server.storage import BlobDamagedError, Blobs
from sonoteca_shared.errors import ConflictError, NotFoundError
from sonoteca_shared.models import ArchiveStatus

KIND = "archive"
"""What the jobs are called that fetch the files of archives."""

_PIECE = 1 << 20
# Of so many files; more of them would hold up whoever writes meanwhile.
_EXPIRED_AT_ONCE = 5_000


class KeyReusedError(ConflictError):
    """An Idempotency-Key came before, with another request."""

    code = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("this Idempotency-Key came with another request: use a new one for each")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRequest:
    """What an archive is asked to hold: the files at some URLs, or sounds of ours by a choice.

    `digest` is of the whole request, `key` what its sender gave it to be known by again, and
    `origin` the address under which the sender found us.
    """

    urls: Sequence[str] = ()
    choose: Callable[[Connection], Choice] | None = None
    name: str = ""
    on_error: OnError = OnError.SKIP
    origin: str
    callback_url: str | None = None
    key: str | None = None
    digest: str


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as far as it is; `recipe` names the bytes of a whole one."""

    hash: str
    name: str
    state: ArchiveState
    created: datetime
    recipe: str


class Archives:
    """The archives of one library; whole ones are kept for `expiry_s` seconds.

    `wake` is called when there is a job to be done, `told` in the transaction that ends an archive.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: Blobs,
        wake: Callable[[], None],
        told: Callable[[Connection, Finished], None],
        *,
        expiry_s: float,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._wake = wake
        self._told = told
        self._expiry_s = expiry_s
        self._layouts = Layouts(self._lay_out)
        # The choice of a large archive takes much memory, and its rows much writing.
        self._choosing = asyncio.Lock()

    async def create(self, request: ArchiveRequest) -> str:
        """A new archive, or the one that the same request with the same key made; its hash.

        KeyReusedError when the key came with another request.
        """
        if request.choose is None:
            archive_hash = await self._catalog.write(self._order, request)
        else:
            async with self._choosing:
                archive_hash = await self._gather(request, request.choose)
        self._wake()
        return archive_hash

    async def find(self, archive_hash: str) -> Archive:
        """An archive that has not expired."""
        row = await self._catalog.glance(_find, archive_hash)
        created = datetime.fromisoformat(row.created)
        recipe = f"zip {VERSION} {row.recipe}"
        return Archive(row.hash, row.name, rows.state_of(row), created, recipe)

    async def status(self, archive_hash: str, origin: str) -> ArchiveStatus:
        """All that can be said of an archive, to who found us under this address."""
        return await self._catalog.read(_status, archive_hash, origin)

    async def cancel(self, archive_hash: str) -> None:
        """End an archive that nobody wants any more; one that has ended stays as it is."""
        archive, start = await self._catalog.write(self._cancel, archive_hash), rows.AT_ONCE
        self._wake()
        self.forget(archive_hash)
        while archive is not None and await self._catalog.write(rows.release, archive, start):
            start += rows.AT_ONCE

    async def end_lost(self) -> None:
        """End the archives whose jobs have ended without them, and have it told."""
        if await self._catalog.read(has_lost):
            await self._catalog.write(self._end_lost)
            self._wake()

    async def expire(self) -> None:
        """Forget the archives whose time is over."""
        while await self._catalog.write(rows.expire, _EXPIRED_AT_ONCE):
            pass
        # Another server may have forgotten them before us.
        kept = self._layouts.hashes()
        self._layouts.forget(*set(kept) - await self._catalog.read(_whole, kept))

    async def layout(self, archive_hash: str) -> Zip:
        """The zip of a whole archive."""
        return await self._layouts.get(archive_hash)

    def forget(self, archive_hash: str) -> None:
        """Lay this archive out anew next time: a blob of it may have been mended."""
        self._layouts.forget(archive_hash)

    async def _lay_out(self, archive_hash: str) -> Zip:
        for seq, key, sha256 in await self._catalog.read(_without_crc32, archive_hash):
            crc32 = await asyncio.to_thread(_crc32_of, self._blobs, key, sha256)
            await self._catalog.write(_note_crc32, seq, key, crc32)
        return await self._catalog.read(_zip, archive_hash)

    def _order(self, connection: Connection, request: ArchiveRequest) -> str:
        """Note what a job is to fetch."""
        if (known := _known(connection, request)) is not None:
            return known
        draft = self._draft(request)
        archive = rows.add(connection, draft)
        _give_key(connection, archive, request)
        args = {"archive": draft.hash}
        job = jobs.submit_now(connection, KIND, args, subject=draft.hash)
        rows.add_urls(connection, archive, request.urls, job)
        return draft.hash

    async def _gather(self, request: ArchiveRequest, choose: Callable[[Connection], Choice]) -> str:
        """Note sounds of ours, some at a time; nobody knows of the archive until it is whole."""
        while True:
            if (known := await self._catalog.read(_known, request)) is not None:
                return known
            choice = await self._catalog.read(choose)
            held = not (choice.missing and request.on_error is OnError.FAIL)
            members = await asyncio.to_thread(members_of, choice, held=held)
            draft = self._draft(request)
            archive = await self._catalog.write(rows.add, draft, WITHIN_S)
            try:
                for start in range(0, len(members), rows.AT_ONCE):
                    some = members.rows(start, start + rows.AT_ONCE)
                    await self._catalog.write(add_members, archive, some)
            except ObjectGoneError:
                continue
            outcome = await self._catalog.read(rows.judge, draft.hash)
            return await self._catalog.write(self._close, request, archive, draft.hash, outcome)

    def _close(
        self,
        connection: Connection,
        request: ArchiveRequest,
        archive: int,
        archive_hash: str,
        outcome: Outcome,
    ) -> str:
        if (known := _known(connection, request)) is not None:
            return known
        # Not before: a crash in between must not leave the key to a part of an archive.
        _give_key(connection, archive, request)
        self._told(connection, rows.finish(connection, archive_hash, outcome))
        return archive_hash

    def _draft(self, request: ArchiveRequest) -> Draft:
        return Draft(
            hash=rows.new_hash(),
            name=request.name,
            on_error=request.on_error,
            origin=request.origin,
            callback_url=request.callback_url,
            request_digest=request.digest,
            keep_s=self._expiry_s,
        )

    def _end_lost(self, connection: Connection) -> None:
        for finished in end_lost(connection):
            self._told(connection, finished)

    def _cancel(self, connection: Connection, archive_hash: str) -> int | None:
        """The row of an archive that has just been ended."""
        row = _find(connection, archive_hash)
        if row.state in (ArchiveState.FAILED, ArchiveState.CANCELLED):
            return None
        if row.job is not None:
            jobs.cancel(connection, row.job)
        self._told(connection, rows.cancel(connection, row))
        return int(row.seq)


def _known(connection: Connection, request: ArchiveRequest) -> str | None:
    """The archive that the same request with the same key has made."""
    if request.key is None:
        return None
    known = rows.find_by_key(connection, _digest(request.key))
    if known is not None and known.request_digest != request.digest:
        raise KeyReusedError
    return None if known is None else str(known.hash)


def _give_key(connection: Connection, archive: int, request: ArchiveRequest) -> None:
    if request.key is not None:
        rows.give_key(connection, archive, _digest(request.key))


def _find(connection: Connection, archive_hash: str) -> ArchiveRow:
    row = rows.find(connection, archive_hash)
    if row is None:
        raise NotFoundError("there is no archive with this hash; it may have expired")
    return row


def _whole(connection: Connection, hashes: Sequence[str]) -> set[str]:
    """Those of the archives that can be had."""
    whole = archives.c.hash.in_(hashes), archives.c.state == ArchiveState.COMPLETED
    return set(connection.execute(select(archives.c.hash).where(*whole)).scalars())


def _status(connection: Connection, archive_hash: str, origin: str) -> ArchiveStatus:
    return rows.status(connection, _find(connection, archive_hash), origin)


def _zip(connection: Connection, archive_hash: str) -> Zip:
    row = _find(connection, archive_hash)
    failed = rows.failures(connection, row.seq)
    last = [entry_of(rows.MANIFEST, rows.manifest(failed))] if failed else []
    there = rows.entries(connection, row.seq)
    return Zip(chain((Entry(e.name, e.size, e.crc32, e.blob) for e in there), last))


def _without_crc32(connection: Connection, archive_hash: str) -> list[tuple[int, str, str]]:
    """Objects of the archive that are from before CRC-32 was noted: row, blob and digest."""
    row = _find(connection, archive_hash)
    query = select(objects.c.seq, objects.c.blob, objects.c.oid).distinct().join(archive_members)
    wanted = query.where(archive_members.c.archive == row.seq, objects.c.crc32.is_(None))
    return [(each.seq, each.blob, each.oid) for each in connection.execute(wanted)]


def _note_crc32(connection: Connection, seq: int, key: str, crc32: int) -> None:
    same = (objects.c.seq == seq) & (objects.c.blob == key)
    connection.execute(objects.update().where(same).values(crc32=crc32))


def _crc32_of(blobs: Blobs, key: str, sha256: str) -> int:
    """The CRC-32 of a blob; BlobDamagedError when it is not what it was, so that none is noted."""
    crc32, at, digest = 0, 0, hashlib.sha256()
    blob = blobs.open(key)
    try:
        while piece := blob.read_at(at, _PIECE):
            crc32 = zlib_ng.crc32(piece, crc32)
            digest.update(piece)
            at += len(piece)
    finally:
        blob.close()
    if digest.hexdigest() != sha256:
        raise BlobDamagedError(key, "has other bytes than when it was stored")
    return crc32


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
