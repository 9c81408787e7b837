"""Finds the catalogue that the setting `database` names: `sqlite`, or `postgresql://…`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from sonoteca_server.catalog import (
    CatalogUnreachableError,
    Home,
    conversions,  # noqa: F401 - so that its tables are known wherever a catalogue is opened
)
from sonoteca_server.catalog.sqlite import SqliteHome

FILE = "catalog.sqlite"


def home_of(database: str, folder: Path) -> Home:
    """Where the catalogue of the library in this folder lives."""
    if database == "sqlite":
        return SqliteHome(folder / FILE)
    try:
        url = make_url(database)
    except ArgumentError:
        url = None
    if url is None or url.drivername not in ("postgresql", "postgres"):
        raise CatalogUnreachableError(
            "“database” is neither “sqlite” nor postgresql://user:password@host/name"
        )
    if importlib.util.find_spec("psycopg") is None:
        raise CatalogUnreachableError(
            "PostgreSQL needs one more package: pip install 'sonoteca[server,postgres]'"
        )
    # Imported only here: the driver is not there for everybody.
    from sonoteca_server.catalog.postgres import PostgresHome

    return PostgresHome(url)


def without_password(database: str) -> str:
    """The setting as it may be shown."""
    try:
        return make_url(database).render_as_string(hide_password=True)
    except ArgumentError:
        return database
