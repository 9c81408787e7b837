"""Drops what nobody refers to: late, in two steps, and not at all when anything is in doubt.

Sounds go from the trash when their time there is over, and what they alone used is unused then.

First a blob that no row names, or an object that no one uses, is noted with the moment. When it is
still so after the grace, it is looked at again in the transaction that drops it: the row goes
first, the blob later. So a second upload of the same content, a row that is committed only after
its blob was listed, and a download that has just read the row all come in time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as job_rows
from sonoteca_server.catalog.conversions import BLOBS
from sonoteca_server.catalog.schema import objects, revisions, sounds, unused
from sonoteca_server.jobs.leftovers import Leftovers
from sonoteca_server.library.archives import Archives
from sonoteca_server.library.derivatives import expire_derivatives
from sonoteca_server.library.objects import named_blobs
from sonoteca_server.library.trash import Trash
from sonoteca_server.library.unused import (
    UNUSED_BLOB,
    UNUSED_OBJECT,
    drop_object,
    in_archives,
    is_used,
    note_unused,
)
from sonoteca_server.library.uploads import Uploads
from sonoteca_server.storage import Blobs, Listed
from sonoteca_shared.errors import SonotecaError

_DAY_S = 86_400.0
_HOUR_S = 3_600.0
# A blob this young may be on its way to its row: it is not even noted.
_UNDER_WAY_S = 3_600.0
# What came of a job can be asked for this long; so long its key stands for it.
_JOBS_S = _DAY_S
_DIGITS = "0123456789abcdef"
_CHUNK = 500
# A sound and all that hangs on it takes a millisecond, in which nobody else writes.
_PURGED_AT_ONCE = 100
# Blobs without rows that nobody deleted are what crashes leave: a few. Many more, or a catalogue
# without a single row, mean that rows were lost, and the blobs may be all that is left.
_FEW = 100
_SHARE = 10

log = logging.getLogger(__name__)


class _DoubtError(Exception):
    """Something does not look as it should, so that nothing may be deleted."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many objects and blobs a round has dropped, and how many sounds it has purged."""

    objects: int = 0
    blobs: int = 0
    sounds: int = 0


