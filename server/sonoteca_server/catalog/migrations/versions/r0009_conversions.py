"""What sounds were converted to, and recipes that have names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import SEQ, TEXT

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "derivatives",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("object", SEQ, nullable=False),
        sa.Column("recipe", TEXT, nullable=False),
        sa.Column("blob", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["object"], ["objects.seq"], name="fk_derivatives_object", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name="pk_derivatives"),
        sa.UniqueConstraint("object", "recipe", name="uq_derivatives_object_recipe"),
        sa.UniqueConstraint("blob", name="uq_derivatives_blob"),
    )
    op.create_index("ix_derivatives_used", "derivatives", ["used"])
    op.create_table(
        "presets",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("recipe", TEXT, nullable=False),
        sa.Column("created", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_presets"),
    )
