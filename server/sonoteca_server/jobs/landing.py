"""Where a fetched file lands: a part that outlives this process.

Bytes are synced before the ledger promises them, so what a killed process had told is never asked
for again, and what it had not is cut off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec, TypeVar

from sonoteca_server.jobs.ledger import Ledger
from sonoteca_server.jobs.replies import Standing
from sonoteca_server.storage import Incoming
from sonoteca_server.storage.growing import GrowingParts, PartLostError
from sonoteca_shared.ids import new_id

_CHECKPOINT_BYTES = 8 << 20
_CHECKPOINT_S = 2.0

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many bytes all files of an archive may have, 0 for any; and who says what still fits."""

    max_bytes: int
    check_room: Callable[[int], None]


class Landing:
    """Where one file lands, going on from what an earlier process had made certain."""

    def __init__(self, place: str, ledger: Ledger, parts: GrowingParts, limits: Limits) -> None:
        self._key, self.standing = ledger.find(place)
        self._part = parts.resume(self._key, self.standing.offset, _Nobody) if self._key else None
        self._place = place
        self._ledger = ledger
        self._parts = parts
        self._limits = limits
        self._certain = _Certain(self.standing.offset)
        self._working: asyncio.Future[Any] | None = None

    async def open(self) -> None:
        """Find what is there already; what another process still has, or lost, begins anew."""
        if self._part is None:
            return
        try:
            await self._run(self._part.open, alone=True)
        except PartLostError:
            self._part = None
            self._set(Standing())

    async def begin(self, standing: Standing) -> None:
        """Go on from the offset of the standing; without one the file begins anew."""
        if standing.total is not None:
            self._ledger.check(self._place, standing.total, self._limits.max_bytes)
            self._limits.check_room(standing.total - standing.offset)
        if standing.offset == 0:
            await self.discard()
            self._key = new_id()
            self._ledger.keys.add(self._key)
            await asyncio.to_thread(self._parts.begin, self._key)
            self._part = self._parts.resume(self._key, 0, _Nobody)
            await self._run(self._part.open, alone=True)
            self._certain = _Certain()
        self._set(standing)

    async def append(self, data: bytes) -> None:
        """Take the next bytes, and promise those so far now and then."""
        assert self._part is not None
        self._ledger.check(self._place, self._part.size + len(data), self._limits.max_bytes)
        await self._run(self._part.append, data)
        self._set(replace(self.standing, offset=self._part.size))
        if self._certain.is_old(self._part.size):
            self._limits.check_room(0)
            await self._run(self._part.sync)
            await self._ledger.promise(self._place, self._key, self.standing)
            self._certain = _Certain(self._part.size)

    async def finish(self, keep: Callable[[Incoming], Awaitable[T]]) -> T:
        """What `keep` makes of the part, which is open and has the digests of all of it.

        PartLostError when it is gone, or another process has it.
        """
        assert self._part is not None
        await self._run(self._part.open, alone=True)
        await self._run(self._part.catch_up)
        return await self._unbroken(keep(self._part))

    async def close(self) -> None:
        """Leave the bytes for whoever goes on with them."""
        if self._working is not None:
            # Never beside a write: the number of a closed file may be another one's by now.
            await asyncio.wait({self._working})
            self._working.exception()
        if self._part is not None:
            self._part.close()

    async def discard(self) -> None:
        """Drop the bytes that are here."""
        await self.close()
        self._part = None
        if self._key:
            await asyncio.to_thread(self._parts.discard, self._key)
            self._ledger.keys.discard(self._key)

    async def _run(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        return await self._unbroken(asyncio.to_thread(work, *args, **options))

    async def _unbroken(self, work: Awaitable[T]) -> T:
        """What comes of this, which uses the open part and goes on when we are cancelled."""
        working = self._working = asyncio.ensure_future(work)
        return await asyncio.shield(working)

    def _set(self, standing: Standing) -> None:
        self.standing = standing
        self._ledger.note(self._place, standing)


class _Nobody:
    """Whoever listens to any file; only sounds are listened to."""

    def feed(self, part: bytes | bytearray | memoryview, /) -> None:
        """Let them pass."""


@dataclass(frozen=True, slots=True)
class _Certain:
    """How many bytes are certain, and since when."""

    size: int = 0
    since: float = field(default_factory=time.monotonic)

    def is_old(self, size: int) -> bool:
        """Whether so many bytes make it worth another sync."""
        late = time.monotonic() - self.since >= _CHECKPOINT_S
        return late or size - self.size >= _CHECKPOINT_BYTES
