"""Indexes hold what lists show, and not the trash; an order for everything that can be sorted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"

_RENEWED = ("name", "created", "name_key", "folder_key", "duration", "size", "loudness", "peak",
            "rating", "recorded", "uploaded_by", "facets", "trashed")  # fmt: skip
_SORTED = ("name_key", "folder_key", "duration", "size", "samplerate", "bitdepth", "channels",
           "format", "container", "loudness", "peak", "rating", "recorded",
           "uploaded_by")  # fmt: skip


def upgrade() -> None:
    """Make the indexes anew, each on the sounds that are not in the trash."""
    for name in _RENEWED:
        op.drop_index(f"ix_sounds_{name}", "sounds")
    _make("name", ["name"])
    _make("created", ["created", "id"])
    for name in _SORTED:
        _make(name, [name, "seq"])
    _make("with_markers", ["seq"], "marker_count > 0 AND trashed IS NULL")
    _make("with_findings", ["seq"], "finding_count > 0 AND trashed IS NULL")
    _make("untagged", ["seq"], "tag_count = 0 AND trashed IS NULL")
    _make("facets", ["samplerate", "bitdepth", "channels", "format", "duration"])
    _make("trashed", ["trashed"], "trashed IS NOT NULL")


def _make(name: str, columns: list[str], where: str = "trashed IS NULL") -> None:
    only = sa.text(where)
    op.create_index(
        f"ix_sounds_{name}", "sounds", columns, sqlite_where=only, postgresql_where=only
    )
