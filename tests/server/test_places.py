"""Names that are taken: which one comes next, and at what price where thousands are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, delete, event

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import sounds
from sonoteca_server.library.ingest import Admitted, Ingest, Wish
from sonoteca_server.library.places import free_name
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.wav.audio_digest import AudioHasher
from tests.kit.wavs import Plan, build_wav

DATABASES = ("sqlite", "postgresql")
WISH = Wish(name="take.wav")


@pytest.fixture
def catalog(tmp_path: Path, database: str) -> Iterator[Catalog]:
    opened = home_of(database, tmp_path).open()
    yield opened
    opened.close()


def bring(catalog: Catalog, folder: Path, *seeds: int, wish: Wish = WISH) -> list[Admitted]:
    """Take these files in, one after the other, all under one name."""
    door = Ingest(catalog, LocalBlobs(folder), lambda: None)

    async def one(seed: int) -> Admitted:
        part = door.begin()
        part.append(build_wav(Plan(frames=10, channels=1, seed=seed)))
        return await door.admit(part, wish, AudioHasher())

    async def main() -> list[Admitted]:
        return [await one(seed) for seed in seeds]

    return asyncio.run(main())


def names(admitted: list[Admitted]) -> list[str]:
    return [msgspec.json.decode(one.doc)["name"] for one in admitted]


def test_the_hundredth_of_a_name_is_not_asked_for_a_hundred_times(
    catalog: Catalog, tmp_path: Path
) -> None:
    brought = names(bring(catalog, tmp_path, *range(100)))
    assert brought == ["take.wav", *(f"take ({number}).wav" for number in range(2, 101))]
    asked: list[str] = []

    def find(connection: Connection) -> str:
        event.listen(connection, "before_cursor_execute", lambda *said: asked.append(said[2]))
        return free_name(connection, 1, "", "take.wav")

    assert asyncio.run(catalog.read(find)) == "take (101).wav"
    assert len(asked) < 20


def test_bytes_that_got_a_number_are_known_again_whatever_went_before_them(
    catalog: Catalog, tmp_path: Path
) -> None:
    brought = bring(catalog, tmp_path, 1, 2, 3, 4)
    gone = delete(sounds).where(sounds.c.id == brought[1].id)
    asyncio.run(catalog.write(lambda connection: connection.execute(gone).rowcount))
    again = bring(catalog, tmp_path, 4, 5)
    assert (again[0].id, again[0].created) == (brought[3].id, False)
    assert names(again) == ["take (4).wav", "take (2).wav"]


def test_the_same_bytes_under_another_name_are_a_sound_of_their_own(
    catalog: Catalog, tmp_path: Path
) -> None:
    bring(catalog, tmp_path, 1, 2)
    bring(catalog, tmp_path, 3, wish=Wish(name="door.wav"))
    bring(catalog, tmp_path, 3, wish=Wish(name="take (7).wav", folder="doors"))
    (third,) = bring(catalog, tmp_path, 3)
    assert (third.created, names([third])) == (True, ["take (3).wav"])
