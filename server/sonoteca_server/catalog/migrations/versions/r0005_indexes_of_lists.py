"""Indexes that serve lists: each leaves out the trash, orders ties, and counts without the rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_REPLACED = ("name", "name_key", "folder_key", "duration", "size", "loudness", "peak", "rating",
             "recorded", "uploaded_by")  # fmt: skip
_NEW = ("folder", "repository", "samplerate", "bitdepth", "channels", "format", "container",
        "license", "marker_count", "finding_count", "tag_count")  # fmt: skip


def upgrade() -> None:
    """Make the indexes anew, without the rows that no list shows."""
    for name in (*_REPLACED, "created", "trashed", "facets"):
        op.drop_index(f"ix_sounds_{name}", "sounds")
    for name in (*_REPLACED, *_NEW):
        _make(name, [name, "seq", "trashed"], "trashed IS NULL")
    _make("created", ["created", "seq", "trashed"], "trashed IS NULL")
    _make("trashed", ["trashed"], "trashed IS NOT NULL")


def _make(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        f"ix_sounds_{name}",
        "sounds",
        columns,
        sqlite_where=condition,
        postgresql_where=condition,
    )
