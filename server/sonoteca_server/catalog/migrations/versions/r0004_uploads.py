"""Uploads that can be resumed, as far as they have come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "uploads",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("durable", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("metadata", TEXT, nullable=False),
        sa.Column("concat", TEXT, nullable=False),
        sa.Column("state", TEXT, server_default="open", nullable=False),
        sa.Column("outcome", TEXT, nullable=True),
        sa.Column("created", TEXT, nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    op.create_index("ix_uploads_expires", "uploads", ["state", "expires"])
