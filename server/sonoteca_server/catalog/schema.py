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
    text,
)

from sonoteca_server.catalog.constructs import transaction_number

# SQLite's row number is an INTEGER by that very word; PostgreSQL's numbers must not end at 2³¹.
SEQ = BigInteger().with_variant(Integer, "sqlite")

# Text sorts by code points on both engines, whatever language the database was made for.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")

# Letters of a key to sort by: an entry of PostgreSQL's indexes holds 2,700 bytes at most.
MAX_KEY = 500


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
    Column("name", TEXT, primary_key=True),
    Column("value", TEXT, nullable=False),
)

# Blobs that no row names and objects that nobody uses, with the moment (seconds since the epoch)
# from which it was so: upkeep drops them when it has been so for long enough.
unused = Table(
    "unused",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("since", Float, nullable=False),
)

repositories = Table(
    "repositories",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("name", TEXT, nullable=False),
    # "members" or "own": whether a contributor sees what others put there.
    Column("visibility", TEXT, nullable=False, server_default="members"),
    Column("created", TEXT, nullable=False),
    Column("rev", Integer, nullable=False, server_default="1"),
    UniqueConstraint("name"),
)

# Which objects are analysed first: what just came, what failed once, what was there before.
ANALYSE_NEW, ANALYSE_AGAIN, ANALYSE_EARLIER = 0, 1, 2

