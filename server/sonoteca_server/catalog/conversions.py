"""The tables of conversions: what was made of objects, and recipes under a name."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Table, UniqueConstraint

from sonoteca_server.catalog.schema import SEQ, TEXT, metadata, objects

# What objects were converted to; the blobs can be made again, so they go when nobody asks for them.
# `used` is in seconds since the epoch.
derivatives = Table(
    "derivatives",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("object", SEQ, ForeignKey("objects.seq", ondelete="CASCADE"), nullable=False),
    Column("recipe", TEXT, nullable=False),
    Column("blob", TEXT, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("used", Float, nullable=False),
    UniqueConstraint("object", "recipe"),
    UniqueConstraint("blob"),
)
Index("ix_derivatives_used", derivatives.c.used)

# Recipes of conversions under names that people chose.
presets = Table(
    "presets",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("recipe", TEXT, nullable=False),
    Column("created", TEXT, nullable=False),
)

# Every column that names blobs: what is in none of them nobody needs.
BLOBS = (objects.c.blob, objects.c.peaks_blob, derivatives.c.blob)
