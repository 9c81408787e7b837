"""The first tables: repositories, objects, sounds and the feed of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import SEQ, TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "changes",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "facts",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "repositories",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("visibility", TEXT, server_default="members", nullable=False),
        sa.Column("created", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_repositories")),
        sa.UniqueConstraint("name", name=op.f("uq_repositories_name")),
    )
    op.create_table(
        "objects",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("repository", SEQ, nullable=False),
        sa.Column("oid", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blob", TEXT, nullable=False),
        sa.Column("peaks_state", TEXT, server_default="pending", nullable=False),
        sa.Column("peaks_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("peaks_blob", TEXT, nullable=True),
        sa.Column("created", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["repository"], ["repositories.seq"], name=op.f("fk_objects_repository")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_objects")),
        sa.UniqueConstraint("blob", name=op.f("uq_objects_blob")),
        sa.UniqueConstraint("repository", "oid", name=op.f("uq_objects_repository_oid")),
    )
    op.create_index("ix_objects_peaks_state", "objects", ["peaks_state"], unique=False)
    op.create_table(
        "sounds",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("repository", SEQ, nullable=False),
        sa.Column("object", SEQ, nullable=False),
        sa.Column("folder", TEXT, nullable=False),
        sa.Column("folder_key", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_key", TEXT, nullable=False),
        sa.Column("words", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.Float(), nullable=False),
        sa.Column("samplerate", sa.Integer(), nullable=False),
        sa.Column("bitdepth", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("format", TEXT, nullable=False),
        sa.Column("container", TEXT, nullable=False),
        sa.Column("created", TEXT, nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("doc", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["object"], ["objects.seq"], name=op.f("fk_sounds_object")),
        sa.ForeignKeyConstraint(
            ["repository"], ["repositories.seq"], name=op.f("fk_sounds_repository")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_sounds")),
        sa.UniqueConstraint("id", name=op.f("uq_sounds_id")),
        sa.UniqueConstraint(
            "repository", "folder", "name", name=op.f("uq_sounds_repository_folder_name")
        ),
    )
    op.create_index("ix_sounds_changed", "sounds", ["changed"], unique=False)
    op.create_index("ix_sounds_created", "sounds", ["created", "id"], unique=False)
    op.create_index("ix_sounds_duration", "sounds", ["duration"], unique=False)
    op.create_index("ix_sounds_folder_key", "sounds", ["folder_key"], unique=False)
    op.create_index("ix_sounds_name", "sounds", ["name"], unique=False)
    op.create_index("ix_sounds_name_key", "sounds", ["name_key"], unique=False)
    op.create_index("ix_sounds_object", "sounds", ["object"], unique=False)
    op.create_index("ix_sounds_size", "sounds", ["size"], unique=False)
