"""Bodies made of extents: their size is known before they are sent, and any range can be had.

A stored file is one extent, a region of a WAV a new header and a part of the file. Stored bytes go
from the page cache to the socket without entering Python where the store has files and the
connection is plain; elsewhere they are read in threads, a piece at a time.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from types import TracebackType
from typing import Protocol, TypeAlias, TypeVar

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from sonoteca_server.storage import Blob, BlobDamagedError
from sonoteca_server.wire.pagecache import is_cached, warm
from sonoteca_server.wire.sendfile import (
    CAN_SEND_FILES,
    WINDOW,
    SendingStream,
    ShrunkError,
)
from sonoteca_shared.ranges import ByteRange, Pieces

# Below this, bytes that are copied and joined to the head cost less than a call of their own.
_SMALL = 64 << 10
# As much is read at once where bytes have to be copied, and at first where a disk has to be waited
# for: who listens wants to hear soon.
_PIECE = 256 << 10

_SHRUNK = "ended while it was sent"

_Result = TypeVar("_Result")

_disk = ThreadPoolExecutor(32, "bodies")


@dataclass(frozen=True, slots=True)
class Slice:
    """The bytes from `start` up to, but without, `end` of a blob that has `size` of them."""

    key: str
    size: int
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def cut(self, start: int, end: int) -> Slice:
        """A part of it, counted from its beginning."""
        return Slice(self.key, self.size, self.start + start, self.start + end)


Extent: TypeAlias = bytes | Slice


class Body(Protocol):
    """What can be sent whole or in part."""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        ...

    def cut(self, part: ByteRange, /) -> Iterator[Extent]:
        """The extents that a range of it is made of."""
        ...


class Extents:
    """A body of extents that are known one by one."""

    def __init__(self, extents: Sequence[Extent]) -> None:
        self._extents = extents
        self._ends = list(accumulate(map(len, extents)))
        self.size = self._ends[-1] if self._ends else 0

    def cut(self, part: ByteRange) -> Iterator[Extent]:
        """The extents that a range of it is made of."""
        for number in range(bisect_right(self._ends, part.start), len(self._ends)):
            extent, end = self._extents[number], self._ends[number]
            begin = end - len(extent)
            if begin >= part.end:
                return
            first, last = max(0, part.start - begin), min(end, part.end) - begin
            if first < last:
                yield extent.cut(first, last) if isinstance(extent, Slice) else extent[first:last]


def extents_of(body: Body, pieces: Pieces) -> Iterator[Extent]:
    """What to send of a body, with the bytes that stand between its parts."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from body.cut(piece)


class Source(Protocol):
    """Where the blobs of extents are: a store, or one file alone."""

    def open(self, key: str, /) -> Blob:
        """A blob, to be read."""
        ...


class Outlet:
    """Sends extents as the body of one answer; holds open the blob that was needed last."""

    def __init__(self, blobs: Source, handler: RequestHandler) -> None:
        self._blobs = blobs
        self._handler = handler
        self._key = ""
        self._blob: Blob | None = None

    async def __aenter__(self) -> Outlet:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._close()

    async def open(self, extent: Slice) -> Blob:
        """The blob of this extent; BlobDamagedError when it is not as long as its row says."""
        if self._blob is None or self._key != extent.key:
            self._close()
            opening = partial(open_blob, self._blobs, extent.key, extent.size)
            self._blob = opening() if _near.knows(extent.key) else await in_thread(opening)
            self._key = extent.key
            _near.note(extent.key)
        return self._blob

    async def send(self, extents: Iterable[Extent]) -> None:
        """Send the head and these bytes; stops reading at once when the client is gone."""
        waiting = 0
        for extent in extents:
            if isinstance(extent, Slice):
                waiting = await self._send_slice(extent, await self.open(extent), waiting)
            else:
                self._handler.write(extent)
                waiting += len(extent)
            if waiting > _SMALL:
                await self._handler.flush()
                waiting = 0

    async def _send_slice(self, extent: Slice, blob: Blob, waiting: int) -> int:
        """Send stored bytes; how many bytes wait to be flushed now."""
        if len(extent) <= _SMALL:
            self._handler.write(await _read(blob, extent))
            return waiting + len(extent)
        await self._handler.flush()
        connection = self._handler.request.connection
        assert isinstance(connection, HTTP1Connection)
        if isinstance(connection.stream, SendingStream) and _is_sendable(blob):
            await _send_file(connection, connection.stream, blob, extent)
        else:
            await _send_read(connection, blob, extent)
        return 0

    def _close(self) -> None:
        blob, self._blob = self._blob, None
        if blob is not None:
            blob.close()


