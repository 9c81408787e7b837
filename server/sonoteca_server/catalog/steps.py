"""The steps by which the tables of a catalogue change, as Alembic takes them.

Loaded only where a step is missing: Alembic is a sixth of the server's memory.
"""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def apply(connection: Connection) -> None:
    """Apply the steps that are missing, in the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def names() -> list[str]:
    """All steps, the last one first."""
    steps = ScriptDirectory.from_config(_config()).walk_revisions()
    return [step.revision for step in steps]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", f"{__package__}:migrations")
    return config
