"""Many uploads at the same moment: what the catalogue and the blobs hold in the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, func, select

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import objects, repositories, revisions, sound_tags, sounds
from sonoteca_server.library.ingest import Admitted, Ingest, OnConflict, Wish
from sonoteca_server.library.sounds import columns_of, write_tags
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.errors import NameTakenError
from sonoteca_shared.models import Sound
from sonoteca_shared.wav.audio_digest import AudioHasher
from tests.kit.wavs import Plan, build_wav

DATABASES = ("sqlite", "postgresql")
MANY = 16


@pytest.fixture
def catalogs(tmp_path: Path, database: str) -> Iterator[list[Catalog]]:
    """The catalogue, on PostgreSQL as two servers have it open."""
    opened = [home_of(database, tmp_path).open() for _ in range(1 if database == "sqlite" else 2)]
    yield opened
    for catalog in opened:
        catalog.close()


def wav(seed: int) -> bytes:
    return build_wav(Plan(frames=100, channels=1, seed=seed))


def admit_all(
    catalogs: list[Catalog], folder: Path, files: list[bytes], wishes: list[Wish]
) -> list[Admitted | BaseException]:
    """Take all files in at once; what became of each, or why it was refused."""
    doors = [Ingest(catalog, LocalBlobs(folder), lambda: None) for catalog in catalogs]

    async def admit(number: int) -> Admitted:
        door = doors[number % len(doors)]
        part = door.begin()
        part.append(files[number])
        return await door.admit(part, wishes[number], AudioHasher())

    async def main() -> list[Admitted | BaseException]:
        return await asyncio.gather(*map(admit, range(len(files))), return_exceptions=True)

    return asyncio.run(main())


def taken(outcomes: list[Admitted | BaseException]) -> list[Admitted]:
    """The outcomes, none of which is a refusal."""
    admitted = [one for one in outcomes if isinstance(one, Admitted)]
    assert len(admitted) == len(outcomes), outcomes
    return admitted


def counts(catalog: Catalog) -> tuple[int, ...]:
    def count(connection: Connection) -> tuple[int, ...]:
        tables = (repositories, objects, sounds)
        queries = [select(func.count()).select_from(table) for table in tables]
        return tuple(connection.execute(query).scalar_one() for query in queries)

    return asyncio.run(catalog.read(count))


def blobs_in(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "blobs").rglob("*"))


def test_the_same_bytes_many_times_are_one_object(catalogs: list[Catalog], tmp_path: Path) -> None:
    wishes = [Wish(name="take1.wav")] * MANY
    done = taken(admit_all(catalogs, tmp_path, [wav(1)] * MANY, wishes))
    assert counts(catalogs[0]) == (1, 1, 1)
    assert blobs_in(tmp_path) == 1
    assert len({one.id for one in done}) == 1
    assert [one.created for one in done].count(True) == 1


def test_the_same_bytes_under_many_names_are_one_object(
    catalogs: list[Catalog], tmp_path: Path
) -> None:
    wishes = [Wish(name=f"{number}.wav") for number in range(MANY)]
    taken(admit_all(catalogs, tmp_path, [wav(1)] * MANY, wishes))
    assert counts(catalogs[0]) == (1, 1, MANY)
    assert blobs_in(tmp_path) == 1


def test_other_bytes_under_one_name_are_numbered(catalogs: list[Catalog], tmp_path: Path) -> None:
    files = [wav(seed) for seed in range(MANY)]
    done = taken(admit_all(catalogs, tmp_path, files, [Wish(name="take1.wav")] * MANY))
    names = {msgspec.json.decode(one.doc)["name"] for one in done}
    numbers = [f"take1 ({number}).wav" for number in range(2, MANY + 1)]
    assert names == {"take1.wav", *numbers}
    assert counts(catalogs[0]) == (1, MANY, MANY)
    assert blobs_in(tmp_path) == MANY


def test_versions_that_come_together_follow_one_another(
    catalogs: list[Catalog], tmp_path: Path
) -> None:
    wish = Wish(name="take1.wav", on_conflict=OnConflict.VERSION)
    files = [wav(seed) for seed in range(MANY)]
    done = taken(admit_all(catalogs, tmp_path, files, [wish] * MANY))
    assert counts(catalogs[0]) == (1, MANY, 1)
    revs = sorted(msgspec.json.decode(one.doc)["rev"] for one in done)
    assert revs == list(range(1, MANY + 1))

    def history(connection: Connection) -> list[int]:
        return list(connection.execute(select(revisions.c.rev).order_by("rev")).scalars())

    assert asyncio.run(catalogs[0].read(history)) == revs[:-1]


def test_of_those_who_would_be_refused_one_gets_the_name(
    catalogs: list[Catalog], tmp_path: Path
) -> None:
    wish = Wish(name="take1.wav", on_conflict=OnConflict.REJECT)
    files = [wav(seed) for seed in range(MANY)]
    outcomes = admit_all(catalogs, tmp_path, files, [wish] * MANY)
    refused = [one for one in outcomes if isinstance(one, NameTakenError)]
    assert len(refused) == MANY - 1
    assert counts(catalogs[0]) == (1, 1, 1)
    assert blobs_in(tmp_path) == 1


def test_the_longest_names_fit_every_index(catalogs: list[Catalog], tmp_path: Path) -> None:
    # Not to be compressed, and three bytes each.
    luck = random.Random(1)
    text = "".join(chr(luck.randrange(0x4E00, 0x9FA0)) for _ in range(1_000))
    folder = "/".join(text[start : start + 80] for start in range(0, 640, 80))
    wish = Wish(folder=folder, name=text[-83:] + ".wav")
    assert (len(wish.folder.encode()), len(wish.name.encode())) == (1_927, 253)
    taken(admit_all(catalogs, tmp_path, [wav(1)], [wish]))
    assert counts(catalogs[0]) == (1, 1, 1)


def test_words_that_an_engine_cannot_keep_do_no_harm(
    catalogs: list[Catalog], tmp_path: Path
) -> None:
    admitted = taken(admit_all(catalogs, tmp_path, [wav(1)], [Wish(name="a.wav")]))[0]
    sound = msgspec.json.decode(admitted.doc, type=Sound)
    odd = msgspec.structs.replace(
        sound, description="nul\0 " + "x" * 60_000, tags=("a\0b", "Tür", "TÜR")
    )

    def edit(connection: Connection) -> list[str]:
        connection.execute(sounds.update().values(columns_of(odd)))
        seq = connection.execute(select(sounds.c.seq)).scalar_one()
        write_tags(connection, seq, odd.tags)
        query = select(sound_tags.c.tag).order_by(sound_tags.c.position)
        return list(connection.execute(query).scalars())

    assert asyncio.run(catalogs[0].write(edit)) == ["ab", "Tür"]
