"""How long the catalogue takes for each question when it knows a million sounds.

    .venv/bin/python -m tests.bench.million [--count N] [--database postgresql://…] [--keep FOLDER]

Makes a catalogue of invented sounds through the real tables, asks each question many times with
other values, and prints the median and the 95th percentile in milliseconds, threads included.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, text

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog.engines import FILE, home_of
from tests.bench.questions import measure
from tests.kit import catalogue

_COUNT = 1_000_000
_SQLITE = """SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND
    (type = 'index' OR (type = 'trigger' AND tbl_name = 'sounds'))"""
_POSTGRESQL = """SELECT 'index', indexname, indexdef FROM pg_indexes
    WHERE schemaname = current_schema()
    AND indexname NOT IN (SELECT conname FROM pg_constraint)"""


def open_engine(database: str, folder: Path) -> Engine:
    """An engine on the catalogue, for work that no server does."""
    if database == "sqlite":
        from sonoteca_server.catalog.sqlite import open_engine as open_file

        return open_file(folder / FILE)
    from sonoteca_server.catalog.postgres import open_engine as open_database

    return open_database(make_url(database))


def build(database: str, folder: Path, count: int, seed: int) -> None:
    """Fill an empty catalogue with this many sounds."""
    home_of(database, folder).create()
    engine = open_engine(database, folder)
    try:
        with engine.connect().execution_options(writes=True) as connection:
            with _without_indexes(connection):
                for done in catalogue.batches(connection, count, seed):
                    connection.commit()
                    _tell(f"{done:,} sounds")
            connection.commit()
        _settle(engine)
    finally:
        engine.dispose()


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Indexes and full text are made at the end, which is many times faster."""
    sqlite = connection.dialect.name == "sqlite"
    made = connection.execute(text(_SQLITE if sqlite else _POSTGRESQL)).all()
    for kind, name, _ in made:
        connection.execute(text(f"DROP {kind} {name}"))
    yield
    for _, name, sql in made:
        _tell(name)
        connection.exec_driver_sql(sql)
    if sqlite:
        _tell("full text")
        connection.execute(text("INSERT INTO search(search) VALUES ('rebuild')"))


def _settle(engine: Engine) -> None:
    """What either engine does by itself in time."""
    command = "ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"
    _tell(command)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(command))


async def ask(catalog: Catalog, rounds: int) -> None:
    """Print a row for each question."""
    try:
        async for question, middle, high in measure(catalog, rounds):
            print(f"{question:44}{middle:10.2f}{high:10.2f}", flush=True)
    finally:
        catalog.close()


def _tell(progress: str) -> None:
    print(f"\r{progress:40}", end="", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Questions to a catalogue of a million sounds.")
    parser.add_argument("--count", type=int, default=_COUNT)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument(
        "--keep", type=Path, help="a folder to keep the catalogue in, and use again"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        home = home_of(given.database, folder)
        if not home.exists():
            began = time.monotonic()
            build(given.database, folder, given.count, given.seed)
            _tell("")
            print(f"built in {time.monotonic() - began:.0f} s")
        print(f"{'milliseconds':44}{'p50':>10}{'p95':>10}")
        asyncio.run(ask(home.open(), given.rounds))


if __name__ == "__main__":
    main()
