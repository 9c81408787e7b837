"""Archives, and what is in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import SEQ, TEXT

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "archives",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("on_error", TEXT, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("callback_url", TEXT, nullable=True),
        sa.Column("job", TEXT, nullable=True),
        sa.Column("key_digest", TEXT, nullable=True),
        sa.Column("request_digest", TEXT, nullable=True),
        sa.Column("recipe", TEXT, nullable=True),
        sa.Column("bytes_done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=True),
        sa.Column("created", TEXT, nullable=False),
        sa.Column("keep_s", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_archives"),
        sa.UniqueConstraint("hash", name="uq_archives_hash"),
        sa.UniqueConstraint("key_digest", name="uq_archives_key_digest"),
    )
    op.create_index("ix_archives_expires", "archives", ["expires"])
    op.create_table(
        "archive_members",
        sa.Column("archive", SEQ, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("object", SEQ, nullable=True),
        sa.Column("name", TEXT, server_default="", nullable=False),
        sa.Column("url", TEXT, nullable=True),
        sa.Column("code", TEXT, nullable=True),
        sa.Column("detail", TEXT, nullable=True),
        sa.ForeignKeyConstraint(
            ["archive"],
            ["archives.seq"],
            name="fk_archive_members_archive",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["object"], ["objects.seq"], name="fk_archive_members_object"),
        sa.PrimaryKeyConstraint("archive", "position", name="pk_archive_members"),
    )
    op.create_index("ix_archive_members_object", "archive_members", ["object"])