class Upkeep:
    """Looks after the store of one library; `clock` gives seconds since the epoch."""

    def __init__(
        self,
        catalog: Catalog,
        blobs: Blobs,
        trash: Trash,
        uploads: Uploads,
        archives: Archives,
        leftovers: Leftovers,
        *,
        grace_s: float = _DAY_S,
        every_s: float = _HOUR_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._trash = trash
        self._uploads = uploads
        self._archives = archives
        self._leftovers = leftovers
        self._grace_s = grace_s
        self._every_s = every_s
        self._clock = clock

    async def run(self) -> None:
        """Make a round now and then until cancelled, whatever the one before has met."""
        while True:
            try:
                await self.once()
            except (OSError, SonotecaError, _DoubtError) as error:
                log.warning("upkeep has stopped short this time: %s", error)
            except Exception:
                log.exception("upkeep has failed")
            await asyncio.sleep(self._every_s)

    async def once(self) -> Swept:
        """One round: note what is unused since now, drop what was so for the whole grace."""
        await self._uploads.expire()
        # Before their jobs are forgotten, which say how they ended.
        await self._archives.end_lost()
        while await self._catalog.write(job_rows.drop_ended, _JOBS_S, _CHUNK) == _CHUNK:
            pass
        await self._archives.expire()
        await self._expire_derivatives()
        now = self._clock()
        await self._leftovers.drop(now - self._grace_s)
        # All is read before anything is dropped: what cannot be read ends the round here. The notes
        # come first: one that is written meanwhile is not taken for one that has become untrue.
        noted = await self._catalog.read(_noted)
        count, unnamed = await self._unnamed()
        unused = await self._catalog.read(_unused_objects)
        under_way_since = now - min(_UNDER_WAY_S, self._grace_s)
        blobs = {f"{UNUSED_BLOB}{each.key}": each.kept <= under_way_since for each in unnamed}
        present = {name for name, settled in blobs.items() if settled or name in noted}
        await self._refuse_doubt(count, len(present - noted.keys()))
        present |= {f"{UNUSED_OBJECT}{seq}" for seq in unused}
        for names in _chunks(sorted(noted.keys() - present)):
            await self._catalog.write(_forget, names)
        for names in _chunks(sorted(present - noted.keys())):
            await self._catalog.write(note_unused, names, now)
        due = [
            name for name in sorted(present & noted.keys()) if noted[name] <= now - self._grace_s
        ]
        swept = await self._drop(due, now)
        return replace(swept, sounds=await self._empty_trash(now))

    async def _expire_derivatives(self) -> None:
        """These can be made again, so they go at once."""
        room = await asyncio.to_thread(self._blobs.room, least=0)
        for key in await self._catalog.write(expire_derivatives, self._clock(), room):
            await asyncio.to_thread(self._blobs.discard, key)

    async def _empty_trash(self, now: float) -> int:
        moment, count = datetime.fromtimestamp(now, UTC), 0
        while purged := await self._trash.purge_expired(moment, _PURGED_AT_ONCE):
            count += purged
        return count

    async def _unnamed(self) -> tuple[int, list[Listed]]:
        """How many blobs there are, and those that no row names."""
        count, unnamed = 0, []
        for digit in _DIGITS:
            # Listed first: whatever is named by then was kept before, or is not in the list.
            listed = await asyncio.to_thread(_list, self._blobs, digit)
            named = await self._catalog.read(named_blobs, digit)
            count += len(listed)
            unnamed += [each for each in listed if each.key not in named]
        return count, unnamed

    async def _refuse_doubt(self, count: int, found: int) -> None:
        rows = await self._catalog.read(_count_objects)
        if found and (not rows or found > max(_FEW, count // _SHARE)):
            raise _DoubtError(
                f"{found} of {count} blobs are named by no row, and nobody deleted them; "
                "if the catalogue was lost, restore it from a backup"
            )

    async def _drop(self, due: list[str], now: float) -> Swept:
        rows = [name for name in due if name.startswith(UNUSED_OBJECT)]
        keys = [name for name in due if name.startswith(UNUSED_BLOB)]
        dropped = 0
        for names in _chunks(rows):
            dropped += await self._catalog.write(_drop_objects, names, now)
        discarded = 0
        for names in _chunks(keys):
            for key in await self._catalog.write(_give_up, names):
                await asyncio.to_thread(self._blobs.discard, key)
                discarded += 1
        return Swept(dropped, discarded)


def _list(blobs: Blobs, ending: str) -> list[Listed]:
    return list(blobs.list_blobs(ending))


def _unused_objects(connection: Connection) -> list[int]:
    """Objects that neither `/data` nor an archive holds, nor a sound uses in any revision."""
    query = select(objects.c.seq).where(
        objects.c.put == 0,
        objects.c.seq.not_in(select(sounds.c.object)),
        objects.c.seq.not_in(select(revisions.c.object)),
        objects.c.seq.not_in(in_archives()),
    )
    return list(connection.execute(query).scalars())


def _noted(connection: Connection) -> dict[str, float]:
    return {row.name: row.since for row in connection.execute(select(unused))}


def _count_objects(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(objects)).scalar_one()


def _forget(connection: Connection, names: list[str]) -> None:
    connection.execute(unused.delete().where(unused.c.name.in_(names)))


def _drop_objects(connection: Connection, names: list[str], now: float) -> int:
    """Drop the rows that are unused still; their blobs are unused since now."""
    dropped = 0
    for name in names:
        seq = int(name.removeprefix(UNUSED_OBJECT))
        row = connection.execute(select(objects).where(objects.c.seq == seq)).first()
        if row is None or row.put or is_used(connection, seq):
            continue
        drop_object(connection, row, now)
        dropped += 1
    _forget(connection, names)
    return dropped


def _give_up(connection: Connection, names: list[str]) -> list[str]:
    """The keys that no row names still; from now on nothing holds these blobs."""
    keys = {name.removeprefix(UNUSED_BLOB) for name in names}
    _forget(connection, names)
    for column in BLOBS:
        keys.difference_update(connection.execute(select(column).where(column.in_(keys))).scalars())
    return sorted(keys)


def _chunks(names: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(names), _CHUNK):
        yield names[start : start + _CHUNK]
