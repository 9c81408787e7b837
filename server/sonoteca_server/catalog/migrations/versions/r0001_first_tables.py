"""The first tables: repositories, objects, sounds and the feed of changes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "changes",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_changes")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "repositories",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("visibility", sa.Text(), server_default="members", nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_repositories")),
        sa.UniqueConstraint("name", name=op.f("uq_repositories_name")),
    )
    op.create_table(
        "objects",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("repository", sa.Integer(), nullable=False),
        sa.Column("oid", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=False),
        sa.Column("peaks_state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("peaks_tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("peaks_blob", sa.Text(), nullable=True),
        sa.Column("created", sa.Text(), nullable=False),
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
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("repository", sa.Integer(), nullable=False),
        sa.Column("object", sa.Integer(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("folder_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("duration", sa.Float(), nullable=False),
        sa.Column("samplerate", sa.Integer(), nullable=False),
        sa.Column("bitdepth", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("container", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("doc", sa.Text(), nullable=False),
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
