"""Whether bytes of a file are in memory, so that the loop may touch them; how to get them there."""

from __future__ import annotations

import os
import threading

_PIECE = 256 << 10
_NOWAIT = getattr(os, "RWF_NOWAIT", 0)

_of_thread = threading.local()


def is_cached(fd: int, offset: int, count: int) -> bool:
    """Whether reading these bytes would most likely not wait for a disk; costs microseconds.

    Looked at are the first, the middle and the last page. Where the system cannot tell (macOS) or
    there is no disk (tmpfs) they count as cached.
    """
    if not _NOWAIT:
        return True
    places = (offset, offset + count // 2, offset + count - 1)
    return all(_is_page_cached(fd, at) for at in places)


def _is_page_cached(fd: int, offset: int) -> bool:
    try:
        os.preadv(fd, [bytearray(1)], offset, _NOWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def warm(fd: int, offset: int, count: int) -> None:
    """Bring these bytes into memory, and have the system begin with those behind; blocks."""
    if not hasattr(_of_thread, "buffer"):
        _of_thread.buffer = memoryview(bytearray(_PIECE))
    os.posix_fadvise(fd, offset, 2 * count, os.POSIX_FADV_WILLNEED)
    for at in range(offset, offset + count, _PIECE):
        os.preadv(fd, [_of_thread.buffer[: offset + count - at]], at)
