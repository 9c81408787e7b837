"""Stored bytes onto the socket, a piece at a time, with the disk read in threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from tornado.web import RequestHandler

from sonoteca_server.storage import BlobDamagedError, Blobs
from sonoteca_shared.ranges import ByteRange

_PIECE = 512 << 10
_disk = ThreadPoolExecutor(16, "bodies")


class OpenBlob:
    """A blob whose size was compared with what is known of it, before the head goes out."""

    def __init__(self, blobs: Blobs, key: str, size: int) -> None:
        self._key = key
        self._blob = blobs.open(key)
        if self._blob.size != size:
            self.close()
            raise BlobDamagedError(key, f"has {self._blob.size} bytes instead of {size}")

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; blocks, so it is called in a thread."""
        return self._blob.read_at(offset, count)

    def close(self) -> None:
        """Let the blob go."""
        self._blob.close()

    async def send(self, handler: RequestHandler, part: ByteRange) -> None:
        """Write these bytes as the body; stops reading at once when the client is gone."""
        loop = asyncio.get_running_loop()
        at = part.start
        while at < part.end:
            count = min(_PIECE, part.end - at)
            data = await loop.run_in_executor(_disk, self._blob.read_at, at, count)
            if len(data) != count:
                raise BlobDamagedError(self._key, "ended while it was sent")
            handler.write(data)
            await handler.flush()
            at += count


async def open_blob(blobs: Blobs, key: str, size: int) -> OpenBlob:
    """Open a blob in a thread; BlobDamagedError when it is not what its row says."""
    return await asyncio.get_running_loop().run_in_executor(_disk, OpenBlob, blobs, key, size)
