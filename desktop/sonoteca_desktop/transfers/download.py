"""Carries out a download: one stream into a part file, checked before it gets its name.

The order is always the same: bytes, then fdatasync, then the journal. So what the journal counts
is on the disk, and only what came after that is fetched again when the power fails. When only the
program was killed, nothing is.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import requests

from sonoteca_desktop.client import Client, ServerUnreachableError, read_some
from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.plan import CorruptError, read_reply
from sonoteca_desktop.transfers.rangecache import RangeCache

# What has arrived is taken at once; more of it at a time costs a tenth less than 256 KiB.
_BLOCK = 1 << 20
SYNC_BYTES = 8 << 20
SYNC_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to fetch, and as which file."""

    url: str
    size: int
    etag: str
    sha256: str
    path: Path
    part: Path


@dataclass(frozen=True, slots=True)
class Landed:
    """The finished file, which may have got a number; and what to tell the user of it."""

    path: Path
    note: str = ""


class Download:
    """One run of a download, from where the journal says that the bytes are safe."""

    def __init__(
        self,
        client: Client,
        wanted: Wanted,
        durable: int,
        control: Control,
        cache: RangeCache | None = None,
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._control = control
        self._cache = cache
        self._durable = durable
        self._position = durable
        self._synced_at = time.monotonic()
        # Runs along as long as all bytes pass through this very run.
        self._sha256 = None if durable else hashlib.sha256()

    def run(self) -> Landed:
        """Fetch what is missing, compare, and give the file its name."""
        wanted = self._wanted
        with target.local_trouble(wanted.path):
            if not wanted.part.exists():
                copy = target.find_copy(
                    wanted.path, wanted.size, wanted.sha256, self._control.go_on
                )
                if copy is not None:
                    self._control.begin_check()
                    return Landed(copy, "already there")
            with target.open_part(wanted.part) as file:
                self._fetch(file)
                self._control.begin_check()
                self._verify(file)
            path = target.land(wanted.part, wanted.path)
        return Landed(path, "" if path == wanted.path else f"saved as {path.name}")

    def _fetch(self, file: BinaryIO) -> None:
        size = file.seek(0, 2)
        if size < self._durable:
            self._begin_again(file)  # somebody removed or cut it
        elif self._durable < size <= self._wanted.size and target.is_of_this_boot(file):
            self._position, self._sha256 = size, None
            self._sync(file)
        if self._cache is not None:
            # Before the file is cut: who listens must not read what goes.
            self._cache.lend(file.fileno(), self._durable)
        # What lies past the durable bytes may be anything, after a power cut.
        file.truncate(self._durable)
        file.seek(self._durable)
        while self._position < self._wanted.size:
            try:
                if not self._take_heard(file):
                    self._fetch_piece(file)
            finally:
                self._tell(comes=False)
                self._sync(file)

    def _take_heard(self, file: BinaryIO) -> bool:
        """Take the bytes here that were heard already; whether there were any."""
        start = self._position
        while self._heard():
            assert self._cache is not None
            self._control.go_on()
            self._keep(file, self._cache.read(self._position, _BLOCK))
        return self._position > start

    def _heard(self) -> bool:
        return self._cache is not None and self._cache.available(self._position) > 0

    def _tell(self, *, comes: bool) -> None:
        """Let those who listen know how far we are, and whether we go on from there."""
        if self._cache is not None:
            self._cache.lent(self._position, comes=comes)

    def _fetch_piece(self, file: BinaryIO) -> None:
        wanted, start = self._wanted, self._position
        gap = self._cache.gap(start) if self._cache is not None else None
        end = gap.end if gap is not None and gap.end < wanted.size else None
        self._tell(comes=True)
        with self._control.breaking(self._client.line.cut):
            response = self._client.get_from(wanted.url, start, etag=wanted.etag, end=end)
        with response, self._control.reading(response):
            piece = read_reply(
                response.status_code,
                response.headers,
                start=start,
                size=wanted.size,
                etag=wanted.etag,
            )
            if piece.start != start:
                self._begin_again(file)
                self._cache = None  # a server without ranges: there are no parts to fill in
            self._receive(response, file, piece.end)

    def _receive(self, response: requests.Response, file: BinaryIO, end: int) -> None:
        """Take the bytes up to `end`; what a server sends after that is not asked for."""
        while self._position < end and not self._heard():
            data = self._read(response, min(_BLOCK, end - self._position))
            if not data:
                raise ServerUnreachableError("The connection broke: the server sent too little")
            self._keep(file, data)

    def _read(self, response: requests.Response, wanted: int) -> bytes:
        if self._cache is not None and self._cache.hurried:
            self._control.go_on()
            return read_some(response, wanted)  # somebody listens: that is not limited
        allowed = self._control.take(wanted)
        data = read_some(response, allowed)
        self._control.give_back(allowed - len(data))
        return data

    def _keep(self, file: BinaryIO, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[file.write(rest) :]
        if self._sha256 is not None:
            self._sha256.update(data)
        self._position += len(data)
        self._tell(comes=True)
        self._control.progressed(self._position)
        unsafe = self._position - self._durable
        if unsafe >= SYNC_BYTES or time.monotonic() - self._synced_at >= SYNC_SECONDS:
            self._sync(file)

    def _sync(self, file: BinaryIO) -> None:
        self._synced_at = time.monotonic()
        if self._position == self._durable:
            return
        target.sync(file)
        self._durable = self._position
        self._control.committed(self._durable)

    def _begin_again(self, file: BinaryIO) -> None:
        # The journal first: it must never count bytes that are being replaced by others.
        self._durable = self._position = 0
        self._tell(comes=False)
        self._control.committed(0)
        self._control.progressed(0)
        file.seek(0)
        file.truncate(0)
        self._sha256 = hashlib.sha256()

    def _verify(self, file: BinaryIO) -> None:
        wanted = self._wanted
        # What went through our hands counts only if it is what lies there under this name.
        if self._sha256 is not None and target.is_whole(file, wanted.part, wanted.size):
            given = self._sha256.hexdigest()
        else:
            given = target.digest(wanted.part, self._control.go_on)
        if given != wanted.sha256:
            if self._cache is not None:
                self._cache.forget()  # some of the wrong bytes may be from there
            raise CorruptError(expected=wanted.sha256, given=given)
