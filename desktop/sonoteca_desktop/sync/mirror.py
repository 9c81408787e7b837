"""The local catalogue: answers searches at once, with the server or without it.

One SQLite file for each server. Callable from any thread: each has a connection of its own.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from sonoteca_shared.models import Change, ChangePage, Sound
from sonoteca_shared.names import sort_key
from sonoteca_shared.query import searchable, words_of

_SCHEMA = 1
_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sounds (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sha256 TEXT NOT NULL,
    name_key TEXT NOT NULL, folder TEXT NOT NULL, folder_key TEXT NOT NULL, words TEXT NOT NULL,
    duration REAL NOT NULL, size INTEGER NOT NULL, samplerate INTEGER NOT NULL,
    bitdepth INTEGER NOT NULL, channels INTEGER NOT NULL, created TEXT NOT NULL, doc BLOB NOT NULL
);
CREATE INDEX sounds_name ON sounds(name_key);
CREATE INDEX sounds_folder ON sounds(folder_key, name_key);
CREATE INDEX sounds_duration ON sounds(duration);
CREATE INDEX sounds_size ON sounds(size);
CREATE INDEX sounds_format ON sounds(samplerate, bitdepth, channels);
CREATE INDEX sounds_created ON sounds(created, id);
CREATE INDEX sounds_sha256 ON sounds(sha256);
"""
_WRITE = (
    "INSERT INTO sounds (id, sha256, name_key, folder, folder_key, words, duration, size,"
    " samplerate, bitdepth, channels, created, doc) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT (id) DO UPDATE SET sha256=excluded.sha256, name_key=excluded.name_key,"
    " folder=excluded.folder, folder_key=excluded.folder_key, words=excluded.words,"
    " duration=excluded.duration, size=excluded.size, samplerate=excluded.samplerate,"
    " bitdepth=excluded.bitdepth, channels=excluded.channels, created=excluded.created,"
    " doc=excluded.doc"
)
_GONE = ("sound.trashed", "sound.purged")
_BATCH = 500

