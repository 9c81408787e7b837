"""Layouts of archives: made once for many, and only some of them kept."""

from __future__ import annotations

import asyncio

import pytest

from sonoteca_server.library import layouts
from sonoteca_server.library.layouts import Layouts
from sonoteca_server.library.zips import Zip, entry_of
from sonoteca_shared.errors import NotFoundError
from tests.server.test_archive_faults import archive_of
from tests.server.test_upkeep import DAY, World, story, world

__all__ = ["world"]


class Maker:
    """Lays out archives whose hashes say how many files they have."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.layouts = Layouts(self.lay_out)

    async def lay_out(self, archive_hash: str) -> Zip:
        self.made.append(archive_hash)
        await asyncio.sleep(0)
        if archive_hash == "gone":
            raise NotFoundError("there is no archive with this hash")
        return Zip(entry_of(str(each), b"") for each in range(int(archive_hash)))

    def get(self, *hashes: str) -> list[str]:
        """What is laid out for these, one after the other."""

        async def ask() -> None:
            for each in hashes:
                await self.layouts.get(each)

        self.made.clear()
        asyncio.run(ask())
        return self.made


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Three archives, or ten files, are many."""
    monkeypatch.setattr(layouts, "_MOST", 3)
    monkeypatch.setattr(layouts, "_MOST_FILES", 10)
    return Maker()


def test_those_asked_for_last_are_kept(maker: Maker) -> None:
    assert maker.get("0", "1", "2", "0", "0") == ["0", "1", "2"]
    assert maker.get("3", "0", "2") == ["3"]
    assert maker.layouts.hashes() == ["3", "0", "2"]


def test_they_have_so_many_files_together(maker: Maker) -> None:
    assert maker.get("4", "6", "4", "6") == ["4", "6"]
    assert maker.get("1", "6", "4") == ["1", "4"]
    assert maker.get("20", "20") == ["20"]
    assert maker.layouts.hashes() == ["20"]
    maker.layouts.forget("20", "unknown")
    assert maker.get("4", "6", "4") == ["4", "6"]


def test_many_wait_for_one(maker: Maker) -> None:
    async def ask() -> None:
        await asyncio.gather(*(maker.layouts.get("2") for _ in range(3)))

    asyncio.run(ask())
    assert maker.made == ["2"]


def test_what_failed_is_tried_again(maker: Maker) -> None:
    for _ in range(2):
        with pytest.raises(NotFoundError):
            maker.get("gone")
        assert (maker.made, maker.layouts.hashes()) == (["gone"], [])


@story
async def test_an_archive_that_has_expired_has_no_layout(world: World) -> None:
    await world.post()
    archives, archive = await archive_of(world, expiry_s=DAY)
    await archives.layout(archive)
    await archives.expire()
    await world.run("UPDATE objects SET crc32 = 7")
    assert (await archives.layout(archive)).size  # kept still: nothing was asked of the catalogue
    await world.run("UPDATE archives SET expires = 0")
    await archives.expire()
    with pytest.raises(NotFoundError):
        await archives.layout(archive)
