"""Catalogues full of sounds that never were: plausible, skewed as real ones are, the same by seed.

`fill` puts them through the real tables: columns, tags, changes and full text as ingest makes them.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select

from sonoteca_server.catalog import feed
from sonoteca_server.catalog.schema import (
    changes,
    objects,
    repositories,
    sound_tags,
    sounds,
)
from sonoteca_server.library.sounds import columns_of, tag_rows
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared import routes
from sonoteca_shared.models import Links, Loudness, Marker, Production, Sound

REPOSITORIES = {"main": 7_000, "film": 2_000, "games": 990, "rare": 10}
_CATEGORIES = """AMB DOOR WATR WIND RAIN CAR CRWD FEET METL WOOD GLAS GUN BIRD INSC MUSC VOX MECH
    ELEC FIRE RARE"""
_PLACES = """Harbour Forest Station Kitchen Café Market Beach Tunnel Church Workshop Übersee
    Night Morning Street Attic Cellar Meadow Bridge Factory School"""
_WORDS = """door slam rain tin roof wind pines water drip metal scrape creak wood step gravel
    crowd murmur distant close heavy light soft hard engine start idle pass by bell ring glass
    break paper tear cloth rustle bird call owl cricket fire crackle hum buzz click switch lock key
    drawer chair"""
_SYLLABLES = "ba do fi ga ke lu mo na pe ri so ta vu wi zo chi sho tre bru kla"
_FIRST = datetime(2019, 3, 1, 8, 0, tzinfo=UTC)
_BATCH = 10_000


def stand_in(folder: Path) -> None:
    """One blob in the store of a library: over an empty one a server takes its disk for missing."""
    blobs = LocalBlobs(folder)
    blobs.keep(blobs.begin())


class _Skewed:
    """A choice among things of which the first are common and the last are rare."""

    def __init__(self, things: Sequence[str], dice: random.Random) -> None:
        self._things = things
        self._weights = list(itertools.accumulate(1 / (place + 1) for place in range(len(things))))
        self._dice = dice

    def some(self, count: int) -> list[str]:
        return self._dice.choices(self._things, cum_weights=self._weights, k=count)


class _Weighted:
    """A choice among things with a weight each."""

    def __init__(self, things: dict[Any, int], dice: random.Random) -> None:
        self._things = list(things)
        self._weights = list(itertools.accumulate(things.values()))
        self._dice = dice

    def one(self) -> Any:
        return self._dice.choices(self._things, cum_weights=self._weights)[0]


class Maker:
    """Makes sounds one after the other, the same ones for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self._dice = dice = random.Random(seed)
        invented = [
            "".join(dice.choices(_SYLLABLES.split(), k=dice.randint(2, 4))) for _ in range(3_000)
        ]
        self._words = _Skewed([*_WORDS.split(), *dict.fromkeys(invented)], dice)
        self._tags = _Skewed([*_WORDS.split(), *dict.fromkeys(invented[:400])], dice)
        self._places = _PLACES.split()
        self._categories = _Skewed(_CATEGORIES.split(), dice)
        self._repositories = _Weighted(REPOSITORIES, dice)
        self._rates = _Weighted(
            {48_000: 6_000, 96_000: 2_500, 44_100: 1_200, 192_000: 299, 8_000: 1}, dice
        )
        self._forms = _Weighted({("pcm", 24): 6_500, ("pcm", 16): 2_500, ("float", 32): 900,
                                 ("pcm", 8): 99, ("adpcm", 4): 1}, dice)  # fmt: skip
        self._channels = _Weighted({2: 6_000, 1: 3_500, 6: 400, 4: 99, 16: 1}, dice)
        self._containers = _Weighted({"RIFF": 9_700, "RF64": 290, "BW64": 10}, dice)
        self._people = _Weighted(
            {"jh": 6_000, "mara": 3_000, "tomek": 900, None: 90, "guest": 10}, dice
        )
        self._licenses = _Weighted(
            {None: 6_000, "CC-BY-4.0": 2_500, "CC0-1.0": 1_400, "odd": 1}, dice
        )
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._now = _FIRST

    def sound(self) -> Sound:
        """The next sound."""
        dice = self._dice
        if dice.random() < 0.7:
            self._now += timedelta(seconds=dice.randrange(300))
        repository, category = self._repositories.one(), self._categories.some(1)[0]
        deep = f"{category}/{dice.choice(self._places)}/Day {dice.randint(1, 30)}"
        folder = deep if dice.random() < 0.97 else category
        self._numbers[repository, folder] += 1
        words = " ".join(self._words.some(dice.randint(2, 5)))
        number = self._numbers[repository, folder]
        name = f"{category}{dice.choice(self._places)}_{words} {number:02d}.wav"
        samplerate, channels = self._rates.one(), self._channels.one()
        form, bits = self._forms.one()
        frames = int(min(dice.lognormvariate(1.5, 1.4), 20_000) * samplerate)
        sha256 = f"{dice.getrandbits(256):064x}"
        return Sound(
            id=self._id(),
            rev=1,
            repository=repository,
            folder=folder,
            name=name,
            sha256=sha256,
            size=44 + frames * channels * bits // 8,
            duration=frames / samplerate,
            samplerate=samplerate,
            bitdepth=bits,
            channels=channels,
            frames=frames,
            format=form,
            container=self._containers.one(),
            audio_sha256=f"{dice.getrandbits(256):064x}",
            created=self._now,
            uploaded_by=self._people.one(),
            license=self._licenses.one(),
            rating=dice.randint(1, 5) if dice.random() < 0.05 else None,
            tags=tuple(dict.fromkeys(self._tags.some(dice.randrange(6)))),
            links=Links(file=routes.content_path(repository, sha256, name)),
            **self._told(frames / samplerate),
        )

    def _told(self, duration: float) -> dict[str, Any]:
        """What only some sounds have."""
        dice = self._dice
        told: dict[str, Any] = {}
        if dice.random() < 0.5:
            told["description"] = " ".join(self._words.some(dice.randint(3, 12)))
        if dice.random() < 0.9:
            loud = Loudness(
                integrated=round(dice.gauss(-28, 8), 1),
                range=round(dice.expovariate(0.15), 1),
                true_peak=round(-dice.expovariate(0.2), 1),
            )
            told["loudness"] = loud
        if dice.random() < 0.6:
            told["recorded"] = (self._now - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%S")
            told["production"] = Production(project="Harbour", take=str(dice.randint(1, 9)))
        if dice.random() < 0.05:
            places = sorted(round(dice.random() * duration, 3) for _ in range(dice.randint(1, 4)))
            told["markers"] = tuple(Marker(at=at, label="mark") for at in places)
        return told

    def _id(self) -> str:
        """A UUIDv7 of the time that it is in this catalogue."""
        milliseconds = int(self._now.timestamp() * 1000) + self._dice.randrange(1000)
        chance = self._dice.getrandbits(74)
        value = milliseconds << 80 | 0x7 << 76 | chance >> 62 << 64 | 0b10 << 62
        digits = f"{value | chance & (1 << 62) - 1:032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def fill(connection: Connection, count: int, seed: int = 1) -> None:
    """Put this many sounds into an empty catalogue, row by row with its indexes in place."""
    for _ in batches(connection, count, seed):
        pass


def batches(connection: Connection, count: int, seed: int = 1) -> Iterator[int]:
    """Put sounds into an empty catalogue; how many are there after each batch."""
    numbers = {name: place for place, name in enumerate(REPOSITORIES, 1)}
    at = feed.timestamp(_FIRST)
    rows = [{"seq": seq, "name": name, "created": at} for name, seq in numbers.items()]
    connection.execute(insert(repositories), rows)
    maker = Maker(seed)
    for start in range(1, count + 1, _BATCH):
        group = [(seq, maker.sound()) for seq in range(start, min(start + _BATCH, count + 1))]
        for table, values in _rows(group, numbers).items():
            connection.execute(insert(table), values)
        yield group[-1][0]
    for table in (repositories, objects, sounds, changes):
        _count_on(connection, table)


def _rows(
    group: list[tuple[int, Sound]], numbers: dict[str, int]
) -> dict[Table, list[dict[str, Any]]]:
    rows: dict[Table, list[dict[str, Any]]] = {
        table: [] for table in (objects, sounds, sound_tags, changes)
    }
    for seq, sound in group:
        columns, repository = columns_of(sound), numbers[sound.repository]
        at = columns["created"]
        rows[objects].append({
            "seq": seq, "repository": repository, "oid": sound.sha256, "size": sound.size,
            "blob": sound.sha256, "peaks_state": "ready", "analysis": None, "created": at,
        })  # fmt: skip
        rows[sounds].append(
            columns | {"seq": seq, "repository": repository, "object": seq, "changed": seq}
        )
        rows[sound_tags] += tag_rows(seq, sound.tags)
        rows[changes].append(
            {"seq": seq, "type": "sound.created", "subject": sound.id, "rev": 1, "at": at}
        )
    return rows


def _count_on(connection: Connection, table: Table) -> None:
    """PostgreSQL draws numbers from a counter of its own."""
    if connection.dialect.name == "postgresql":
        newest = connection.execute(select(func.max(table.c.seq))).scalar_one()
        name = select(func.pg_get_serial_sequence(table.name, "seq")).scalar_subquery()
        connection.execute(select(func.setval(name, newest)))
