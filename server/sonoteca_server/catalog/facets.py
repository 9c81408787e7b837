"""Facets: how many of the sounds that match have which tag, format, rate and so on.

A few thousand sounds are counted at once. More of them are counted in the background, in stretches
so short that nobody waits for one, and the numbers are kept until the catalogue changes; whoever
asks meanwhile gets the last ones that are known.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.catalog.constructs import position
from sonoteca_server.catalog.filters import SoundFilter, asked_of
from sonoteca_server.catalog.schema import repositories, sound_tags, sounds
from sonoteca_server.catalog.search import matching
from sonoteca_shared.models import Bucket, Facets, Range

log = logging.getLogger(__name__)

# So many sounds are counted while the asker waits.
AT_ONCE = 5_000
_STRETCH = 20_000
_TAGS = 100
_KEPT = 50
# What was counted is not counted anew for so many times the time that it took, however often the
# catalogue changes meanwhile.
_REST = 10

# By names of their own: what is asked of a sound may look into these tables too.
_homes = repositories.alias()
_tagged = sound_tags.alias()
_slash = position(sounds.c.folder, "/")
_top = case((_slash == 0, sounds.c.folder), else_=func.substr(sounds.c.folder, 1, _slash - 1))
_COLUMNS: dict[str, ColumnElement[Any]] = {
    "repository": _homes.c.name,
    "folder": _top,
    "format": sounds.c.format,
    "container": sounds.c.container,
    "samplerate": sounds.c.samplerate,
    "bitdepth": sounds.c.bitdepth,
    "channels": sounds.c.channels,
    "uploaded_by": sounds.c.uploaded_by,
    "license": sounds.c.license,
}


@dataclass(slots=True)
class Tally:
    """Counts so far; those of two stretches add up."""

    total: int = 0
    shortest: float = math.inf
    longest: float = -math.inf
    counts: dict[str, Counter[Any]] = field(
        default_factory=lambda: {name: Counter() for name in (*_COLUMNS, "tag")}
    )
    written: dict[str, str] = field(default_factory=dict)

    def add(self, connection: Connection, chosen: ColumnElement[bool]) -> None:
        """Count the sounds of which this is true."""
        kept = and_(chosen, sounds.c.trashed.is_(None))
        # By labels that no table has: PostgreSQL would group by the columns of these names.
        labels = [column.label(f"facet_{name}") for name, column in _COLUMNS.items()]
        query = (
            select(
                *labels,
                func.count().label("number"),
                func.min(sounds.c.duration).label("shortest"),
                func.max(sounds.c.duration).label("longest"),
            )
            .join(_homes, _homes.c.seq == sounds.c.repository)
            .where(kept)
            .group_by(*(label.name for label in labels))
        )
        for row in connection.execute(query):
            self._add(row._mapping)
        tags = (
            select(_tagged.c.tag_key, func.min(_tagged.c.tag), func.count())
            .join(sounds, sounds.c.seq == _tagged.c.sound)
            .where(kept)
            .group_by(_tagged.c.tag_key)
        )
        for key, tag, number in connection.execute(tags):
            self.counts["tag"][key] += number
            self.written[key] = min(tag, self.written.get(key, tag))

    def _add(self, row: Any) -> None:
        for name in _COLUMNS:
            self.counts[name][row[f"facet_{name}"]] += row["number"]
        self.total += row["number"]
        self.shortest = min(self.shortest, row["shortest"])
        self.longest = max(self.longest, row["longest"])

    def facets(self, as_of: str) -> Facets:
        """The counts as they are told: the most frequent first, equal ones by their value."""
        buckets = {name: list(self._buckets(name)) for name in self.counts}
        span = Range(min=self.shortest, max=self.longest) if self.total else None
        return Facets(total=self.total, as_of=as_of, duration=span, facets=buckets)

    def _buckets(self, name: str) -> Iterator[Bucket]:
        tags = name == "tag"
        counted = self.counts[name].items()
        ordered = sorted(counted, key=lambda each: (-each[1], each[0] is None, each[0]))
        for value, number in ordered[: _TAGS if tags else None]:
            yield Bucket(value=self.written[value] if tags else value, count=number)


@dataclass(frozen=True, slots=True)
class _Known:
    place: tuple[int, int]
    facets: Facets
    rests_until: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The facets as far as they are known, and whether newer ones are on their way."""

    facets: Facets | None
    pending: bool


class FacetCounts:
    """Facets of one catalogue. `run` counts the wide ones, one after the other."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: OrderedDict[Any, _Known] = OrderedDict()
        self._wanted: dict[Any, SoundFilter] = {}
        self._asked = asyncio.Event()

    async def of(self, wanted: SoundFilter) -> Answer:
        """The facets of the sounds that match, or what was known of them last."""
        place, counted = await self._catalog.read(_at_once, wanted)
        if counted is not None:
            return Answer(counted, pending=False)
        key = (wanted, wanted.asker)
        known = self._known.get(key)
        if known is not None and known.place == place:
            return Answer(known.facets, pending=False)
        if known is None or time.monotonic() >= known.rests_until:
            self._wanted[key] = wanted
            self._asked.set()
        return Answer(known.facets if known else None, pending=True)

    async def run(self) -> None:
        """Count what was asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._wanted:
                key = next(iter(self._wanted))
                try:
                    self._keep(key, await self._counted(self._wanted.pop(key)))
                except Exception:
                    # The next one may fare better; whoever asks again, asks for this one anew.
                    log.exception("facets could not be counted")

    async def _counted(self, wanted: SoundFilter) -> _Known:
        began = time.monotonic()
        place, at, newest = await self._catalog.read(_beginning)
        tally = Tally()
        for start in range(0, newest + 1, _STRETCH):
            await self._catalog.read(_add_stretch, tally, wanted, start)
        now = time.monotonic()
        return _Known(place, tally.facets(at), rests_until=now + _REST * (now - began))

    def _keep(self, key: Any, known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _at_once(connection: Connection, wanted: SoundFilter) -> tuple[tuple[int, int], Facets | None]:
    """The place of the catalogue, and the facets if the sounds that match are few."""
    place = feed.place(connection)
    seqs = matching(connection, wanted, AT_ONCE)
    if seqs is None:
        return place, None
    tally = Tally()
    tally.add(connection, sounds.c.seq.in_(seqs))
    return place, tally.facets(feed.timestamp(feed.now(connection)))


def _beginning(connection: Connection) -> tuple[tuple[int, int], str, int]:
    newest = connection.execute(select(func.coalesce(func.max(sounds.c.seq), 0))).scalar_one()
    return feed.place(connection), feed.timestamp(feed.now(connection)), newest


def _add_stretch(connection: Connection, tally: Tally, wanted: SoundFilter, start: int) -> None:
    asked = asked_of(connection, wanted)
    here = and_(sounds.c.seq >= start, sounds.c.seq < start + _STRETCH)
    tally.add(connection, and_(here, *(condition.holds for condition in asked)))
