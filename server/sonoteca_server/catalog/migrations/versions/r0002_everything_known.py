"""All that is known of a sound as columns; tags, collections, revisions; full text; two engines."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from alembic import op

from sonoteca_server.catalog.schema import SEQ, TEXT

revision = "0002"
down_revision = "0001"

# Triggers and index of the full text are written out: a later step may need others.
_SEARCH_SQLITE = (
    """CREATE VIRTUAL TABLE search USING fts5(
        words, content='sounds', content_rowid='seq', tokenize='unicode61 remove_diacritics 0',
        prefix='2 3')""",
    """CREATE TRIGGER search_added AFTER INSERT ON sounds BEGIN
        INSERT INTO search(rowid, words) VALUES (new.seq, new.words); END""",
    """CREATE TRIGGER search_removed AFTER DELETE ON sounds BEGIN
        INSERT INTO search(search, rowid, words) VALUES ('delete', old.seq, old.words); END""",
    """CREATE TRIGGER search_changed AFTER UPDATE OF words ON sounds
        WHEN old.words IS NOT new.words BEGIN
        INSERT INTO search(search, rowid, words) VALUES ('delete', old.seq, old.words);
        INSERT INTO search(rowid, words) VALUES (new.seq, new.words); END""",
    "INSERT INTO search(search) VALUES ('rebuild')",
)
_SEARCH_POSTGRESQL = (
    "CREATE INDEX ix_sounds_words ON sounds USING gin (to_tsvector('simple', words))",
)


def upgrade() -> None:
    """Add what is missing; what a sound's document says of itself fills its new columns."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    op.add_column("objects", sa.Column("crc32", sa.BigInteger(), nullable=True))
    op.add_column("objects", sa.Column("audio_sha256", TEXT, nullable=True))
    op.add_column("objects", sa.Column("put", sa.Integer(), server_default="0", nullable=False))
    _widen_sounds()
    number = "(pg_current_xact_id()::text::bigint)" if postgresql else "0"
    op.add_column(
        "changes",
        sa.Column("xid", sa.BigInteger(), server_default=sa.text(number), nullable=False),
    )
    if postgresql:
        op.create_index("ix_changes_place", "changes", ["xid", "seq"])
    _add_tables()
    _fill()
    for statement in _SEARCH_POSTGRESQL if postgresql else _SEARCH_SQLITE:
        op.execute(statement)


def _widen_sounds() -> None:
    for name in ("name_key", "folder_key", "duration", "size"):
        op.drop_index(f"ix_sounds_{name}", "sounds")
    with op.batch_alter_table("sounds") as table:
        table.drop_constraint("uq_sounds_repository_folder_name", type_="unique")
        for name in ("audio_sha256", "license", "uploaded_by", "recorded", "trashed"):
            table.add_column(sa.Column(name, TEXT, nullable=True))
        table.add_column(sa.Column("description", TEXT, server_default="", nullable=False))
        table.add_column(sa.Column("rating", sa.Integer(), nullable=True))
        for name in ("loudness", "peak"):
            table.add_column(sa.Column(name, sa.Float(), nullable=True))
        for name in ("marker_count", "finding_count", "tag_count"):
            table.add_column(sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.create_index(
        "uq_sounds_place",
        "sounds",
        ["repository", "folder", "name"],
        unique=True,
        sqlite_where=sa.text("trashed IS NULL"),
        postgresql_where=sa.text("trashed IS NULL"),
    )
    by_seq = ("name_key", "folder_key", "duration", "size", "loudness", "peak", "rating",
              "recorded", "uploaded_by")  # fmt: skip
    for name in by_seq:
        op.create_index(f"ix_sounds_{name}", "sounds", [name, "seq"])
    facets = ["samplerate", "bitdepth", "channels", "format", "duration"]
    op.create_index("ix_sounds_facets", "sounds", facets)
    op.create_index("ix_sounds_audio_sha256", "sounds", ["audio_sha256"])
    op.create_index("ix_sounds_trashed", "sounds", ["trashed"])


def _add_tables() -> None:
    op.create_table(
        "sound_tags",
        sa.Column("tag_key", TEXT, nullable=False),
        sa.Column("sound", SEQ, nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sound"], ["sounds.seq"], name="fk_sound_tags_sound", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tag_key", "sound", name="pk_sound_tags"),
    )
    op.create_index("ix_sound_tags_sound", "sound_tags", ["sound"])
    op.create_table(
        "collections",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("name_key", TEXT, nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("created", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_collections"),
        sa.UniqueConstraint("id", name="uq_collections_id"),
    )
    op.create_table(
        "collection_sounds",
        sa.Column("collection", SEQ, nullable=False),
        sa.Column("sound", SEQ, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection"],
            ["collections.seq"],
            name="fk_collection_sounds_collection",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["sound"], ["sounds.seq"], name="fk_collection_sounds_sound", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection", "sound", name="pk_collection_sounds"),
    )
    op.create_index("ix_collection_sounds_sound", "collection_sounds", ["sound"])
    op.create_table(
        "revisions",
        sa.Column("seq", SEQ, nullable=False),
        sa.Column("sound", SEQ, nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("step", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("object", SEQ, nullable=False),
        sa.Column("trashed", TEXT, nullable=True),
        sa.Column("doc", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["sound"], ["sounds.seq"], name="fk_revisions_sound", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["object"], ["objects.seq"], name="fk_revisions_object"),
        sa.PrimaryKeyConstraint("seq", name="pk_revisions"),
    )
    op.create_index("ix_revisions_sound", "revisions", ["sound", "rev"])
    op.create_index("ix_revisions_step", "revisions", ["step"])


def _fill() -> None:
    connection = op.get_bind()
    page = sa.text("SELECT seq, doc FROM sounds WHERE seq > :seq ORDER BY seq LIMIT 1000")
    fill = sa.text(
        "UPDATE sounds SET description = :description, finding_count = :findings WHERE seq = :seq"
    )
    last = 0
    while rows := connection.execute(page, {"seq": last}).all():
        values = []
        for seq, text in rows:
            doc = msgspec.json.decode(text)
            description, findings = doc.get("description", ""), len(doc.get("findings", ()))
            values.append({"seq": seq, "description": description, "findings": findings})
        connection.execute(fill, values)
        last = rows[-1].seq
