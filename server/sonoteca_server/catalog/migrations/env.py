"""Alembic runs this: the steps are applied on the connection that the catalogue hands over."""

from __future__ import annotations

from alembic import context

from sonoteca_server.catalog.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
