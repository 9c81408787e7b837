"""Bytes by name: blobs under random keys, written once and never changed.

`Blobs` is what every store can do, so it asks for nothing that an object store lacks: no renaming,
no appending to what is kept, no listing that is promised to be up to date to the moment. What only
some stores can do is a Protocol of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sonoteca_shared.errors import SonotecaError


class BlobDamagedError(SonotecaError):
    """A blob is not what the catalogue says of it, so it is not sent as if it were whole."""

    code = "blob-damaged"

    def __init__(self, key: str, fault: str) -> None:
        super().__init__(
            f"the stored bytes are damaged on the server (blob {key} {fault}); "
            "uploading the good file again mends them"
        )
        self.key = key
        self.fault = fault


class BlobMissingError(BlobDamagedError):
    """There is no blob with this key, although the catalogue names it."""

    code = "blob-missing"

    def __init__(self, key: str) -> None:
        super().__init__(key, "is missing")


@dataclass(frozen=True, slots=True)
class Listed:
    """A blob as a listing shows it; `kept` is when, in seconds since the epoch."""

    key: str
    kept: float


class Sink(Protocol):
    """What bytes can be added to until they are dropped, one call at a time."""

    def append(self, data: bytes | bytearray | memoryview, /) -> None:
        """Add bytes at the end; NoSpaceError when they do not fit."""
        ...

    def discard(self) -> None:
        """Drop the bytes."""
        ...


class Incoming(Sink, Protocol):
    """Bytes on their way in: appended, hashed as they come, readable again, then kept or dropped.

    Not thread-safe: one call at a time, from whichever thread.
    """

    @property
    def size(self) -> int:
        """How many bytes there are so far."""
        ...

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in lower-case hexadecimal."""
        ...

    @property
    def crc32(self) -> int:
        """The CRC-32 of all bytes so far, as a zip has it."""
        ...

    def read_at(self, offset: int, count: int, /) -> bytes:
        """Up to `count` bytes from `offset`."""
        ...

    def discard(self) -> None:
        """Drop the bytes, wherever they got to; does nothing to what is kept by now."""
        ...


class Blob(Protocol):
    """A blob that is open: it can be read to its end even when it is discarded meanwhile."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    @property
    def descriptor(self) -> int | None:
        """The file that it is, which the system can send by itself; None where there is none."""
        ...

    def read_at(self, offset: int, count: int, /) -> bytes:
        """Up to `count` bytes from `offset`; from any thread, several at a time."""
        ...

    def close(self) -> None:
        """Let it go; a second call does nothing."""
        ...


class Blobs(Protocol):
    """A store of blobs; every call may block, so it is made in a thread."""

    def begin(self) -> Incoming:
        """Nothing yet, to append to; NoSpaceError when there is no room even for that."""
        ...

    def keep(self, part: Incoming, /) -> str:
        """Make what came in a blob under a new, random key. Durable when this returns.

        NoSpaceError when it does not fit; then, as after any failure, no blob was made.
        """
        ...

    def open(self, key: str, /) -> Blob:
        """A blob, to be read; BlobMissingError when it is not there."""
        ...

    def discard(self, key: str, /) -> None:
        """Drop a blob that no row names; one that is not there is dropped already."""
        ...

    def list_blobs(self, ending: str = "") -> Iterator[Listed]:
        """The blobs whose keys end so, in any order.

        Every one that was kept before and is not discarded meanwhile is among them. OSError when
        something cannot be read: a listing that goes through is whole.
        """
        ...

    def room(self, *, least: int) -> int:
        """How many bytes fit until only `least` are free."""
        ...

    def check_room(self, count: int, *, least: int) -> None:
        """NoSpaceError unless `count` more bytes would leave `least` free."""
        ...

    def sweep(self) -> None:
        """Drop what killed processes left on its way in; what comes in here now is not touched."""
        ...


class Filed(Protocol):
    """What only a store of local files has: a file that the system itself can send."""

    def path(self, key: str, /) -> Path:
        """Where the blob is."""
        ...
