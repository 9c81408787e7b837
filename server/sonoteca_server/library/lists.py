"""Pages of the sounds that match, with their count, which is kept until the catalogue changes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from sonoteca_server.catalog import Catalog, feed, search
from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.catalog.orders import Cursor, Order
from sonoteca_server.catalog.search import Found

_KEPT = 200
# So many rows in their order are read while another thread would only begin.
_SHORT = 200


@dataclass(frozen=True, slots=True)
class Count:
    """How many sounds matched when the feed ended at `place`, and whether there may be more."""

    place: tuple[int, int]
    number: int
    more: bool

    def __str__(self) -> str:
        return f"{self.number}{'+' if self.more else ''}"


class Lists:
    """Lists the sounds of one catalogue."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._counts: OrderedDict[Any, Count] = OrderedDict()

    async def page(
        self, wanted: SoundFilter, order: Order, *, size: int, cursor: Cursor | None = None
    ) -> Found:
        """Up to `size` sounds from the cursor on."""
        read = self._catalog.glance if _is_short(wanted, size) else self._catalog.read
        return await read(search.find_page, wanted, order, size=size, cursor=cursor)

    async def counted_page(
        self, wanted: SoundFilter, order: Order, *, size: int, cursor: Cursor | None = None
    ) -> tuple[Found, Count]:
        """A page, and the count of all that matches at the same moment."""
        key = (wanted, wanted.asker)
        read = self._catalog.glance if _is_short(wanted, size) else self._catalog.read
        known = self._counts.get(key)
        found, counted = await read(_find, wanted, order, size, cursor, known)
        self._counts[key] = counted
        self._counts.move_to_end(key)
        while len(self._counts) > _KEPT:
            self._counts.popitem(last=False)
        return found, counted


def _is_short(wanted: SoundFilter, size: int) -> bool:
    return size <= _SHORT and wanted == SoundFilter()


def _find(
    connection: Connection,
    wanted: SoundFilter,
    order: Order,
    size: int,
    cursor: Cursor | None,
    known: Count | None,
) -> tuple[Found, Count]:
    found = search.find_page(connection, wanted, order, size=size, cursor=cursor)
    place = feed.place(connection)
    if known is None or known.place != place:
        known = Count(place, *search.count(connection, wanted))
    return found, known
