"""Archives: files of ours or of others, put together as a zip that is laid out when asked for.

An archive of our own sounds is whole as soon as it is noted; one of URLs when its job has fetched
them. What it holds is decided then: whatever becomes of the sounds, its bytes stay the same until
it expires.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from sqlalchemy import Connection, select

from sonoteca_server.catalog import Catalog, jobs
from sonoteca_server.catalog.schema import archive_members, objects
from sonoteca_server.library import archive_rows as rows
from sonoteca_server.library.archive_rows import (
    ArchiveRow,
    ArchiveState,
    Draft,
    Finished,
    OnError,
)
from sonoteca_server.library.choices import Choice
from sonoteca_server.library.zips import VERSION, Entry, Zip, entry_of
from sonoteca_server.storage import BlobDamagedError, Blobs
from sonoteca_shared.errors import ConflictError, NotFoundError
from sonoteca_shared.models import ArchiveStatus

KIND = "archive"
"""What the jobs are called that fetch the files of archives."""

_PIECE = 1 << 20
# Layouts are kept for whoever comes for the next range, of so many files together.
_KEPT_FILES = 300_000
_EXPIRED_AT_ONCE = 20


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
        self._layouts: OrderedDict[str, asyncio.Task[Zip]] = OrderedDict()

    async def create(self, request: ArchiveRequest) -> str:
        """A new archive, or the one that the same request with the same key made; its hash.

        KeyReusedError when the key came with another request.
        """
        archive_hash = await self._catalog.write(self._create, request)
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
        await self._catalog.write(self._cancel, archive_hash)
        self._wake()
        self.forget(archive_hash)

    async def expire(self) -> int:
        """Forget the archives whose time is over; how many they were."""
        count = 0
        while expired := await self._catalog.write(rows.expire, _EXPIRED_AT_ONCE):
            count += expired
        return count

    async def layout(self, archive_hash: str) -> Zip:
        """The zip of a whole archive."""
        task = self._layouts.get(archive_hash)
        if task is None:
            task = asyncio.create_task(self._lay_out(archive_hash))
            self._layouts[archive_hash] = task
        try:
            zipped = await asyncio.shield(task)
        except BaseException:
            self.forget(archive_hash)
            raise
        self._keep_few(archive_hash)
        return zipped

    def forget(self, archive_hash: str) -> None:
        """Lay this archive out anew next time: a blob of it may have been mended."""
        self._layouts.pop(archive_hash, None)

    def _keep_few(self, latest: str) -> None:
        if latest in self._layouts:
            self._layouts.move_to_end(latest)
        while len(self._layouts) > 1 and sum(map(_files, self._layouts.values())) > _KEPT_FILES:
            self._layouts.popitem(last=False)

    async def _lay_out(self, archive_hash: str) -> Zip:
        for seq, key, sha256 in await self._catalog.read(_without_crc32, archive_hash):
            crc32 = await asyncio.to_thread(_crc32_of, self._blobs, key, sha256)
            await self._catalog.write(_note_crc32, seq, key, crc32)
        return await self._catalog.read(_zip, archive_hash)

    def _create(self, connection: Connection, request: ArchiveRequest) -> str:
        key_digest = _digest(request.key) if request.key is not None else None
        known = rows.find_by_key(connection, key_digest) if key_digest is not None else None
        if known is not None:
            if known.request_digest != request.digest:
                raise KeyReusedError
            return str(known.hash)
        draft = Draft(
            hash=rows.new_hash(),
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
            args = {"archive": draft.hash}
            job = jobs.submit_now(connection, KIND, args, subject=draft.hash)
            rows.add_urls(connection, archive, request.urls, job)
        else:
            choice = request.choose(connection)
            rows.add_sounds(connection, archive, choice.sounds, choice.missing)
            self._told(connection, rows.finish(connection, draft.hash))
        return draft.hash

    def _cancel(self, connection: Connection, archive_hash: str) -> None:
        row = _find(connection, archive_hash)
        if row.state in (ArchiveState.FAILED, ArchiveState.CANCELLED):
            return
        if row.job is not None:
            jobs.cancel(connection, row.job)
        self._told(connection, rows.cancel(connection, row))


def _find(connection: Connection, archive_hash: str) -> ArchiveRow:
    row = rows.find(connection, archive_hash)
    if row is None:
        raise NotFoundError("there is no archive with this hash; it may have expired")
    return row


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
            crc32 = zlib.crc32(piece, crc32)
            digest.update(piece)
            at += len(piece)
    finally:
        blob.close()
    if digest.hexdigest() != sha256:
        raise BlobDamagedError(key, "has other bytes than when it was stored")
    return crc32


def _files(task: asyncio.Task[Zip]) -> int:
    done = task.done() and not task.cancelled() and task.exception() is None
    return len(task.result()) if done else 0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
