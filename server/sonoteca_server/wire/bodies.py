"""Stored bytes onto the socket, a piece at a time, with the disk read in threads."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tornado.web import RequestHandler

from sonoteca_shared.ranges import ByteRange

_PIECE = 512 << 10
_disk = ThreadPoolExecutor(16, "bodies")


class ShortFileError(OSError):
    """A blob is shorter than its row says: damage, never sent as if it were whole."""


class OpenFile:
    """A file whose size was compared with what is known of it, before the head goes out."""

    def __init__(self, path: Path, size: int) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        present = os.fstat(self._fd).st_size
        if present != size:
            self.close()
            raise ShortFileError(f"blob {path.name} has {present} bytes, its row says {size}")

    def close(self) -> None:
        """Let the file go."""
        os.close(self._fd)

    async def send(self, handler: RequestHandler, part: ByteRange) -> None:
        """Write these bytes as the body; stops reading at once when the client is gone."""
        loop = asyncio.get_running_loop()
        at = part.start
        while at < part.end:
            count = min(_PIECE, part.end - at)
            data = await loop.run_in_executor(_disk, os.pread, self._fd, count, at)
            if len(data) != count:
                raise ShortFileError("a blob ended while it was sent")
            handler.write(data)
            await handler.flush()
            at += count


async def open_file(path: Path, size: int) -> OpenFile:
    """Open a blob in a thread; ShortFileError or FileNotFoundError when it is damaged."""
    return await asyncio.get_running_loop().run_in_executor(_disk, OpenFile, path, size)
