"""How loud objects are; whose turn it is to be analysed, and who does it now."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import TEXT

revision = "0008"
down_revision = "0007"

_NEW, _EARLIER = 0, 2


def upgrade() -> None:
    """Add the columns; what has a waveform already is measured when there is nothing newer."""
    op.drop_index("ix_objects_peaks_state", "objects")
    op.execute("ALTER TABLE objects RENAME COLUMN peaks_tries TO analysis_tries")
    op.add_column("objects", sa.Column("loudness", TEXT))
    op.add_column("objects", sa.Column("analysis", sa.Integer(), server_default=str(_NEW)))
    op.add_column("objects", sa.Column("analysis_owner", TEXT))
    op.add_column("objects", sa.Column("analysis_until", sa.Float()))
    op.execute("UPDATE objects SET analysis = NULL WHERE peaks_state IN ('none', 'failed')")
    op.execute(
        f"UPDATE objects SET analysis = {_EARLIER}, analysis_tries = 0 "  # noqa: S608 - ours
        "WHERE peaks_state = 'ready'"
    )
    wanted = sa.text("analysis IS NOT NULL")
    op.create_index(
        "ix_objects_analysis",
        "objects",
        ["analysis", sa.text("seq DESC")],
        sqlite_where=wanted,
        postgresql_where=wanted,
    )
