"""The tables of the mirror, and how a sound is written into them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from sonoteca_shared.models import Loudness, Sound
from sonoteca_shared.names import sort_key
from sonoteca_shared.query import fold, searchable

SCHEMA = 2
"""Of another shape, the mirror is fetched anew: it is only a copy of what the server has."""

# What is filtered and ordered by lies apart from what is only read, so that to look through all
# sounds costs little. The triggers keep the full text in step with `texts`.
_TABLES = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE sounds (
        key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL, audio_sha256 TEXT,
        repository TEXT NOT NULL, folder TEXT NOT NULL, folder_key TEXT NOT NULL,
        name_key TEXT NOT NULL, duration REAL NOT NULL, size INTEGER NOT NULL,
        samplerate INTEGER NOT NULL, bitdepth INTEGER NOT NULL, channels INTEGER NOT NULL,
        format TEXT NOT NULL, container TEXT NOT NULL, created TEXT NOT NULL, recorded TEXT,
        uploaded_by TEXT, license TEXT, rating INTEGER, loudness REAL, peak REAL,
        markers INTEGER NOT NULL, findings INTEGER NOT NULL, tags INTEGER NOT NULL
    )""",
    "CREATE INDEX sounds_name ON sounds(name_key, folder_key, id)",
    "CREATE INDEX sounds_folder ON sounds(folder_key, name_key, id)",
    "CREATE INDEX sounds_place ON sounds(folder)",
    "CREATE INDEX sounds_duration ON sounds(duration, id)",
    "CREATE INDEX sounds_size ON sounds(size, id)",
    "CREATE INDEX sounds_format ON sounds(samplerate, bitdepth, channels, id)",
    "CREATE INDEX sounds_created ON sounds(created, id)",
    "CREATE INDEX sounds_sha256 ON sounds(sha256)",
    "CREATE INDEX sounds_audio ON sounds(audio_sha256)",
    "CREATE TABLE texts (key INTEGER PRIMARY KEY, words TEXT NOT NULL, doc BLOB NOT NULL)",
    """CREATE TABLE tags (
        tag_key TEXT NOT NULL, sound INTEGER NOT NULL, PRIMARY KEY (tag_key, sound)
    ) WITHOUT ROWID""",
    "CREATE INDEX tags_sound ON tags(sound)",
    "CREATE TABLE collections (id TEXT PRIMARY KEY, name_key TEXT NOT NULL)",
    """CREATE TABLE members (
        collection TEXT NOT NULL, sound TEXT NOT NULL, PRIMARY KEY (collection, sound)
    ) WITHOUT ROWID""",
    "CREATE INDEX members_sound ON members(sound)",
    """CREATE VIRTUAL TABLE search USING fts5(
        words, content='texts', content_rowid='key', tokenize='unicode61 remove_diacritics 0',
        prefix='1 2 3'
    )""",
    """CREATE TRIGGER text_comes AFTER INSERT ON texts BEGIN
        INSERT INTO search(rowid, words) VALUES (new.key, new.words);
    END""",
    """CREATE TRIGGER text_goes AFTER DELETE ON texts BEGIN
        INSERT INTO search(search, rowid, words) VALUES ('delete', old.key, old.words);
    END""",
    """CREATE TRIGGER text_changes AFTER UPDATE ON texts WHEN old.words IS NOT new.words BEGIN
        INSERT INTO search(search, rowid, words) VALUES ('delete', old.key, old.words);
        INSERT INTO search(rowid, words) VALUES (new.key, new.words);
    END""",
)
_NAMES = ("search", "facts", "sounds", "texts", "tags", "collections", "members")
_COLUMNS = (
    "id", "sha256", "audio_sha256", "repository", "folder", "folder_key", "name_key", "duration",
    "size", "samplerate", "bitdepth", "channels", "format", "container", "created", "recorded",
    "uploaded_by", "license", "rating", "loudness", "peak", "markers", "findings", "tags",
)  # fmt: skip
_WRITE = (
    f"INSERT INTO sounds ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{c}=excluded.{c}' for c in _COLUMNS[1:])}"
    " RETURNING key"
)
_WRITE_TEXT = (
    "INSERT INTO texts VALUES (?, ?, ?)"
    " ON CONFLICT (key) DO UPDATE SET words=excluded.words, doc=excluded.doc"
)


def make(connection: sqlite3.Connection) -> None:
    """Empty tables, in place of those that may be there."""
    for table in _NAMES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA}")


def empty(connection: sqlite3.Connection) -> None:
    """Forget every sound."""
    for table in _NAMES[1:]:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names


def write(connection: sqlite3.Connection, sound: Sound) -> None:
    """Note a sound as it is now."""
    key = connection.execute(_WRITE, _row(sound)).fetchone()[0]
    words = searchable(sound.name, sound.description, *sound.tags)
    connection.execute(_WRITE_TEXT, (key, words, msgspec.json.encode(sound)))
    connection.execute("DELETE FROM tags WHERE sound = ?", (key,))
    rows = [(tag_key, key) for tag_key in {fold(tag) for tag in sound.tags}]
    connection.executemany("INSERT INTO tags VALUES (?, ?)", rows)


def remove(connection: sqlite3.Connection, sound_id: str) -> None:
    """Forget a sound; collections that it is in keep its place, for it may come back."""
    found = connection.execute("SELECT key FROM sounds WHERE id = ?", (sound_id,)).fetchone()
    if found is not None:
        connection.execute("DELETE FROM tags WHERE sound = ?", found)
        connection.execute("DELETE FROM texts WHERE key = ?", found)
        connection.execute("DELETE FROM sounds WHERE key = ?", found)


def write_collection(
    connection: sqlite3.Connection, collection_id: str, name: str, members: Iterable[str]
) -> None:
    """Note a collection as it is now, with the ids of the sounds in it; without a name none is."""
    connection.execute("DELETE FROM collections WHERE id = ?", (collection_id,))
    connection.execute("DELETE FROM members WHERE collection = ?", (collection_id,))
    if not name:
        return
    connection.execute("INSERT INTO collections VALUES (?, ?)", (collection_id, sort_key(name)))
    rows = ((collection_id, sound_id) for sound_id in members)
    connection.executemany("INSERT OR IGNORE INTO members VALUES (?, ?)", rows)


def _row(sound: Sound) -> tuple[object, ...]:
    loudness = sound.loudness or Loudness()
    return (
        sound.id, sound.sha256, sound.audio_sha256, sound.repository, sound.folder,
        sort_key(sound.folder), sort_key(sound.name), sound.duration, sound.size, sound.samplerate,
        sound.bitdepth, sound.channels, sound.format, sound.container,
        # In the form that dates of queries are compared with.
        sound.created.strftime("%Y-%m-%dT%H:%M:%SZ"), sound.recorded, sound.uploaded_by,
        sound.license, sound.rating, loudness.integrated, loudness.true_peak, len(sound.markers),
        len(sound.findings), len({fold(tag) for tag in sound.tags}),
    )  # fmt: skip
