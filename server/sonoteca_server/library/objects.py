"""Objects: bytes by content, one for each repository and digest, whoever brings them.

What comes in is kept under a blob of its own first and named by a row after; the transaction that
names it decides whether the new blob is used, and whoever lost drops its own. What goes out loses
its row, and the blob is left to upkeep: who reads it now reads it to its end.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Row, bindparam, exists, func, select

from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.catalog.conversions import BLOBS
from sonoteca_server.catalog.schema import objects, repositories, sounds
from sonoteca_server.library import analysis_rows
from sonoteca_server.library.repositories import HIDDEN, checked_name, find_or_make
from sonoteca_server.library.sounds import Content
from sonoteca_server.library.unused import drop_object, is_used
from sonoteca_server.storage import Blob, BlobMissingError, Blobs, Incoming
from sonoteca_shared.errors import ConflictError, NotAWavError, NotFoundError, SonotecaError
from sonoteca_shared.wav import probe

P = ParamSpec("P")
T = TypeVar("T")

_PIECE = 1 << 20
# Of so many blobs it is kept whether they are WAVs.
_KINDS = 10_000


class DigestMismatchError(SonotecaError):
    """The bytes that came are not those that their name says."""

    code = "digest-mismatch"

    def __init__(self, *, expected: str, present: str) -> None:
        super().__init__(
            f"the bytes that arrived have the SHA-256 {present}, not {expected}; nothing was kept"
        )


class ObjectInUseError(ConflictError):
    """The bytes belong to a sound, and are not for `/data` to take away."""

    code = "object-in-use"

    def __init__(self) -> None:
        super().__init__(
            "these bytes are a sound's or an archive's: delete the sound, and they go when it goes "
            "from the trash, or when the archive expires"
        )


class ObjectMissingError(NotFoundError):
    """The repository does not have these bytes (any more): they have to be sent."""

    code = "object-missing"

    def __init__(self, repository: str, sha256: str) -> None:
        super().__init__(
            f"repository “{repository}” does not have the bytes {sha256}: upload the file itself"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An object that is there, and the digest of its sound if one of its sounds says it."""

    repository: str
    sha256: str
    size: int
    blob: str
    audio_sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Bytes that are durable under a new blob, on their way into the catalogue."""

    repository: str
    sha256: str
    size: int
    crc32: int
    blob: str
    # The blob that the catalogue had for these bytes already, if that one is not whole any more.
    damaged: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """The row of an object, and which blob no row names since."""

    repository: int
    seq: int
    unused: str | None


class Objects:
    """The objects of one library."""

    def __init__(self, catalog: Catalog, blobs: Blobs) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._kinds: dict[str, bool] = {}

    async def put(self, repository: str, part: Incoming, *, expected: str | None = None) -> None:
        """Have these bytes in the repository; they are there already when they were put before."""
        if expected is not None and part.sha256 != expected:
            raise DigestMismatchError(expected=expected, present=part.sha256)
        kept = await keep(self._catalog, self._blobs, part, repository)
        await enter(self._catalog, self._blobs, kept, _put)

    async def content(self, repository: str, oid: str, name: str) -> Content:
        """The bytes with this digest; NotFoundError when the repository has none."""
        row = await self._catalog.recall(_find, checked_name(repository), oid)
        if row is None:
            raise _not_found(repository, oid)
        is_wav = row.used or await self._is_wav(row.blob)
        name = name or f"{oid[:12]}.{'wav' if is_wav else 'bin'}"
        return Content(row.blob, row.oid, row.size, name, row.created, is_wav)

    async def _is_wav(self, key: str) -> bool:
        """Whether a blob can be heard: its head is read once, as its bytes never change."""
        if key not in self._kinds:
            while len(self._kinds) >= _KINDS:
                del self._kinds[next(iter(self._kinds))]
            self._kinds[key] = await asyncio.to_thread(_is_wav, self._blobs, key)
        return self._kinds[key]

    async def list_missing(self, repository: str, digests: list[str]) -> list[str]:
        """Those of the digests that the repository has no bytes of, in the order given."""
        known = await self._catalog.read(_known, checked_name(repository), digests)
        return [digest for digest in digests if digest not in known]

    async def delete(self, repository: str, oid: str) -> None:
        """Take away what was put; a sound keeps its bytes."""
        await self._catalog.write(_delete, checked_name(repository), oid)


async def keep(catalog: Catalog, blobs: Blobs, part: Incoming, repository: str) -> Kept:
    """Make a part durable as a blob, and look whether the one that is there is still good."""
    return await _keep(catalog, blobs, part, checked_name(repository))


async def keep_hidden(catalog: Catalog, blobs: Blobs, part: Incoming) -> Kept:
    """Make a part durable as a blob, for an archive alone."""
    return await _keep(catalog, blobs, part, HIDDEN)


async def _keep(catalog: Catalog, blobs: Blobs, part: Incoming, name: str) -> Kept:
    known = await catalog.read(_find, name, part.sha256)
    damaged = None
    if known is not None:
        fault = await asyncio.to_thread(fault_of, blobs, known.blob, known.size, part.sha256)
        damaged = known.blob if fault else None
    key = await asyncio.to_thread(blobs.keep, part)
    return Kept(
        repository=name,
        sha256=part.sha256,
        size=part.size,
        crc32=part.crc32,
        blob=key,
        damaged=damaged,
    )


async def known(catalog: Catalog, repository: str, sha256: str) -> Known:
    """The object with this digest; ObjectMissingError when the repository has none."""
    name = checked_name(repository)
    row = await catalog.read(find_known, name, sha256)
    return Known(
        repository=name,
        sha256=sha256,
        size=row.size,
        blob=row.blob,
        audio_sha256=row.audio_sha256,
    )


def find_known(connection: Connection, repository: str, oid: str) -> Row[*tuple[Any, ...]]:
    """The row of an object that a sound is to be made of."""
    audio = select(func.max(sounds.c.audio_sha256)).where(sounds.c.object == objects.c.seq)
    columns = (objects.c.seq, objects.c.repository, objects.c.size, objects.c.blob)
    query = select(*columns, audio.scalar_subquery().label("audio_sha256")).join(repositories)
    query = query.where(repositories.c.name == repository, objects.c.oid == oid)
    row = connection.execute(query).first()
    if row is None:
        raise ObjectMissingError(repository, oid)
    return row


async def enter(
    catalog: Catalog,
    blobs: Blobs,
    kept: Kept,
    function: Callable[Concatenate[Connection, Kept, P], tuple[Held, T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """The result of a transaction that names what was kept; the blob it has no use for is gone."""
    try:
        held, result = await catalog.write(function, kept, *args, **kwargs)
    except SonotecaError:
        # A refusal of ours wrote no row. After any other failure the blob stays: a blob
        # without a row is rubbish, a row without its blob is a lost recording.
        await asyncio.to_thread(blobs.discard, kept.blob)
        raise
    if held.unused is not None:
        await asyncio.to_thread(blobs.discard, held.unused)
    return result


def hold(connection: Connection, kept: Kept, at: str, *, put: bool = False) -> Held:
    """The row of these bytes: a new one, or the one that is there, mended when it was damaged.

    Looks first and writes after. Another writer may come between the two where there are several:
    then its row is in the way of ours, nothing of this is kept, and the catalogue calls us again.
    """
    repository = find_or_make(connection, kept.repository, at)
    is_heard = not put and kept.repository != HIDDEN
    content = {"size": kept.size, "blob": kept.blob, "crc32": kept.crc32}
    row = connection.execute(
        select(objects.c.seq, objects.c.blob, objects.c.put, objects.c.peaks_state).where(
            objects.c.repository == repository, objects.c.oid == kept.sha256
        )
    ).first()
    if row is None:
        values = {"repository": repository, "oid": kept.sha256, "put": int(put), "created": at}
        state = {} if is_heard else analysis_rows.UNWANTED
        made = connection.execute(objects.insert().values(values | content | state))
        assert made.inserted_primary_key is not None
        return Held(repository, int(made.inserted_primary_key[0]), unused=None)
    changed: dict[str, Any] = {"put": 1} if put and not row.put else {}
    if row.blob == kept.damaged:
        changed |= content
    if changed:
        connection.execute(objects.update().where(objects.c.seq == row.seq).values(changed))
    if is_heard:
        analysis_rows.want(connection, row.seq)
    unused = row.blob if "blob" in changed else kept.blob
    return Held(repository, row.seq, unused=unused)


def fault_of(blobs: Blobs, key: str, size: int, sha256: str | None = None) -> str | None:
    """What is wrong with a blob, in words that follow its name; None when it is whole.

    With a digest every byte is read.
    """
    try:
        blob = blobs.open(key)
        try:
            if blob.size != size:
                return f"has {blob.size} bytes instead of {size}"
            if sha256 is not None and _digest(blob) != sha256:
                return "has other bytes than when it was stored"
        finally:
            blob.close()
    except BlobMissingError as error:
        return error.fault
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise  # that says nothing about the blob
        return f"cannot be read ({error.strerror})"
    return None


def named_blobs(connection: Connection, ending: str) -> set[str]:
    """The keys that rows name and that end so."""
    names: set[str] = set()
    for column in BLOBS:
        query = select(column).where(column.endswith(ending))
        names.update(key for key in connection.execute(query).scalars() if key is not None)
    return names


def _put(connection: Connection, kept: Kept) -> tuple[Held, None]:
    return hold(connection, kept, feed.timestamp(feed.now(connection)), put=True), None


# Made once: it is asked for every part of every download.
_OBJECT = (
    select(
        objects.c.seq, objects.c.oid, objects.c.size, objects.c.created, objects.c.put,
        objects.c.blob, objects.c.peaks_blob,
        exists().where(sounds.c.object == objects.c.seq).label("used"),
    )
    .join(repositories)
    .where(repositories.c.name == bindparam("repository"), objects.c.oid == bindparam("oid"))
)  # fmt: skip


def _find(connection: Connection, repository: str, oid: str) -> Row[*tuple[Any, ...]] | None:
    return connection.execute(_OBJECT, {"repository": repository, "oid": oid}).first()


def _known(connection: Connection, repository: str, digests: list[str]) -> set[str]:
    query = select(objects.c.oid).join(repositories)
    query = query.where(repositories.c.name == repository, objects.c.oid.in_(digests))
    return set(connection.execute(query).scalars())


def _delete(connection: Connection, repository: str, oid: str) -> None:
    row = _find(connection, repository, oid)
    if row is None:
        raise _not_found(repository, oid)
    if not is_used(connection, row.seq):
        drop_object(connection, row, feed.now(connection).timestamp())
    elif row.put:
        connection.execute(objects.update().where(objects.c.seq == row.seq).values(put=0))
    else:
        raise ObjectInUseError


def _is_wav(blobs: Blobs, key: str) -> bool:
    blob = blobs.open(key)
    try:
        probe(blob.read_at, blob.size)
    except NotAWavError:
        return False
    finally:
        blob.close()
    return True


def _digest(blob: Blob) -> str:
    sha256, at = hashlib.sha256(), 0
    while at < blob.size:
        piece = blob.read_at(at, _PIECE)
        if not piece:
            break
        sha256.update(piece)
        at += len(piece)
    return sha256.hexdigest()


def _not_found(repository: str, oid: str) -> NotFoundError:
    return NotFoundError(f"there is no object {oid[:64]} in repository “{repository[:100]}”")