class _Near:
    """Which blobs were opened lately: the system knows where they are, so that opening is quick."""

    def __init__(self, most: int) -> None:
        self._keys: dict[str, None] = {}
        self._most = most

    def knows(self, key: str) -> bool:
        """Whether it is one of them."""
        return key in self._keys

    def note(self, key: str) -> None:
        """It was opened now; the one that this is longest ago for is forgotten."""
        self._keys.pop(key, None)
        self._keys[key] = None
        if len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]


_near = _Near(1_000)


def open_blob(blobs: Source, key: str, size: int) -> Blob:
    """Open a blob, which blocks; BlobDamagedError when it is not what its row says."""
    blob = blobs.open(key)
    if blob.size != size:
        blob.close()
        raise BlobDamagedError(key, f"has {blob.size} bytes instead of {size}")
    return blob


async def in_thread(work: Callable[[], _Result]) -> _Result:
    """The result of what waits for a disk, got without holding up anybody else."""
    return await asyncio.get_running_loop().run_in_executor(_disk, work)


def _is_sendable(blob: Blob) -> bool:
    return CAN_SEND_FILES and blob.descriptor is not None


async def _read(blob: Blob, extent: Slice) -> bytes:
    """The bytes of a small extent; BlobDamagedError when the blob ends before."""
    read = partial(blob.read_at, extent.start, len(extent))
    fd = blob.descriptor
    near = fd is not None and is_cached(fd, extent.start, len(extent))
    data = read() if near else await in_thread(read)
    if len(data) != len(extent):
        raise BlobDamagedError(extent.key, _SHRUNK)
    return data


async def _send_read(connection: HTTP1Connection, blob: Blob, extent: Slice) -> None:
    """Send what has to be read first: from another kind of store, or over TLS."""
    for at in range(0, len(extent), _PIECE):
        piece = extent.cut(at, min(at + _PIECE, len(extent)))
        await _write(connection, await _read(blob, piece))


async def _send_file(
    connection: HTTP1Connection, stream: SendingStream, blob: Blob, extent: Slice
) -> None:
    """Send a range of a file by the system's own hand."""
    fd, at, reach = blob.descriptor, 0, _PIECE
    assert fd is not None
    try:
        while at < len(extent):
            window = extent.cut(at, min(at + WINDOW, len(extent)))
            if not is_cached(fd, window.start, len(window)):
                window = window.cut(0, min(reach, len(window)))
                reach *= 2
                await in_thread(partial(warm, fd, window.start, len(window)))
            if len(window) <= _SMALL:
                await _write(connection, await _read(blob, window))
            else:
                await _write(connection, stream.file_view(fd, window.start, len(window)))
            at += len(window)
    finally:
        if isinstance(stream.error, ShrunkError):
            # Only the stream remembers: Tornado ends a write that broke as if it had gone well.
            raise BlobDamagedError(extent.key, _SHRUNK)
        if at < len(extent):
            # What still waits in the stream must not outlive the descriptor, which may be another
            # file's in a moment.
            stream.close()


async def _write(connection: HTTP1Connection, data: bytes | memoryview) -> None:
    """Write, and wait until the kernel has it; StreamClosedError when it did not get all."""
    written = connection.write(data)  # type: ignore[arg-type]  # streams take views
    if written.done():
        await asyncio.sleep(0)  # else a fast reader keeps the loop for itself
    await written
    if connection.stream.closed():
        # Tornado's future does not say whether the bytes went out or were given up.
        raise StreamClosedError(connection.stream.error)
