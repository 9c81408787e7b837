"""Jobs: work that outlives its request, and the process that runs it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import SEQ, TEXT

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table, and tell the library's changes from those of jobs."""
    op.create_table(
        "jobs",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=True),
        sa.Column("subject", TEXT, nullable=True),
        sa.Column("args", TEXT, nullable=False),
        sa.Column("state", TEXT, server_default="ready", nullable=False),
        sa.Column("rank", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due", sa.Float(), nullable=False),
        sa.Column("owner", TEXT, nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("losses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quiet", sa.Integer(), server_default="0", nullable=False),
        sa.Column("checkpoint", TEXT, nullable=True),
        sa.Column("progress", TEXT, nullable=True),
        sa.Column("result", TEXT, nullable=True),
        sa.Column("error", TEXT, nullable=True),
        sa.Column("rev", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_jobs"),
        sa.UniqueConstraint("id", name="uq_jobs_id"),
        sa.UniqueConstraint("kind", "key", name="uq_jobs_kind_key"),
    )
    ready = sa.text("state = 'ready'")
    op.create_index(
        "ix_jobs_ready",
        "jobs",
        ["kind", "rank", "due"],
        sqlite_where=ready,
        postgresql_where=ready,
    )
    op.create_index("ix_jobs_state", "jobs", ["state", "due"])
    op.create_index("ix_jobs_created", "jobs", ["created", "seq"])
    op.create_index("ix_jobs_subject", "jobs", ["subject"])
    for name, column, where in (
        ("library", "seq", "type <> 'job.changed'"),
        ("jobs", "at", "type = 'job.changed'"),
    ):
        condition = sa.text(where)
        op.create_index(
            f"ix_changes_{name}",
            "changes",
            [column],
            sqlite_where=condition,
            postgresql_where=condition,
        )
