"""A library of the first version, brought to the present one with all that was in it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, create_engine, make_url, select, text

from sonoteca_server.catalog import feed, steps, upgrading
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import facts, objects, sounds, unused
from sonoteca_server.catalog.sqlite import open_engine
from sonoteca_shared.models import Finding, Sound
from tests.kit.faults import make_sound
from tests.server.conftest import BOTH

AT = "2026-01-05T00:00:00Z"


def first_library(path: Path, library: list[Sound]) -> None:
    """A catalogue as the first tables held it."""
    with opened("sqlite", path.parent) as connection:
        tables = at_step(connection, "0001")
        put(connection, tables, "facts", name="library", value="first")
        put(connection, tables, "repositories", seq=1, name="main", created=AT)
        for seq, sound in enumerate(library, 1):
            doc = msgspec.to_builtins(sound)
            same = ("id", "folder", "name", "size", "duration", "samplerate", "bitdepth",
                    "channels", "format", "container", "rev")  # fmt: skip
            row = {column: doc[column] for column in same} | {
                "seq": seq, "repository": 1, "object": seq, "folder_key": "", "changed": seq,
                "name_key": sound.name, "created": AT, "words": f" {sound.name[:-4]} wav",
                "doc": msgspec.json.encode(sound).decode(),
            }  # fmt: skip
            put(connection, tables, "objects", seq=seq, repository=1, oid=sound.sha256,
                size=sound.size, blob=f"blob-{seq}", created=AT)  # fmt: skip
            put(connection, tables, "sounds", **row)
            put(connection, tables, "changes", type="sound.created", subject=sound.id, rev=1, at=AT)


@contextlib.contextmanager
def opened(database: str, folder: Path) -> Iterator[Connection]:
    """The bare database, in one transaction."""
    if database == "sqlite":
        engine = open_engine(folder / "catalog.sqlite")
    else:
        engine = create_engine(make_url(database).set(drivername="postgresql+psycopg"))
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection
    engine.dispose()


def at_step(connection: Connection, step: str) -> MetaData:
    """Make the tables as they were at this step."""
    config = Config()
    config.set_main_option("script_location", "sonoteca_server.catalog:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, step)
    tables = MetaData()
    tables.reflect(connection)
    return tables


def put(connection: Connection, tables: MetaData, table: str, **values: object) -> None:
    connection.execute(tables.tables[table].insert().values(values))


@pytest.fixture
def library() -> list[Sound]:
    odd = (Finding(code="wav.empty", severity="warning", offset=36),)
    plain = [make_sound(name.encode(), f"{name}.wav") for name in ("door", "rain")]
    said = msgspec.structs.replace(plain[1], description="on a tin roof", findings=odd)
    return [plain[0], said]


def test_nothing_is_lost_and_the_new_columns_are_filled(
    tmp_path: Path, library: list[Sound]
) -> None:
    first_library(tmp_path / "catalog.sqlite", library)
    catalog = home_of("sqlite", tmp_path).open()

    def look(connection: Connection) -> list[tuple[object, ...]]:
        query = select(sounds.c.doc, sounds.c.description, sounds.c.finding_count, sounds.c.trashed)
        return [tuple(row) for row in connection.execute(query.order_by(sounds.c.seq))]

    try:
        rows = asyncio.run(catalog.read(look))
        page = asyncio.run(catalog.read(feed.read, feed.FeedCursor("first", 1), 10))
    finally:
        catalog.close()
    assert [msgspec.json.decode(str(row[0]), type=Sound) for row in rows] == library
    assert [row[1:] for row in rows] == [("", 0, None), ("on a tin roof", 1, None)]
    assert [msgspec.json.decode(doc)["id"] for doc in page.docs] == [library[1].id]


def test_full_text_finds_what_was_there_and_follows_what_changes(
    tmp_path: Path, library: list[Sound]
) -> None:
    first_library(tmp_path / "catalog.sqlite", library)
    home_of("sqlite", tmp_path).open().close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:

        def found(words: str) -> list[int]:
            query = "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid"
            return [row[0] for row in connection.execute(query, [words])]

        assert (found("door"), found('"ra"*'), found("wav")) == ([1], [2], [1, 2])
        connection.execute("UPDATE sounds SET words = ' gate' WHERE seq = 1")
        connection.execute("UPDATE sounds SET rating = 5 WHERE seq = 2")
        assert (found("door"), found("gate"), found("wav")) == ([], [1], [2])
        connection.execute("DELETE FROM sounds WHERE seq = 2")
        assert found("rain") == []
        connection.execute("INSERT INTO search(search) VALUES ('integrity-check')")
    connection.close()


def test_what_stops_half_way_changes_nothing(
    tmp_path: Path, library: list[Sound], monkeypatch: pytest.MonkeyPatch
) -> None:
    first_library(tmp_path / "catalog.sqlite", library)

    def fail(_connection: Connection) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(feed, "begin", fail)
        with pytest.raises(KeyboardInterrupt):
            home_of("sqlite", tmp_path).open()
    engine = open_engine(tmp_path / "catalog.sqlite")
    with engine.connect() as connection:
        step = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        count = connection.execute(text("SELECT count(*) FROM sounds")).scalar_one()
    engine.dispose()
    assert (step, count) == ("0001", 2)
    home_of("sqlite", tmp_path).open().close()


@pytest.mark.parametrize("database", BOTH, indirect=True)
def test_upkeep_finds_its_notes_where_they_are_kept_now(tmp_path: Path, database: str) -> None:
    noted = {"unused-blob 0198": "1764000000.25", "unused-object 7": "1764000001.0"}
    with opened(database, tmp_path) as connection:
        tables = at_step(connection, "0002")
        put(connection, tables, "facts", name="library", value="second")
        for name, value in noted.items():
            put(connection, tables, "facts", name=name, value=value)
    catalog = home_of(database, tmp_path).open()

    def look(connection: Connection) -> tuple[dict[str, float], set[str]]:
        notes = {row.name: row.since for row in connection.execute(select(unused))}
        return notes, set(connection.execute(select(facts.c.name)).scalars())

    try:
        notes, rest = asyncio.run(catalog.read(look))
    finally:
        catalog.close()
    assert notes == {name: float(value) for name, value in noted.items()}
    assert not rest & noted.keys()


@pytest.mark.parametrize("database", BOTH, indirect=True)
def test_what_has_a_waveform_is_to_be_measured_after_all_that_is_new(
    tmp_path: Path, database: str
) -> None:
    states = {"ready": 2, "pending": 0, "failed": None, "none": None}
    with opened(database, tmp_path) as connection:
        tables = at_step(connection, "0007")
        put(connection, tables, "facts", name="library", value="seventh")
        put(connection, tables, "repositories", seq=1, name="main", created=AT)
        for seq, state in enumerate(states, 1):
            put(connection, tables, "objects", seq=seq, repository=1, oid=state, size=1,
                blob=state, peaks_state=state, peaks_tries=1, created=AT)  # fmt: skip
    catalog = home_of(database, tmp_path).open()
    columns = objects.c.peaks_state, objects.c.analysis, objects.c.analysis_tries

    def look(connection: Connection) -> dict[str, tuple[int | None, int]]:
        return {row[0]: (row[1], row[2]) for row in connection.execute(select(*columns))}

    try:
        found = asyncio.run(catalog.read(look))
    finally:
        catalog.close()
    assert {state: rank for state, (rank, _) in found.items()} == states
    assert found["ready"] == (2, 0)
    assert found["pending"] == (0, 1)


def test_the_program_knows_at_which_step_its_tables_are() -> None:
    assert steps.names()[0] == upgrading.PRESENT


def test_alembic_is_not_loaded_where_no_step_is_missing(tmp_path: Path) -> None:
    home_of("sqlite", tmp_path).create()
    look = (
        "import sys; from pathlib import Path; from sonoteca_server import app;"
        "from sonoteca_server.catalog.engines import home_of;"
        "home_of('sqlite', Path(sys.argv[1])).open().close(); print('alembic' in sys.modules)"
    )
    program = [sys.executable, "-c", look, str(tmp_path)]
    assert subprocess.run(program, capture_output=True, text=True, check=True).stdout == "False\n"
