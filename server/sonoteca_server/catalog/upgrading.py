"""Brings the tables of a catalogue to the present shape, on either engine."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from sonoteca_server.catalog import CatalogNewerError, CatalogOlderError, feed
from sonoteca_server.catalog.schema import facts


def is_empty(connection: Connection) -> bool:
    """Whether no catalogue was ever made here."""
    return not inspect(connection).has_table(facts.name)


def upgrade(connection: Connection) -> None:
    """Apply the steps that are missing, all in the connection's transaction."""
    config = _config()
    _refuse_newer(connection)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    feed.begin(connection)


def step(connection: Connection) -> str:
    """The step that the tables are at; "none" before the first."""
    return MigrationContext.configure(connection).get_current_revision() or "none"


def refuse_older(connection: Connection) -> None:
    """CatalogOlderError unless the tables have the present shape."""
    _refuse_newer(connection)
    if step(connection) != ScriptDirectory.from_config(_config()).get_current_head():
        raise CatalogOlderError(
            "an older Sonoteca has written this catalogue: bring it up to date with "
            "`sonoteca-server db upgrade` first"
        )


def _refuse_newer(connection: Connection) -> None:
    script = ScriptDirectory.from_config(_config())
    known = {revision.revision for revision in script.walk_revisions()}
    present = step(connection)
    if present not in {*known, "none"}:
        raise CatalogNewerError(
            f"a newer Sonoteca has written this catalogue (step {present[:32]}, this one knows "
            f"{script.get_current_head()}): start that one, or restore a backup from before"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", f"{__package__}:migrations")
    return config