# What a sort is called → its columns; the direction goes to each of them.
_SORTS = {
    "created": ("created", "id"),
    "name": ("name_key", "folder_key", "key"),
    "folder": ("folder_key", "name_key", "key"),
    "duration": ("duration", "key"),
    "size": ("size", "key"),
    "samplerate": ("samplerate", "bitdepth", "channels", "key"),
}
SORTS = tuple(_SORTS)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the library is looked at: all of it, what is local, or a folder."""

    kind: Literal["all", "local", "folder"] = "all"
    folder: str = ""


ALL = Scope()


class Mirror:
    """The sounds of one server as far as its feed was followed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._prepare()

    @property
    def cursor(self) -> str | None:
        """Where in the feed the mirror stands; None before the first change."""
        with self._reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE name = 'cursor'").fetchone()
        return row[0] if row else None

    def apply(self, page: ChangePage) -> None:
        """Take in a page of changes and its cursor, both or neither."""
        with self._writing() as connection:
            for change in page.results:
                _apply(connection, change)
            connection.execute(
                "INSERT INTO facts VALUES ('cursor', ?)"
                " ON CONFLICT (name) DO UPDATE SET value=excluded.value",
                (page.cursor,),
            )

    def reset(self) -> None:
        """Forget everything: the server's library is not the one that was mirrored."""
        with self._writing() as connection:
            connection.execute("DELETE FROM sounds")
            connection.execute("DELETE FROM facts")

    def keys(
        self,
        *,
        words: str = "",
        sort: str = "created",
        descending: bool = False,
        scope: Scope = ALL,
        local: Collection[str] = (),
    ) -> array[int]:
        """The row keys of all sounds that fit, in order; `local` holds SHA-256s."""
        conditions, values = _conditions(words, scope)
        direction = " DESC" if descending else ""
        order = ", ".join(column + direction for column in _SORTS[sort])
        query = f"SELECT key FROM sounds WHERE {' AND '.join(conditions)} ORDER BY {order}"  # noqa: S608 - our own words
        with self._reading() as connection:
            if scope.kind == "local":
                _name_local(connection, local)
            return array("q", (row[0] for row in connection.execute(query, values)))

    def sounds(self, keys: Sequence[int]) -> list[Sound | None]:
        """The sounds of these keys, in the same order; None for one that is gone."""
        found: dict[int, Sound] = {}
        with self._reading() as connection:
            for start in range(0, len(keys), _BATCH):
                batch = list(keys[start : start + _BATCH])
                marks = ",".join("?" * len(batch))
                rows = connection.execute(
                    f"SELECT key, doc FROM sounds WHERE key IN ({marks})",  # noqa: S608 - marks
                    batch,
                )
                found |= {key: msgspec.json.decode(doc, type=Sound) for key, doc in rows}
        return [found.get(key) for key in keys]

    def find(self, sound_id: str) -> Sound | None:
        """The sound with this id."""
        return self._first("SELECT doc FROM sounds WHERE id = ?", sound_id)

    def with_content(self, sha256: str) -> Sound | None:
        """The oldest sound with these bytes."""
        return self._first(
            "SELECT doc FROM sounds WHERE sha256 = ? ORDER BY created, id LIMIT 1", sha256
        )

    def folders(self) -> list[tuple[str, int]]:
        """Every folder that has sounds, with their number; the root is not among them."""
        query = (
            "SELECT folder, count(*) FROM sounds WHERE folder != ''"
            " GROUP BY folder_key, folder ORDER BY folder_key"
        )
        with self._reading() as connection:
            return list(connection.execute(query))

    def count(self) -> int:
        """How many sounds there are."""
        with self._reading() as connection:
            return int(connection.execute("SELECT count(*) FROM sounds").fetchone()[0])

    def close(self) -> None:
        """Close every thread's connection; the threads must have ended their work."""
        with self._opening:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _first(self, query: str, value: str) -> Sound | None:
        with self._reading() as connection:
            row = connection.execute(query, (value,)).fetchone()
        return msgspec.json.decode(row[0], type=Sound) if row else None

    def _prepare(self) -> None:
        with self._writing() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == _SCHEMA:
                return
            # A copy of what the server has: of another shape, it is simply fetched again.
            for table in ("sounds", "facts"):
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_SCHEMA}")

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                self._path, isolation_level=None, timeout=10, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL")
            # The server has the truth: what a power cut takes from the copy is fetched again.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("CREATE TEMP TABLE local (sha256 TEXT PRIMARY KEY)")
            self._local.connection = connection
            with self._opening:
                self._connections.append(connection)
        return connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        yield self._connection()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _apply(connection: sqlite3.Connection, change: Change) -> None:
    if change.type in _GONE:
        connection.execute("DELETE FROM sounds WHERE id = ?", (change.id,))
    elif change.type.startswith("sound.") and change.sound is not None:
        sound = change.sound
        row = (
            sound.id, sound.sha256, sort_key(sound.name), sound.folder, sort_key(sound.folder),
            searchable(sound.name, sound.description, *sound.tags), sound.duration, sound.size,
            sound.samplerate, sound.bitdepth, sound.channels, sound.created.isoformat(),
            msgspec.json.encode(sound),
        )  # fmt: skip
        connection.execute(_WRITE, row)


def _conditions(words: str, scope: Scope) -> tuple[list[str], list[str]]:
    conditions, values = ["1"], []
    for word in words_of(words):
        conditions.append("instr(words, ?)")
        values.append(f" {word}")
    if scope.kind == "folder":
        # Half open, so that the index serves: everything between `a/` and what sorts after it.
        conditions.append("(folder = ? OR (folder >= ? AND folder < ?))")
        values += [scope.folder, scope.folder + "/", scope.folder + "0"]
    elif scope.kind == "local":
        conditions.append("sha256 IN (SELECT sha256 FROM local)")
    return conditions, values


def _name_local(connection: sqlite3.Connection, local: Collection[str]) -> None:
    connection.execute("DELETE FROM local")
    connection.executemany("INSERT OR IGNORE INTO local VALUES (?)", ((one,) for one in local))
