"""The catalogue itself, on both engines: its tables, its transactions and how it is opened."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from sonoteca_server.catalog import (
    Catalog,
    CatalogNewerError,
    CatalogUnreachableError,
    feed,
)
from sonoteca_server.catalog.engines import home_of, without_password
from sonoteca_server.catalog.schema import facts, metadata, repositories
from sonoteca_shared.errors import NoSpaceError
from tests.kit import postgres as kit

DATABASES = ("sqlite", "postgresql")
T = TypeVar("T")


@contextlib.contextmanager
def opened(database: str, folder: Path) -> Iterator[Catalog]:
    catalog = home_of(database, folder).open()
    try:
        yield catalog
    finally:
        catalog.close()


def do(database: str, folder: Path, work: Callable[[Catalog], Awaitable[T]]) -> T:
    """Open the catalogue, do the work, close it again."""

    async def main() -> T:
        with opened(database, folder) as catalog:
            return await work(catalog)

    return asyncio.run(main())


def add(connection: Connection, name: str) -> None:
    connection.execute(insert(repositories).values(name=name, created="2026-01-01T00:00:00Z"))


def all_names(connection: Connection) -> list[str]:
    return list(connection.execute(select(repositories.c.name).order_by("name")).scalars())


def differences(connection: Connection) -> list[object]:
    """Where the tables that the migrations made are not those of the program."""
    full_text = ("search", "ix_sounds_words")  # known to the migrations alone

    def ours(thing: object, name: str | None, *_rest: object) -> bool:
        engine = connection.dialect.name
        only = isinstance(thing, Table) or name != "ix_changes_place" or engine != "sqlite"
        return only and not (name or "").startswith(full_text)

    options = {"compare_type": True, "include_object": ours}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def test_the_steps_lead_to_the_tables_of_the_program(tmp_path: Path, database: str) -> None:
    assert do(database, tmp_path, lambda catalog: catalog.read(differences)) == []


def test_what_was_written_is_there_after_a_restart(tmp_path: Path, database: str) -> None:
    do(database, tmp_path, lambda catalog: catalog.write(add, "one"))
    assert do(database, tmp_path, lambda catalog: catalog.read(all_names)) == ["one"]


def test_a_write_that_fails_leaves_nothing_and_spoils_no_other(
    tmp_path: Path, database: str
) -> None:
    def fail(connection: Connection) -> None:
        add(connection, "half")
        raise ZeroDivisionError

    async def work(catalog: Catalog) -> list[object]:
        writes = [catalog.write(add, f"{n:02}") for n in range(10)]
        failing = [catalog.write(fail) for _ in range(5)]
        await asyncio.gather(*writes, *failing, return_exceptions=True)
        return list(await catalog.read(all_names))

    assert do(database, tmp_path, work) == [f"{n:02}" for n in range(10)]


def test_a_fault_of_ours_is_not_tried_for_ever(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database != "sqlite":
        monkeypatch.setattr("sonoteca_server.catalog.postgres._TRIES", 3)
    runs = []

    def collide(connection: Connection) -> None:
        runs.append(1)
        for _ in range(2):
            add(connection, "twice")

    with pytest.raises(IntegrityError):
        do(database, tmp_path, lambda catalog: catalog.write(collide))
    assert len(runs) == (1 if database == "sqlite" else 3)


def test_of_writers_that_look_and_then_write_none_is_lost(tmp_path: Path, database: str) -> None:
    def count_up(connection: Connection) -> None:
        value = connection.execute(
            select(facts.c.value).where(facts.c.name == "count")
        ).scalar_one()
        time.sleep(0.001)
        values = {"value": str(int(value) + 1)}
        connection.execute(facts.update().where(facts.c.name == "count").values(values))

    async def work(catalog: Catalog) -> str:
        def begin(connection: Connection) -> None:
            connection.execute(facts.insert().values(name="count", value="0"))

        await catalog.write(begin)
        await asyncio.gather(*(catalog.write(count_up) for _ in range(30)))

        def result(connection: Connection) -> str:
            query = select(facts.c.value).where(facts.c.name == "count")
            return str(connection.execute(query).scalar_one())

        return await catalog.read(result)

    assert do(database, tmp_path, work) == "30"


def test_a_read_sees_one_moment(tmp_path: Path, database: str) -> None:
    looked, written = threading.Event(), threading.Event()

    def look_twice(connection: Connection) -> tuple[int, int]:
        query = select(func.count()).select_from(repositories)
        first = connection.execute(query).scalar_one()
        looked.set()
        written.wait(10)
        return first, connection.execute(query).scalar_one()

    async def work(catalog: Catalog) -> tuple[int, int]:
        reading = asyncio.create_task(catalog.read(look_twice))
        await asyncio.to_thread(looked.wait, 10)
        await catalog.write(add, "meanwhile")
        written.set()
        return await reading

    assert do(database, tmp_path, work) == (0, 0)


def test_a_write_goes_on_when_whoever_asked_is_gone(tmp_path: Path, database: str) -> None:
    begun = threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        time.sleep(0.1)
        add(connection, "kept")

    async def work(catalog: Catalog) -> None:
        writing = asyncio.create_task(catalog.write(slow))
        await asyncio.to_thread(begun.wait, 10)
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing

    do(database, tmp_path, work)
    assert do(database, tmp_path, lambda catalog: catalog.read(all_names)) == ["kept"]


def test_a_catalogue_of_a_newer_program_is_left_alone(tmp_path: Path, database: str) -> None:
    def age(connection: Connection) -> None:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    do(database, tmp_path, lambda catalog: catalog.write(age))
    with pytest.raises(CatalogNewerError, match="newer Sonoteca"):
        home_of(database, tmp_path).open()
    with pytest.raises(CatalogNewerError):
        list(home_of(database, tmp_path).dump())


def test_text_sorts_by_code_points(tmp_path: Path, database: str) -> None:
    names = ["Z", "a", "É", "Ä", "a b", "ab", "_", "z"]

    async def work(catalog: Catalog) -> list[str]:
        for name in names:
            await catalog.write(add, name)
        return await catalog.read(all_names)

    assert do(database, tmp_path, work) == sorted(names)


def test_the_clock_of_the_catalogue_is_right(tmp_path: Path, database: str) -> None:
    now = do(database, tmp_path, lambda catalog: catalog.read(feed.now))
    assert abs(now.timestamp() - time.time()) < 5
    assert now.utcoffset() is not None


def test_servers_that_start_together_make_one_catalogue(postgres: kit.Cluster) -> None:
    url = postgres.create()
    catalogs: list[Catalog] = []
    threads = [
        threading.Thread(target=lambda: catalogs.append(home_of(url, Path()).open()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(catalogs) == 4
    for catalog in catalogs:
        catalog.close()


def test_a_connection_that_broke_is_made_again(postgres: kit.Cluster) -> None:
    url = postgres.create()

    def break_all(connection: Connection) -> None:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
        mine = "pg_backend_pid() AND datname = current_database()"
        connection.execute(text(others + mine))

    async def work(catalog: Catalog) -> list[str]:
        await asyncio.gather(*(catalog.write(add, str(n)) for n in range(8)))
        await catalog.read(break_all)
        await asyncio.gather(*(catalog.write(add, f"later {n}") for n in range(8)))
        return await catalog.read(all_names)

    assert len(do(url, Path(), work)) == 16


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("mysql://x", "neither"),
        ("nonsense", "neither"),
        ("postgresql://a:secret@127.0.0.1:1/x", "127.0.0.1"),
    ],
)
def test_a_database_that_cannot_be_had_is_named(setting: str, words: str) -> None:
    with pytest.raises(CatalogUnreachableError, match=words) as refused:
        home_of(setting, Path()).open()
    assert "secret" not in str(refused.value)
    assert "secret" not in without_password(setting)


def test_a_database_that_is_not_there_is_named(postgres: kit.Cluster) -> None:
    with pytest.raises(CatalogUnreachableError, match="does not exist"):
        home_of(postgres.url("nowhere"), Path()).exists()


def test_a_database_that_cannot_keep_every_name_is_refused(postgres: kit.Cluster) -> None:
    postgres.create_in("SQL_ASCII", "ascii_only")
    with pytest.raises(CatalogUnreachableError, match=r"SQL_ASCII.*ENCODING 'UTF8'"):
        home_of(postgres.url("ascii_only"), Path()).open()


def test_a_full_disk_of_the_database_is_said(postgres: kit.Cluster) -> None:
    def fill_up(connection: Connection) -> None:
        connection.execute(text("DO $$ BEGIN RAISE USING ERRCODE = 'disk_full'; END $$"))

    with pytest.raises(NoSpaceError):
        do(postgres.create(), Path(), lambda catalog: catalog.write(fill_up))


def test_what_is_recalled_is_what_anybody_committed_last(tmp_path: Path, database: str) -> None:
    async def main() -> None:
        with opened(database, tmp_path) as ours:
            assert await ours.recall(names_of, "a*") == ()
            await ours.write(add, "ape")
            assert await ours.recall(names_of, "a*") == ("ape",)
            # Another process, as far as the database can tell.
            with home_of(database, tmp_path).look() as theirs:
                theirs.rollback()
                with theirs.begin():
                    add(theirs, "ant")
            assert await ours.recall(names_of, "a*") == ("ant", "ape")
            assert await ours.recall(names_of, "b*") == ()

    asyncio.run(main())


def test_what_nobody_changed_is_not_read_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def look(_connection: Connection, name: str) -> str:
        asked.append(name)
        return name

    async def main() -> None:
        with opened("sqlite", tmp_path) as catalog:
            for _ in range(3):
                assert await catalog.recall(look, "a") == "a"
                assert await catalog.recall(look, "b") == "b"
            await catalog.write(add, "ape")
            await catalog.recall(look, "a")

    asyncio.run(main())
    assert asked == ["a", "b", "a"]


def names_of(connection: Connection, pattern: str) -> tuple[str, ...]:
    query = select(repositories.c.name).where(repositories.c.name.op("GLOB")(pattern))
    if connection.dialect.name == "postgresql":
        query = select(repositories.c.name).where(
            repositories.c.name.like(pattern.replace("*", "%"))
        )
    return tuple(connection.execute(query.order_by("name")).scalars())
