"""The tables of the catalogue. The row is the truth: bytes without a row are not there."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# What this catalogue is: its own random name, so that a client notices when it is another one.
facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

repositories = Table(
    "repositories",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    # "members" or "own": whether a contributor sees what others put there.
    Column("visibility", Text, nullable=False, server_default="members"),
    Column("created", Text, nullable=False),
    UniqueConstraint("name"),
)

# Bytes by content. The blob's key is random, so two uploads of one content never touch one file,
# and the constraint picks the one that stays.
objects = Table(
    "objects",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("repository", Integer, ForeignKey("repositories.seq"), nullable=False),
    Column("oid", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("blob", Text, nullable=False),
    # Waveform overview: pending, ready or failed; computed once for each content.
    Column("peaks_state", Text, nullable=False, server_default="pending"),
    Column("peaks_tries", Integer, nullable=False, server_default="0"),
    Column("peaks_blob", Text),
    Column("created", Text, nullable=False),
    UniqueConstraint("repository", "oid"),
    UniqueConstraint("blob"),
)
Index("ix_objects_peaks_state", objects.c.peaks_state)

# `doc` is the sound as it is sent, written in the same transaction as the columns, which are there
# to filter and order. `changed` is the place of its latest change in the feed.
sounds = Table(
    "sounds",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False),
    Column("repository", Integer, ForeignKey("repositories.seq"), nullable=False),
    Column("object", Integer, ForeignKey("objects.seq"), nullable=False),
    Column("folder", Text, nullable=False),
    Column("folder_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("duration", Float, nullable=False),
    Column("samplerate", Integer, nullable=False),
    Column("bitdepth", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("format", Text, nullable=False),
    Column("container", Text, nullable=False),
    Column("created", Text, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("doc", Text, nullable=False),
    UniqueConstraint("id"),
    UniqueConstraint("repository", "folder", "name"),
)
Index("ix_sounds_name", sounds.c.name)
Index("ix_sounds_name_key", sounds.c.name_key)
Index("ix_sounds_folder_key", sounds.c.folder_key)
Index("ix_sounds_duration", sounds.c.duration)
Index("ix_sounds_size", sounds.c.size)
Index("ix_sounds_created", sounds.c.created, sounds.c.id)
Index("ix_sounds_object", sounds.c.object)
Index("ix_sounds_changed", sounds.c.changed)

# Every step of the catalogue, in commit order: SQLite has one writer, so `seq` is that order.
changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("at", Text, nullable=False),
    # A number once given to a client never names another change.
    sqlite_autoincrement=True,
)
