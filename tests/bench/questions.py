"""The questions that a catalogue is asked most, each time with other values."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from sonoteca_server.catalog import Catalog, feed, search
from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.catalog.orders import SORTS, Cursor, Order
from sonoteca_server.catalog.schema import sound_tags, sounds
from sonoteca_shared.query import parse

_PAGE = 50
_SAMPLE = 400
_MOST_S = 5

Ask = Callable[[], Awaitable[object]]


class Questions:
    """Asks one catalogue, with values of sounds that are really there."""

    def __init__(self, catalog: Catalog, sample: list[Any], tags: list[str], seed: int = 7) -> None:
        self._catalog = catalog
        self._sample = sample
        self._tags = tags
        self._dice = random.Random(seed)

    def all(self) -> dict[str, Ask]:
        """Each question under its name."""
        one = self._one
        pages: dict[str, Callable[[], dict[str, Any]]] = {
            "all, first page": dict,
            "exact name": lambda: {"name": one().name},
            "name with prefix*": lambda: {"name": one().name[:7] + "*"},
            "folder": lambda: {"folder": one().folder},
            "repository": lambda: {"repository": self._dice.choice(["main", "film", "rare"])},
            "minduration": lambda: {"minduration": one().duration},
            "maxduration": lambda: {"maxduration": one().duration},
            "minsize and maxsize": lambda: self._sizes(),
            "samplerate": lambda: {"samplerate": self._dice.choice([48_000, 192_000, 8_000])},
            "channels": lambda: {"channels": self._dice.choice([1, 2, 4, 16])},
            "bitdepth": lambda: {"bitdepth": self._dice.choice([24, 16, 8, 4])},
            "format": lambda: {"format": self._dice.choice(["pcm", "float", "adpcm"])},
            "uploaded_by": lambda: {"uploaded_by": self._dice.choice(["jh", "tomek", "guest"])},
            "created_after": lambda: {"created_after": one().created},
            "tag": lambda: {"tags": (self._dice.choice(self._tags),)},
            "word": lambda: _asking(self._word()),
            "prefix": lambda: _asking(self._word()[:3] + "*"),
            "two words": lambda: _asking(" ".join(self._words()[:2])),
            "phrase": lambda: _asking('"' + " ".join(self._words()[:2]) + '"'),
        }
        asked = {name: partial(self._page, arguments) for name, arguments in pages.items()}
        return (
            {"a sound by its id": self._by_id}
            | asked
            | self._sorted()
            | {
                "rare filter (1 in 10,000) by name": partial(self._rare, "name"),
                "rare filter (1 in 10,000) by duration": partial(self._rare, "duration"),
                "common filter by duration": partial(
                    self._page, lambda: {"samplerate": 48_000}, "duration"
                ),
                "word by name": partial(self._page, lambda: _asking(self._word()), "name"),
                "count, all": partial(self._count, dict),
                "count, maxduration": partial(self._count, pages["maxduration"]),
                "count, samplerate": partial(self._count, pages["samplerate"]),
                "count, word": partial(self._count, pages["word"]),
                "count, tag": partial(self._count, pages["tag"]),
                "500 changes": self._changes,
            }
        )

    def _sorted(self) -> dict[str, Ask]:
        asked: dict[str, Ask] = {}
        for sort in SORTS:
            asked[f"sort by {sort}, first page"] = partial(self._page, dict, sort)
            asked[f"sort by {sort}, deep cursor"] = partial(self._deep, sort)
        return asked

    def _one(self) -> Any:
        return self._dice.choice(self._sample)

    def _words(self) -> list[str]:
        return [*self._one().words.split("|")[0].split(), "rain"][1:]

    def _word(self) -> str:
        return self._dice.choice(self._words())

    def _sizes(self) -> dict[str, Any]:
        size = self._one().size
        return {"minsize": size, "maxsize": size + size // 50}

    async def _by_id(self) -> None:
        await self._catalog.read(_by_id, self._one().id)

    async def _page(self, arguments: Callable[[], dict[str, Any]], sort: str = "created") -> None:
        wanted, order = SoundFilter(**arguments()), Order(sort)
        await self._catalog.read(search.find_page, wanted, order, size=_PAGE)

    async def _rare(self, sort: str) -> None:
        rare = self._dice.choice(["samplerate", "bitdepth", "channels", "format"])
        value = {"samplerate": 8_000, "bitdepth": 4, "channels": 16, "format": "adpcm"}[rare]
        await self._page(lambda: {rare: value}, sort)

    async def _deep(self, sort: str) -> None:
        row, order = self._one(), Order(sort)
        start = Cursor(order, getattr(row, f"sort_{sort}"), row.seq)
        read = self._catalog.read
        await read(search.find_page, SoundFilter(), order, size=_PAGE, cursor=start)

    async def _count(self, arguments: Callable[[], dict[str, Any]]) -> None:
        await self._catalog.read(search.count, SoundFilter(**arguments()))

    async def _changes(self) -> None:
        page = await self._catalog.read(feed.read, None, 1)
        since = feed.FeedCursor(page.cursor.library, self._one().seq, None, page.cursor.xid)
        await self._catalog.read(feed.read, since, 500)


async def measure(catalog: Catalog, rounds: int) -> AsyncIterator[tuple[str, float, float]]:
    """Each question with the median and the 95th percentile of its time in milliseconds."""
    sample, tags = await catalog.read(_sample)
    for name, ask in Questions(catalog, sample, tags).all().items():
        took: list[float] = []
        until = time.monotonic() + _MOST_S
        while len(took) < 2 or (len(took) < rounds and time.monotonic() < until):
            began = time.perf_counter()
            await ask()
            took.append(1_000 * (time.perf_counter() - began))
        yield name, statistics.median(took), statistics.quantiles(took, n=20)[-1]


def _asking(text: str) -> dict[str, Any]:
    return {"query": parse(text).tree}


def _query(text: str) -> dict[str, Any]:
    return {"query": parse(text).tree}


def _by_id(connection: Connection, sound_id: str) -> Any:
    here = select(sounds.c.doc).where(sounds.c.id == sound_id, sounds.c.trashed.is_(None))
    return connection.execute(here).one()


def _sample(connection: Connection) -> tuple[list[Any], list[str]]:
    """Sounds from all over the catalogue, and tags common and rare."""
    most = connection.execute(select(func.max(sounds.c.seq))).scalar_one()
    chosen = random.Random(1).sample(range(1, most + 1), min(_SAMPLE, most))
    keys = [column.label(f"sort_{sort}") for sort, column in SORTS.items()]
    rows = connection.execute(select(sounds, *keys).where(sounds.c.seq.in_(chosen))).all()
    numbers = [row.seq for row in rows]
    keys_of = select(sound_tags.c.tag_key).where(sound_tags.c.sound.in_(numbers)).distinct()
    return list(rows), sorted(connection.execute(keys_of).scalars())
