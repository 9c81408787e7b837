"""Uploads that can be resumed: begin, append, finish, expire.

Truth is a part, which holds the bytes, and a row, which says how many of them are certain. Bytes
are synced before the row says so, and the row before anybody is told. One request at a time holds
an upload; who comes next asks it to let go, for a client that returns knows that its line broke
before the server does.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlalchemy import Connection

from sonoteca_server.catalog import Catalog
from sonoteca_server.library import upload_rows as rows
from sonoteca_server.library.ingest import Admitted, Ingest, Wish, parse_wish
from sonoteca_server.library.objects import DigestMismatchError
from sonoteca_server.library.repositories import checked_name
from sonoteca_server.library.upload_rows import DONE, EXPIRED, OPEN, REFUSED, Record
from sonoteca_server.storage.growing import GrowingPart, GrowingParts, PartLostError
from sonoteca_shared.digests import is_digest
from sonoteca_shared.errors import (
    BadRequestError,
    NameTakenError,
    NotAWavError,
    NotFoundError,
    SonotecaError,
)
from sonoteca_shared.ids import is_id, new_id
from sonoteca_shared.names import clean_name
from sonoteca_shared.tus import (
    PARTIAL,
    Creation,
    UploadFinalError,
    UploadGoneError,
    parse_metadata,
    parts_of,
)
from sonoteca_shared.wav.audio_digest import AudioHasher

Part: TypeAlias = GrowingPart[AudioHasher]

_PIECE = 1 << 20
# What became of an upload is told for a day: the last answer may have been lost on its way.
_TOLD_S = 86_400.0
# While bytes come, those so far are made certain this often: what was not has to be sent again
# after a crash.
_CHECKPOINT_S = 5.0
_CHECKPOINT_BYTES = 8 << 20
# What says that these bytes never become a sound as they were asked to.
_REFUSALS = (NotAWavError, DigestMismatchError, NameTakenError)
_GONE = {
    REFUSED: "the upload was refused and its bytes dropped",
    EXPIRED: "the upload was quiet for too long and its bytes dropped",
}


@dataclass(slots=True)
class _Entry:
    """An upload as this process knows it, beyond what the catalogue does."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    let_go: Callable[[], None] | None = None
    waiting: int = 0
    part: Part | None = None

    @property
    def busy(self) -> bool:
        """Whether anybody has it, or wants it."""
        return self.lock.locked() or bool(self.waiting)


class Held:
    """An upload in the hands of one request; `release` it in any case."""

    def __init__(self, uploads: Uploads, entry: _Entry, record: Record) -> None:
        self.record = record
        self._uploads = uploads
        self._entry = entry
        self._start = record.upload.offset
        self._over = asyncio.Event()
        self._due = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._checkpoints: asyncio.Task[None] | None = None

    @property
    def part(self) -> Part:
        """Where its bytes are; only of an upload that is open."""
        assert self._entry.part is not None
        return self._entry.part

    @property
    def whole(self) -> bool:
        """Whether all bytes are there of what is to become a sound."""
        record = self.record
        return record.state == OPEN and record.upload.complete and record.concat != PARTIAL

    @property
    def _uncertain(self) -> int:
        """How many bytes have come that a crash may take away again."""
        return self.part.size - self.record.upload.offset

    def begin_append(self, offset: int, count: int, length: int | None = None) -> None:
        """Refuse, or get ready for, `count` more bytes for `offset`, of `length` in all."""
        if parts_of(self.record.concat):
            raise UploadFinalError("this upload is made of others, and takes no bytes of its own")
        upload = self.record.upload.fix(length)
        upload.accept(offset, count)
        if self.record.state != OPEN:
            raise UploadFinalError("this upload is a sound already, and takes no more bytes")
        self.record = replace(self.record, upload=upload)
        self._start = offset

    def keep_checkpoints(self) -> None:
        """Make certain what has come now and then, until `release` or `save`."""
        self._checkpoints = asyncio.create_task(self._keep_checkpoints())

    def check_length(self, count: int) -> None:
        """LengthExceededError when `count` bytes after those in the part are too many.

        Called from the thread that writes.
        """
        replace(self.record.upload, offset=self.part.size).accept(self.part.size, count)
        if self._uncertain >= _CHECKPOINT_BYTES:
            self._loop.call_soon_threadsafe(self._due.set)

    async def save(self) -> None:
        """Make every byte that has come certain: from now on the offset may be told."""
        await self._end_checkpoints()
        await self._save()

    async def drop(self) -> None:
        """Drop what has come since `begin_append`, of which nobody was told."""
        await self._end_checkpoints()
        await asyncio.to_thread(self.part.cut, self._start)
        await self._save()

    def stay(self) -> None:
        """From now on it is ours alone to finish; whoever comes next waits."""
        self._entry.let_go = None

    async def finish(self) -> None:
        """Make a sound of it. NotAWavError, DigestMismatchError or NameTakenError refuse it.

        After any other failure it is as it was, and can be finished again.
        """
        self.stay()
        self.record = await self._uploads.seal(self.record, self._entry)

    async def release(self) -> None:
        """Let others have it."""
        await self._end_checkpoints()
        self._uploads.release(self.record.key, self._entry)

    async def _end_checkpoints(self) -> None:
        self._over.set()
        self._due.set()
        if self._checkpoints is not None:
            await asyncio.wait({self._checkpoints})

    async def _keep_checkpoints(self) -> None:
        while not self._over.is_set():
            enough = _CHECKPOINT_BYTES
            try:
                async with asyncio.timeout(_CHECKPOINT_S):
                    await self._due.wait()
            except TimeoutError:
                enough = 1
            self._due.clear()
            if not self._over.is_set() and self._uncertain >= enough:
                # A disk that is full is told to whoever asks for more of it than this.
                with contextlib.suppress(SonotecaError, OSError):
                    await self._save()

    async def _save(self) -> None:
        upload = replace(self.record.upload, offset=self.part.size)
        self.record = await self._uploads.save(replace(self.record, upload=upload), self.part)


