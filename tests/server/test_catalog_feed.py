"""The feed under load, on both engines: whoever follows it hears every change, in order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, insert, text

from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import changes, objects, repositories, sounds
from sonoteca_server.library.sounds import columns_of
from sonoteca_shared.models import Sound
from tests.kit import postgres as kit
from tests.kit.faults import make_sound

DATABASES = ("sqlite", "postgresql")
AT = "2026-01-01T00:00:00Z"
WRITERS = 16


def note(connection: Connection, subject: str, rev: int, pause: float) -> None:
    """A change whose transaction takes its time between its number and its commit."""
    feed.append(connection, "sound.changed", subject, rev, AT)
    time.sleep(pause)


async def write_all(catalogs: list[Catalog], each: int) -> None:
    async def writer(number: int) -> None:
        luck = random.Random(number)
        for rev in range(1, each + 1):
            pause = luck.choice([0, 0, 0.001, 0.01])
            await catalogs[number % len(catalogs)].write(note, str(number), rev, pause)

    await asyncio.gather(*map(writer, range(WRITERS)))


async def tail(
    catalog: Catalog, cursor: feed.FeedCursor, done: Callable[[], bool], count: int
) -> list[tuple[str, int]]:
    """What a client hears that asks again and again, until all is there and nothing else comes.

    The last change may be a while in coming: PostgreSQL's own housekeeping has transactions too.
    """
    heard: list[tuple[str, int]] = []
    while True:
        last = done()
        page = await catalog.read(feed.read, cursor, 7)
        cursor = feed.parse_cursor(page.cursor.text())
        for doc in page.docs:
            change = msgspec.json.decode(doc)
            heard.append((change["id"], change["rev"]))
        if last and not page.more and not page.docs and len(heard) >= count:
            return heard


@pytest.mark.timeout(60)
def test_a_reader_that_tails_sixteen_writers_loses_nothing(tmp_path: Path, database: str) -> None:
    each = 40
    # On PostgreSQL as two servers, each with writers of its own.
    count = 1 if database == "sqlite" else 2
    catalogs = [home_of(database, tmp_path).open() for _ in range(count)]

    async def main() -> list[tuple[str, int]]:
        # What was written before a client begins, it hears of by its sounds; here there are none.
        begun = (await catalogs[0].read(feed.read, None, 1)).cursor
        writing = asyncio.create_task(write_all(catalogs, each))
        heard = await tail(catalogs[0], begun, writing.done, WRITERS * each)
        await writing
        return heard

    try:
        heard = asyncio.run(main())
    finally:
        for catalog in catalogs:
            catalog.close()
    assert len(heard) == len(set(heard)) == WRITERS * each
    for number in map(str, range(WRITERS)):
        assert [rev for who, rev in heard if who == number] == list(range(1, each + 1))


def test_a_change_that_commits_late_is_heard_late_but_heard(postgres: kit.Cluster) -> None:
    home = home_of(postgres.create(), Path())
    one, other = home.open(), home.open()

    async def main() -> list[list[str]]:
        begun = await one.read(feed.read, None, 10)
        slow = asyncio.create_task(one.write(note, "slow", 1, 0.5))
        await asyncio.sleep(0.2)
        await other.write(note, "quick", 1, 0)
        early = await other.read(feed.read, begun.cursor, 10)
        await slow
        late = await other.read(feed.read, early.cursor, 10)
        return [[msgspec.json.decode(doc)["id"] for doc in page.docs] for page in (early, late)]

    try:
        # By its number the slow one comes first; a reader that went by numbers alone would
        # hear of the quick one and never of the other.
        assert asyncio.run(main()) == [[], ["slow", "quick"]]
    finally:
        one.close()
        other.close()


def numbered(number: int) -> Sound:
    return make_sound(str(number).encode(), f"{number}.wav")


def fill(connection: Connection, count: int) -> None:
    """Sounds as an upload would have made them."""
    connection.execute(insert(repositories).values(seq=1, name="main", created=AT))
    values = {"seq": 1, "repository": 1, "oid": "0" * 64, "size": 1, "blob": "b", "created": AT}
    connection.execute(insert(objects).values(values))
    for number in range(count):
        sound = numbered(number)
        change = feed.append(connection, "sound.created", sound.id, 1, AT)
        row = columns_of(sound) | {"repository": 1, "object": 1, "changed": change}
        connection.execute(insert(sounds).values(row))


def touch(connection: Connection, number: int) -> None:
    sound = numbered(number)
    change = feed.append(connection, "sound.changed", sound.id, 2, AT)
    connection.execute(sounds.update().where(sounds.c.id == sound.id).values(changed=change))


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_the_first_snapshot_and_what_changes_meanwhile(
    tmp_path: Path, database: str, limit: int
) -> None:
    catalog = home_of(database, tmp_path).open()

    async def main() -> list[tuple[str, int]]:
        await catalog.write(fill, 10)
        heard, cursor, turn = [], None, 0
        while True:
            page = await catalog.read(feed.read, cursor, limit)
            cursor = feed.parse_cursor(page.cursor.text())
            for doc in page.docs:
                change = msgspec.json.decode(doc)
                heard.append((change["id"], change["rev"]))
            if turn < 10:
                await catalog.write(touch, turn)  # some were told already, some were not yet
            elif not page.more and not page.docs:
                return heard
            turn += 1

    try:
        heard = asyncio.run(main())
    finally:
        catalog.close()
    ids = {numbered(number).id for number in range(10)}
    assert {who for who, rev in heard if rev == 2} == ids
    assert len(heard) == len(set(heard))


def test_cursors_expire_when_the_feed_is_begun_anew(tmp_path: Path, database: str) -> None:
    catalog = home_of(database, tmp_path).open()

    async def main() -> None:
        await catalog.write(note, "x", 1, 0)
        before = await catalog.read(feed.read, None, 10)
        await catalog.write(feed.renew)
        with pytest.raises(feed.CursorExpiredError):
            await catalog.read(feed.read, before.cursor, 10)
        later = await catalog.read(feed.read, None, 10)
        await catalog.write(note, "y", 1, 0)
        assert len((await catalog.read(feed.read, later.cursor, 10)).docs) == 1

    try:
        asyncio.run(main())
    finally:
        catalog.close()


def test_a_copy_in_another_cluster_begins_its_feed_anew(postgres: kit.Cluster) -> None:
    home = home_of(postgres.create(), Path())
    catalog = home.open()

    def from_elsewhere(connection: Connection) -> None:
        """As a restored dump would be: counted by another cluster, and far in our future."""
        feed.append(connection, "sound.changed", "x", 1, AT)
        connection.execute(text("UPDATE facts SET value = 'other' WHERE name = 'counter'"))
        connection.execute(changes.update().values(xid=1 << 40))

    async def main(work: Callable[[Connection], None]) -> feed.FeedPage:
        await catalog.write(work)
        return await catalog.read(feed.read, None, 10)

    before = asyncio.run(main(from_elsewhere))
    catalog.close()
    catalog = home.open()
    try:
        after = asyncio.run(main(lambda connection: note(connection, "y", 1, 0)))
    finally:
        catalog.close()
    assert before.cursor.library != after.cursor.library
    start = feed.FeedCursor(after.cursor.library, 0)
    catalog = home.open()
    try:
        page = asyncio.run(catalog.read(feed.read, start, 10))
    finally:
        catalog.close()
    assert [msgspec.json.decode(doc)["id"] for doc in page.docs] == ["x", "y"]
