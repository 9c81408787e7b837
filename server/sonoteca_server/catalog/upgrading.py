"""Brings the tables of a catalogue to the present shape, on either engine."""

from __future__ import annotations

from sqlalchemy import Connection, column, inspect, select, table

from sonoteca_server.catalog import CatalogNewerError, CatalogOlderError, feed
from sonoteca_server.catalog.schema import facts

PRESENT = "0009"
"""The step at which the tables have the shape that this program knows."""

_NONE = "none"
# As Alembic keeps it.
_steps = table("alembic_version", column("version_num"))


def is_empty(connection: Connection) -> bool:
    """Whether no catalogue was ever made here."""
    return not inspect(connection).has_table(facts.name)


def upgrade(connection: Connection) -> None:
    """Apply the steps that are missing, all in the connection's transaction."""
    if step(connection) != PRESENT:
        from sonoteca_server.catalog import steps  # its module says why not sooner

        _refuse_newer(connection, steps.names())
        steps.apply(connection)
    feed.begin(connection)


def step(connection: Connection) -> str:
    """The step that the tables are at; "none" before the first."""
    if not inspect(connection).has_table(_steps.name):
        return _NONE
    return connection.execute(select(_steps.c.version_num)).scalar() or _NONE


def refuse_older(connection: Connection) -> None:
    """CatalogOlderError unless the tables have the present shape."""
    if step(connection) == PRESENT:
        return
    from sonoteca_server.catalog import steps

    _refuse_newer(connection, steps.names())
    raise CatalogOlderError(
        "an older Sonoteca has written this catalogue: bring it up to date with "
        "`sonoteca-server db upgrade` first"
    )


def _refuse_newer(connection: Connection, known: list[str]) -> None:
    present = step(connection)
    if present not in (*known, _NONE):
        raise CatalogNewerError(
            f"a newer Sonoteca has written this catalogue (step {present[:32]}, this one knows "
            f"{PRESENT}): start that one, or restore a backup from before"
        )