class Uploads:
    """The uploads of one library; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        catalog: Catalog,
        parts: GrowingParts,
        ingest: Ingest,
        *,
        expiry_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalog = catalog
        self._parts = parts
        self._ingest = ingest
        self._expiry_s = expiry_s
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    async def begin(self, creation: Creation, check_room: Callable[[int], None]) -> Record:
        """A new, empty upload; NoSpaceError when the disk cannot take it beside the others."""
        if not creation.partial:
            _read_wish(creation.metadata)
        await self.check_fits(creation.length or 0, check_room)
        key = new_id()
        self._entries[key] = _Entry(waiting=1)  # so that no sweep takes its part for a stray one
        try:
            await asyncio.to_thread(self._parts.begin, key)
            expires = self._clock() + self._expiry_s
            return await self._catalog.write(rows.add, key, creation, expires)
        finally:
            del self._entries[key]

    async def check_fits(self, count: int, check_room: Callable[[int], None]) -> None:
        """NoSpaceError unless so many bytes fit beside those that other uploads still bring."""
        awaited = await self._catalog.read(rows.awaited)
        await asyncio.to_thread(check_room, awaited + count)

    async def hold(self, key: str, let_go: Callable[[], None] | None = None) -> Held:
        """Have an upload for oneself; `let_go` is called when another wants it."""
        entry = self._entries.setdefault(key, _Entry())
        entry.waiting += 1
        try:
            if entry.let_go is not None:
                entry.let_go()
            await entry.lock.acquire()
        finally:
            entry.waiting -= 1
        try:
            held = Held(self, entry, await self._open(key, entry))
        except BaseException:
            self.release(key, entry)
            raise
        entry.let_go = let_go
        if entry.waiting and let_go is not None:
            let_go()  # somebody came while we waited ourselves
        return held

    def release(self, key: str, entry: _Entry) -> None:
        """Let the next one have it."""
        if entry.part is not None:
            entry.part.close()
        entry.let_go = None
        entry.lock.release()
        if entry.part is None and not entry.waiting:
            self._entries.pop(key, None)

    async def save(self, record: Record, part: Part) -> Record:
        """Bytes first, then the row that promises them."""
        await asyncio.to_thread(part.sync)
        expires = self._clock() + self._expiry_s
        await self._catalog.write(rows.advance, record.key, record.upload, expires)
        return replace(record, expires=expires)

    async def seal(self, record: Record, entry: _Entry) -> Record:
        """Make a sound of what is whole, in one transaction, or refuse it for good."""
        part, entry.part = entry.part, None
        assert part is not None
        try:
            admitted = await self._admit(record, part)
        except _REFUSALS as error:
            until = self._clock() + self._expiry_s
            await self._catalog.write(rows.end, record.key, REFUSED, error.code, until)
            await asyncio.to_thread(self._parts.discard, record.key)
            raise
        finally:
            part.close()
        await asyncio.to_thread(self._parts.discard, record.key)
        return replace(record, state=DONE, outcome=admitted.id)

    async def _admit(self, record: Record, part: Part) -> Admitted:
        wish, expected = _read_wish(record.metadata)
        if part.size == 0:
            raise NotAWavError("the file is empty", offset=0)
        await asyncio.to_thread(part.catch_up)
        if expected not in ("", part.sha256):
            raise DigestMismatchError(expected=expected, present=part.sha256)
        until = self._clock() + _TOLD_S

        def note(connection: Connection, admitted: Admitted) -> None:
            rows.end(connection, record.key, DONE, admitted.id, until)
            rows.expire_parts(connection, map(key_of, parts_of(record.concat)), until)

        return await self._ingest.admit(part, wish, part.listener, note)

    async def concatenate(self, creation: Creation, check_room: Callable[[int], None]) -> Record:
        """A new upload made of partial ones, which have to be whole; not finished yet."""
        length = 0
        for address in creation.parts:
            piece = await self._catalog.read(rows.find, key_of(address))
            whole = piece is not None and piece.state == OPEN and piece.upload.complete
            if piece is None or not whole or piece.concat != PARTIAL:
                raise BadRequestError("a final upload is made of partial ones that are whole")
            length += piece.upload.offset
        return await self.begin(replace(creation, length=length), check_room)

    async def fill(self, held: Held) -> None:
        """Copy into a final upload what it is made of."""
        for address in parts_of(held.record.concat):
            piece = await self.hold(key_of(address))
            try:
                await asyncio.to_thread(_copy, piece.part, held.part)
            finally:
                await piece.release()
        await held.save()

    async def remove(self, held: Held) -> None:
        """Forget an upload and its bytes; a sound that it has become stays."""
        await self._catalog.write(rows.remove, held.record.key)
        await self._discard(held.record.key, held._entry)

    async def _discard(self, key: str, entry: _Entry) -> None:
        part, entry.part = entry.part, None
        if part is not None:
            part.close()
        await asyncio.to_thread(self._parts.discard, key)

    async def expire(self) -> None:
        """Drop the bytes of uploads that were quiet for too long, and forget what is long over."""
        now = self._clock()
        await self._catalog.write(rows.expire, now, now + self._expiry_s)
        present = await asyncio.to_thread(lambda: set(self._parts.list_keys()))
        # Before the rows are read: whose part is listed and whose row is not there yet is in here.
        busy = {key for key, entry in self._entries.items() if entry.busy}
        strays = present - busy - await self._catalog.read(rows.list_open)
        for key in strays:
            if (entry := self._entries.get(key)) is None or not entry.busy:
                self._entries.pop(key, None)
                await asyncio.to_thread(self._parts.discard, key)

    async def _open(self, key: str, entry: _Entry) -> Record:
        record = await self._catalog.read(rows.find, key) if is_id(key) else None
        if record is None:
            raise NotFoundError("there is no such upload")
        if record.state == OPEN and record.expires <= self._clock():
            raise UploadGoneError(_GONE[EXPIRED])
        if record.state != OPEN:
            await asyncio.to_thread(self._parts.discard, key)  # a killed server may have left it
        if record.state in _GONE:
            raise UploadGoneError(_GONE[record.state], refused=record.outcome or "")
        if record.state == OPEN:
            if entry.part is None:
                entry.part = self._parts.resume(key, record.upload.offset, AudioHasher)
            try:
                await asyncio.to_thread(_open, entry.part, record.upload.offset)
            except PartLostError as error:
                entry.part = None
                raise UploadGoneError(str(error)) from error
        return record

    async def close(self) -> None:
        """Ask whoever holds an upload to let go, and wait until what came is certain."""
        for entry in list(self._entries.values()):
            if entry.let_go is not None:
                entry.let_go()
            async with entry.lock:
                pass


def key_of(address: str) -> str:
    """The upload that an address ends with."""
    return address.rpartition("/")[2]


def _open(part: Part, certain: int) -> None:
    part.open()
    if part.size > certain:  # it could not be made certain, so nobody was told
        part.cut(certain)


def _copy(source: Part, target: Part) -> None:
    at = 0
    while piece := source.read_at(at, _PIECE):
        target.append(piece)
        at += len(piece)


def _read_wish(metadata: str) -> tuple[Wish, str]:
    """What an upload's metadata ask for, and the SHA-256 that they announce or ""."""
    given: dict[str, str] = {}
    for key, value in parse_metadata(metadata).items():
        try:
            given[key] = value.decode()
        except UnicodeDecodeError as error:
            if key in _WORDS:
                raise BadRequestError(f"“{key}” in Upload-Metadata is not UTF-8") from error
    expected = given.get("sha256", "")
    if expected and not is_digest(expected):
        raise BadRequestError("“sha256” in Upload-Metadata is 64 lower-case hex digits")
    wish = parse_wish(given, clean_name(given.get("filename") or given.get("name", "")))
    checked_name(wish.repository)
    return wish, expected


_WORDS = ("filename", "name", "sha256", "repository", "folder", "on_conflict", "on_duplicate")