# Bytes by content. The blob's key is random, so two uploads of one content never touch one file,
# and the constraint picks the one that stays.
objects = Table(
    "objects",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("repository", SEQ, ForeignKey("repositories.seq"), nullable=False),
    Column("oid", TEXT, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("blob", TEXT, nullable=False),
    # CRC-32 of all bytes, and SHA-256 of format and samples alone; None until they are known.
    Column("crc32", BigInteger),
    Column("audio_sha256", TEXT),
    # What `/data` put may be dropped there; what only sounds use may not.
    Column("put", Integer, nullable=False, server_default="0"),
    # Waveform overview: pending, ready or failed; computed once for each content.
    Column("peaks_state", TEXT, nullable=False, server_default="pending"),
    Column("peaks_blob", TEXT),
    # How loud it is, as JSON; None until it is measured.
    Column("loudness", TEXT),
    # Whose turn it is to be analysed; None when there is nothing to do. Who does it has a lease.
    Column("analysis", Integer, server_default=str(ANALYSE_NEW)),
    Column("analysis_tries", Integer, nullable=False, server_default="0"),
    Column("analysis_owner", TEXT),
    Column("analysis_until", Float),
    Column("created", TEXT, nullable=False),
    UniqueConstraint("repository", "oid"),
    UniqueConstraint("blob"),
)
_TO_ANALYSE = objects.c.analysis.is_not(None)
Index(
    "ix_objects_analysis",
    objects.c.analysis,
    objects.c.seq.desc(),
    sqlite_where=_TO_ANALYSE,
    postgresql_where=_TO_ANALYSE,
)
Index("ix_objects_peaks_blob", objects.c.peaks_blob)
# How much a repository holds is counted in this index alone.
Index("ix_objects_repository", objects.c.repository, objects.c.size)

# `doc` is the sound as it is sent, written in the same transaction as the columns, which are there
# to filter and order. `changed` is the place of its latest change in the feed. A sound with a
# `trashed` moment is in the trash: in no list, until it is restored or purged.
sounds = Table(
    "sounds",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("id", TEXT, nullable=False),
    Column("repository", SEQ, ForeignKey("repositories.seq"), nullable=False),
    Column("object", SEQ, ForeignKey("objects.seq"), nullable=False),
    Column("folder", TEXT, nullable=False),
    Column("folder_key", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False),
    Column("words", TEXT, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("duration", Float, nullable=False),
    Column("samplerate", Integer, nullable=False),
    Column("bitdepth", Integer, nullable=False),
    Column("channels", Integer, nullable=False),
    Column("format", TEXT, nullable=False),
    Column("container", TEXT, nullable=False),
    Column("audio_sha256", TEXT),
    Column("description", TEXT, nullable=False, server_default=""),
    Column("license", TEXT),
    Column("rating", Integer),
    Column("uploaded_by", TEXT),
    Column("recorded", TEXT),
    Column("loudness", Float),
    Column("peak", Float),
    Column("marker_count", Integer, nullable=False, server_default="0"),
    Column("finding_count", Integer, nullable=False, server_default="0"),
    Column("tag_count", Integer, nullable=False, server_default="0"),
    Column("created", TEXT, nullable=False),
    Column("trashed", TEXT),
    Column("rev", Integer, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("doc", TEXT, nullable=False),
    UniqueConstraint("id"),
)
# A name in the trash is free for another sound.
Index(
    "uq_sounds_place",
    sounds.c.repository,
    sounds.c.folder,
    sounds.c.name,
    unique=True,
    sqlite_where=sounds.c.trashed.is_(None),
    postgresql_where=sounds.c.trashed.is_(None),
)
# Lists leave out the trash, and so do the indexes that serve them. `seq` gives ties an order in
# which a page can begin; with `trashed` at the end SQLite counts without a look at the rows.
LISTED = (
    "name", "name_key", "folder", "folder_key", "repository", "duration", "size", "samplerate",
    "bitdepth", "channels", "format", "container", "license", "rating", "uploaded_by", "recorded",
    "loudness", "peak", "marker_count", "finding_count", "tag_count",
)  # fmt: skip
_IN_LISTS = sounds.c.trashed.is_(None)
for _column in LISTED:
    Index(
        f"ix_sounds_{_column}",
        sounds.c[_column],
        sounds.c.seq,
        sounds.c.trashed,
        sqlite_where=_IN_LISTS,
        postgresql_where=_IN_LISTS,
    )
Index(
    "ix_sounds_created",
    sounds.c.created,
    sounds.c.seq,
    sounds.c.trashed,
    sqlite_where=_IN_LISTS,
    postgresql_where=_IN_LISTS,
)
Index("ix_sounds_object", sounds.c.object)
Index("ix_sounds_audio_sha256", sounds.c.audio_sha256)
Index("ix_sounds_changed", sounds.c.changed)
# Nearly all sounds are not in it: an index that knew them too would tempt SQLite to read them all.
Index(
    "ix_sounds_trashed",
    sounds.c.trashed,
    sqlite_where=sounds.c.trashed.is_not(None),
    postgresql_where=sounds.c.trashed.is_not(None),
)

# Tags by sound; `tag` is as people wrote it, `tag_key` folded, which is what is looked for.
sound_tags = Table(
    "sound_tags",
    metadata,
    Column("tag_key", TEXT, primary_key=True),
    Column("sound", SEQ, ForeignKey("sounds.seq", ondelete="CASCADE"), primary_key=True),
    Column("tag", TEXT, nullable=False),
    Column("position", Integer, nullable=False),
)
Index("ix_sound_tags_sound", sound_tags.c.sound)

collections = Table(
    "collections",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("id", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("created", TEXT, nullable=False),
    UniqueConstraint("id"),
)
Index("ix_collections_name_key", collections.c.name_key, collections.c.seq)

# Positions have gaps, so that a member can be put between two others without touching them.
collection_sounds = Table(
    "collection_sounds",
    metadata,
    Column("collection", SEQ, ForeignKey("collections.seq", ondelete="CASCADE"), primary_key=True),
    Column("sound", SEQ, ForeignKey("sounds.seq", ondelete="CASCADE"), primary_key=True),
    Column("position", SEQ, nullable=False),
)
Index("ix_collection_sounds_sound", collection_sounds.c.sound)
Index(
    "ix_collection_sounds_position",
    collection_sounds.c.collection,
    collection_sounds.c.position,
    collection_sounds.c.sound,
)

# What a sound was before each edit: enough to show its history and to go back. `step` binds the
# edits that were made together, and are undone together.
revisions = Table(
    "revisions",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("sound", SEQ, ForeignKey("sounds.seq", ondelete="CASCADE"), nullable=False),
    Column("rev", Integer, nullable=False),
    Column("step", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    Column("at", TEXT, nullable=False),
    Column("object", SEQ, ForeignKey("objects.seq"), nullable=False),
    Column("trashed", TEXT),
    Column("doc", TEXT, nullable=False),
)
Index("ix_revisions_sound", revisions.c.sound, revisions.c.rev)
Index("ix_revisions_step", revisions.c.step)
Index("ix_revisions_object", revisions.c.object)

# Uploads that can be resumed. Of an open one `durable` bytes are in its part, for certain; the part
# may hold more, which nobody was told of. `outcome` is the sound that it became, or the code of why
# it was refused. `expires` is in seconds since the epoch.
uploads = Table(
    "uploads",
    metadata,
    Column("id", TEXT, primary_key=True),
    Column("length", BigInteger),
    Column("durable", BigInteger, nullable=False, server_default="0"),
    Column("metadata", TEXT, nullable=False),
    Column("concat", TEXT, nullable=False),
    # open, done, refused or expired
    Column("state", TEXT, nullable=False, server_default="open"),
    Column("outcome", TEXT),
    Column("created", TEXT, nullable=False),
    Column("expires", Float, nullable=False),
)
Index("ix_uploads_expires", uploads.c.state, uploads.c.expires)

# Archives: zips that are laid out when they are asked for. `recipe` is the digest of what a whole
# one is made of, `origin` is where its asker found us, `job` what fetches its files; `bytes_total`
# is None while nobody knows it. `expires` is in seconds since the epoch, `keep_s` how long a whole
# one is kept.
archives = Table(
    "archives",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("hash", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    # in-progress, completed, failed or cancelled
    Column("state", TEXT, nullable=False),
    Column("on_error", TEXT, nullable=False),
    Column("origin", TEXT, nullable=False),
    Column("callback_url", TEXT),
    Column("job", TEXT),
    # Of the Idempotency-Key, and of the request that came with it.
    Column("key_digest", TEXT),
    Column("request_digest", TEXT),
    Column("recipe", TEXT),
    Column("bytes_done", BigInteger, nullable=False, server_default="0"),
    Column("bytes_total", BigInteger),
    Column("created", TEXT, nullable=False),
    Column("keep_s", Float, nullable=False),
    Column("expires", Float, nullable=False),
    UniqueConstraint("hash"),
    UniqueConstraint("key_digest"),
)
Index("ix_archives_expires", archives.c.expires)

# What is in an archive, or should be: an object, which is kept as long as a row names it, and the
# name of its entry. `url` is what was asked for, where that was not one of our sounds.
archive_members = Table(
    "archive_members",
    metadata,
    Column("archive", SEQ, ForeignKey("archives.seq", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    # pending, ready or failed
    Column("state", TEXT, nullable=False),
    Column("object", SEQ, ForeignKey("objects.seq")),
    Column("name", TEXT, nullable=False, server_default=""),
    Column("url", TEXT),
    Column("code", TEXT),
    Column("detail", TEXT),
)
Index("ix_archive_members_object", archive_members.c.object)

# Work that outlives its request. `due` is the earliest start of a job that is ready, the end of the
# lease of one that runs, and the end of one that has ended, in seconds since the epoch by the clock
# of the database. `tries` counts the beginnings that count, `losses` the leases that ran out since
# the job last got further. Whoever reads the feed hears of a job unless it is `quiet`.
jobs = Table(
    "jobs",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("id", TEXT, nullable=False),
    Column("kind", TEXT, nullable=False),
    # The same work asked for again is the same job.
    Column("key", TEXT),
    # What the job is about: the id of a sound, an archive …
    Column("subject", TEXT),
    Column("args", TEXT, nullable=False),
    # ready, running, done, failed or cancelled
    Column("state", TEXT, nullable=False, server_default="ready"),
    # Smaller ones first.
    Column("rank", Integer, nullable=False, server_default="0"),
    Column("due", Float, nullable=False),
    Column("owner", TEXT),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("losses", Integer, nullable=False, server_default="0"),
    Column("quiet", Integer, nullable=False, server_default="0"),
    Column("checkpoint", TEXT),
    Column("progress", TEXT),
    Column("result", TEXT),
    Column("error", TEXT),
    Column("rev", Integer, nullable=False, server_default="1"),
    Column("created", TEXT, nullable=False),
    UniqueConstraint("id"),
    UniqueConstraint("kind", "key"),
)
Index(
    "ix_jobs_ready",
    jobs.c.kind,
    jobs.c.rank,
    jobs.c.due,
    sqlite_where=jobs.c.state == "ready",
    postgresql_where=jobs.c.state == "ready",
)
Index("ix_jobs_state", jobs.c.state, jobs.c.due)
Index("ix_jobs_created", jobs.c.created, jobs.c.seq)
Index("ix_jobs_subject", jobs.c.subject)

# Every step of the catalogue. SQLite has one writer, so `seq` is the order of the commits and `xid`
# is 0. On PostgreSQL `xid` is the transaction that wrote the row, and (xid, seq) is the order.
changes = Table(
    "changes",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("type", TEXT, nullable=False),
    Column("subject", TEXT, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("at", TEXT, nullable=False),
    Column("xid", BigInteger, nullable=False, server_default=transaction_number()),
    # A number once given to a client never names another change.
    sqlite_autoincrement=True,
)
# The library's own changes, and those of jobs, which are dropped when they are old. Each row is in
# one of the two indexes; a condition that is a parameter would be served by neither.
of_the_library, of_jobs = text("type <> 'job.changed'"), text("type = 'job.changed'")
Index(
    "ix_changes_library",
    changes.c.seq,
    sqlite_where=of_the_library,
    postgresql_where=of_the_library,
)
Index("ix_changes_jobs", changes.c.at, sqlite_where=of_jobs, postgresql_where=of_jobs)
Index("ix_changes_place", changes.c.xid, changes.c.seq).ddl_if(dialect="postgresql")
