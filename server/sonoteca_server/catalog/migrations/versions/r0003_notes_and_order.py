"""Upkeep's notes in a table of their own; room to order collections; what rare lookups need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import SEQ, TEXT

revision = "0003"
down_revision = "0002"

_NOTES = "name LIKE 'unused-blob %' OR name LIKE 'unused-object %'"


def upgrade() -> None:
    """Make the table and move the notes that lay among the facts."""
    op.create_table(
        "unused",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_unused"),
    )
    moved = f"SELECT name, CAST(value AS DOUBLE PRECISION) FROM facts WHERE {_NOTES}"  # noqa: S608
    op.execute(f"INSERT INTO unused (name, since) {moved}")
    op.execute(f"DELETE FROM facts WHERE {_NOTES}")  # noqa: S608 - ours
    op.create_index("ix_revisions_object", "revisions", ["object"])
    op.create_index("ix_objects_peaks_blob", "objects", ["peaks_blob"])
    op.create_index("ix_objects_repository", "objects", ["repository", "size"])
    op.create_index(
        "ix_collection_sounds_position", "collection_sounds", ["collection", "position", "sound"]
    )
    op.create_index("ix_collections_name_key", "collections", ["name_key", "seq"])
    op.add_column(
        "repositories", sa.Column("rev", sa.Integer(), server_default="1", nullable=False)
    )
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("collection_sounds", "position", type_=SEQ)
