"""A catalogue as readable SQL: `sqlite3 new.sqlite < dump.sql` or `psql -f dump.sql` reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.schema import CreateTable

from sonoteca_server.catalog.schema import metadata
from sonoteca_server.catalog.upgrading import refuse_older, step

_STEPS = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
# The full text of SQLite is a virtual table with tables of its own, which are made from ours.
_SQLITE_LATER = """SELECT sql FROM sqlite_master WHERE sql IS NOT NULL
    AND (type IN ('index', 'trigger') OR name = 'search')
    ORDER BY type = 'trigger', name"""
_POSTGRESQL_LATER = """SELECT indexdef FROM pg_indexes
    WHERE schemaname = current_schema() AND tablename = ANY(:tables)
    AND indexname NOT IN (SELECT conname FROM pg_constraint) ORDER BY indexname"""


def statements(connection: Connection) -> Iterator[str]:
    """Every table, row and index as statements, in an order that can be run."""
    refuse_older(connection)
    tables = metadata.sorted_tables
    yield "BEGIN;"
    for table in tables:
        yield str(CreateTable(table).compile(connection)).strip() + ";"
    yield f"{_STEPS};"
    yield f"INSERT INTO alembic_version VALUES ({_literal(step(connection))});"  # noqa: S608 - ours
    for table in tables:
        yield from _rows(connection, table)
    if connection.dialect.name == "postgresql":
        names = [table.name for table in tables]
        later = connection.execute(text(_POSTGRESQL_LATER), {"tables": names}).scalars()
        yield from (f"{statement};" for statement in later)
        yield from _numbers(tables)
    else:
        yield from (f"{sql};" for sql in connection.execute(text(_SQLITE_LATER)).scalars())
        yield "INSERT INTO search(search) VALUES ('rebuild');"
    yield "COMMIT;"


def _rows(connection: Connection, table: Table) -> Iterator[str]:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    query = table.select().order_by(*table.primary_key.columns)
    result = connection.execution_options(yield_per=1_000).execute(query)
    for row in result:
        values = ", ".join(_literal(value) for value in row)
        yield f"INSERT INTO {table.name} ({columns}) VALUES ({values});"  # noqa: S608 - quoted below


def _numbers(tables: list[Table]) -> Iterator[str]:
    """PostgreSQL counts on where the rows end."""
    for table in tables:
        if "seq" in table.columns:
            sequence = f"pg_get_serial_sequence('{table.name}', 'seq')"
            newest = f"(SELECT coalesce(max(seq), 0) + 1 FROM {table.name})"  # noqa: S608 - ours
            yield f"SELECT setval({sequence}, {newest}, false);"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
