"""The trash: what is in it, how it comes back, and how it goes for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from sonoteca_server.catalog import Catalog, feed, pages
from sonoteca_server.catalog.schema import sounds
from sonoteca_server.library.editing import write
from sonoteca_server.library.places import free_name
from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.ids import new_id
from sonoteca_shared.models import Sound

# A thousand years: what calendars can count, and longer than anybody waits.
_LONGEST_S = 1_000 * 366 * 86_400.0

SoundRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Restored:
    """A sound that is back, the step that takes it away again, and its name if that was taken."""

    doc: str
    step: str
    renamed_from: str | None


class Trash:
    """The trash of one library; `announce` is called after each commit.

    Sounds lie in it for `keep_s` seconds; upkeep purges them then.
    """

    def __init__(self, catalog: Catalog, announce: Callable[[], None], *, keep_s: float) -> None:
        self._catalog = catalog
        self._announce = announce
        self._keep = timedelta(seconds=min(keep_s, _LONGEST_S))

    async def page(self, ask: pages.Ask) -> tuple[pages.Page, list[str]]:
        """What is in the trash, the latest first: documents with `trashed` and `expires`."""
        page = await self._catalog.read(_page, ask)
        return page, [self._doc(row) for row in page.rows]

    async def restore(self, sound_id: str) -> Restored:
        """Bring a sound back; it is numbered when another one has its name by now."""
        restored = await self._catalog.write(_restore, sound_id)
        self._announce()
        return restored

    async def purge(self, sound_id: str) -> None:
        """Remove a sound with its history for good: nothing brings it back."""
        await self._catalog.write(_purge_one, sound_id)
        self._announce()

    async def purge_expired(self, now: datetime, limit: int) -> int:
        """Purge the sounds whose time is over, the oldest first; how many they were."""
        count = await self._catalog.write(_purge_older, feed.timestamp(now - self._keep), limit)
        if count:
            self._announce()
        return count

    def _doc(self, row: SoundRow) -> str:
        expires = feed.timestamp(datetime.fromisoformat(row.trashed) + self._keep)
        times = msgspec.json.encode({"trashed": row.trashed, "expires": expires}).decode()
        return f"{row.doc.removesuffix('}')},{times[1:]}"


def _page(connection: Connection, ask: pages.Ask) -> pages.Page:
    query = select(sounds.c.doc, sounds.c.trashed).where(sounds.c.trashed.is_not(None))
    order = pages.Order(sounds.c.trashed, sounds.c.seq, descending=True)
    return pages.find_page(connection, query, order, ask)


def _restore(connection: Connection, sound_id: str) -> Restored:
    row = _trashed(connection, sound_id)
    sound = msgspec.json.decode(row.doc, type=Sound)
    name = free_name(connection, row.repository, sound.folder, sound.name)
    back = msgspec.structs.replace(sound, name=name, rev=row.rev + 1)
    step = new_id()
    edited = write(connection, row, back, kind="restored", step=step, trashed=None)
    assert edited.doc is not None
    return Restored(edited.doc, step, sound.name if name != sound.name else None)


def _purge_one(connection: Connection, sound_id: str) -> None:
    row = _trashed(connection, sound_id)
    _purge(connection, row, feed.timestamp(feed.now(connection)))


def _purge_older(connection: Connection, moment: str, limit: int) -> int:
    query = select(sounds).where(sounds.c.trashed <= moment).order_by(sounds.c.trashed)
    rows = connection.execute(query.limit(limit)).all()
    for row in rows:
        _purge(connection, row, feed.timestamp(feed.now(connection)))
    return len(rows)


def _purge(connection: Connection, row: SoundRow, at: str) -> None:
    """Tags, places in collections and revisions go with the row; the bytes are left to upkeep."""
    connection.execute(sounds.delete().where(sounds.c.seq == row.seq))
    feed.append(connection, "sound.purged", row.id, row.rev, at)


def _trashed(connection: Connection, sound_id: str) -> SoundRow:
    query = select(sounds).where(sounds.c.id == sound_id, sounds.c.trashed.is_not(None))
    row = connection.execute(query).first()
    if row is None:
        raise NotFoundError(
            "there is no sound with this id in the trash; what was purged cannot be brought back"
        )
    return row
