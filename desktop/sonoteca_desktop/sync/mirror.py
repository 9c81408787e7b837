"""The local catalogue: answers searches at once, with the server or without it.

One SQLite file for each server. Callable from any thread: each has a connection of its own.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from sonoteca_desktop.sync import tables
from sonoteca_desktop.sync.conditions import Asker, Condition, condition, in_folder
from sonoteca_shared.models import Change, ChangePage, Sound
from sonoteca_shared.terms import EVERYTHING, Term

_logger = logging.getLogger(__name__)

_GONE = ("sound.trashed", "sound.purged")
_BATCH = 500
_NEW = timedelta(days=7)

_DOC = "SELECT doc FROM sounds JOIN texts USING (key)"

# What a sort is called → the columns that order it, down to the last tie.
_SORTS = {
    "created": ("created", "id"),
    "name": ("name_key", "folder_key", "id"),
    "folder": ("folder_key", "name_key", "id"),
    "duration": ("duration", "id"),
    "size": ("size", "id"),
    "samplerate": ("samplerate", "bitdepth", "channels", "id"),
    "bitdepth": ("bitdepth", "id"),
    "channels": ("channels", "id"),
    "format": ("format", "id"),
    "container": ("container", "id"),
    "loudness": ("loudness", "id"),
    "peak": ("peak", "id"),
    "rating": ("rating", "id"),
    "recorded": ("recorded", "id"),
}
SORTS = tuple(_SORTS)
# Sounds that have no value of these come last, whichever way they are sorted.
_OPTIONAL = frozenset({"loudness", "peak", "rating", "recorded"})
_DAMAGED = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of the library is looked at: all of it, what is local, or a folder."""

    kind: Literal["all", "local", "folder"] = "all"
    folder: str = ""


ALL = Scope()


@dataclass(frozen=True, slots=True)
class Gathered:
    """A collection as it is now: its name and the ids of the sounds in it; no name: it is gone."""

    id: str
    name: str = ""
    sounds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Here:
    """What is on this computer, and what is kept here for good, by the SHA-256 of the files."""

    local: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()


NOTHING_HERE = Here()


class Mirror:
    """The sounds of one server as far as its feed was followed.

    When its file turns out to be damaged it is removed, and an empty one takes its place: the
    server has the truth. What was being done with it raises the `sqlite3.DatabaseError` even so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        # Held while nobody may begin to use the file; told when somebody ends.
        self._idle = threading.Condition()
        self._users = 0
        self._begun = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._writing() as connection:
                _prepare(connection)
        except sqlite3.DatabaseError:
            if not self._begun:
                raise

    @property
    def begun(self) -> int:
        """How often it was begun anew, because the file was damaged."""
        return self._begun

    @property
    def cursor(self) -> str | None:
        """Where in the feed the mirror stands; None before the first change."""
        with self._reading() as connection:
            row = connection.execute("SELECT value FROM facts WHERE name = 'cursor'").fetchone()
        return row[0] if row else None

    def apply(
        self,
        page: ChangePage,
        collections: Iterable[Gathered] = (),
        *,
        begun: int | None = None,
    ) -> None:
        """Take in a page of changes, the collections it told of and its cursor: all or nothing.

        Nothing when it was asked for at another beginning: what came before it would be missing.
        """
        with self._writing() as connection:
            if begun not in (None, self._begun):
                return
            for change in page.results:
                _apply(connection, change)
            for each in collections:
                tables.write_collection(connection, each.id, each.name, each.sounds)
            connection.execute(
                "INSERT INTO facts VALUES ('cursor', ?)"
                " ON CONFLICT (name) DO UPDATE SET value=excluded.value",
                (page.cursor,),
            )

    def reset(self) -> None:
        """Forget everything: the server's library is not the one that was mirrored."""
        with self._writing() as connection:
            tables.empty(connection)

    def keys(
        self,
        term: Term = EVERYTHING,
        *,
        sort: str = "created",
        descending: bool = False,
        scope: Scope = ALL,
        here: Here = NOTHING_HERE,
    ) -> array[int]:
        """The row keys of all sounds that the term means, in order; those without a value last."""
        asker = Asker(new_since=_timestamp(datetime.now(UTC) - _NEW))
        asked = [condition(term, asker), _in_scope(scope)]
        where = " AND ".join(each.text for each in asked)
        values = [value for each in asked for value in each.values]
        query = f"SELECT key FROM sounds WHERE {where} ORDER BY {_order(sort, descending)}"  # noqa: S608 - our own words
        with self._reading() as connection:
            _name(connection, "local", here.local if scope.kind == "local" else ())
            _name(connection, "pinned", here.pinned if "FROM pinned" in where else ())
            return array("q", (row[0] for row in connection.execute(query, values)))

    def sounds(self, keys: Sequence[int]) -> list[Sound | None]:
        """The sounds of these keys, in the same order; None for one that is gone."""
        found: dict[int, Sound] = {}
        with self._reading() as connection:
            for start in range(0, len(keys), _BATCH):
                batch = list(keys[start : start + _BATCH])
                marks = ",".join("?" * len(batch))
                rows = connection.execute(
                    f"SELECT key, doc FROM texts WHERE key IN ({marks})",  # noqa: S608 - marks
                    batch,
                )
                found |= {key: msgspec.json.decode(doc, type=Sound) for key, doc in rows}
        return [found.get(key) for key in keys]

    def find(self, sound_id: str) -> Sound | None:
        """The sound with this id."""
        return self._first(f"{_DOC} WHERE id = ?", sound_id)

    def with_content(self, sha256: str) -> Sound | None:
        """The oldest sound with these bytes."""
        return self._first(f"{_DOC} WHERE sha256 = ? ORDER BY created, id LIMIT 1", sha256)

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
        with self._idle:
            self._close()

    def _first(self, query: str, value: str) -> Sound | None:
        with self._reading() as connection:
            row = connection.execute(query, (value,)).fetchone()
        return msgspec.json.decode(row[0], type=Sound) if row else None

    def _connection(self) -> sqlite3.Connection:
        begun, connection = getattr(self._local, "held", (-1, None))
        if connection is None or begun != self._begun:
            connection = self._open()
            self._local.held = (self._begun, connection)
        assert isinstance(connection, sqlite3.Connection)
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=10, check_same_thread=False
        )
        with self._idle:
            self._connections.append(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        # The server has the truth: what a power cut takes from the copy is fetched again.
        connection.execute("PRAGMA synchronous=NORMAL")
        for table in ("local", "pinned"):
            connection.execute(f"CREATE TEMP TABLE {table} (sha256 TEXT PRIMARY KEY)")
        return connection

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _begin_anew(self, begun: int) -> None:
        """Put an empty file in place of a damaged one. Call it with `_idle` in hand."""
        self._idle.wait_for(lambda: not self._users)
        if begun != self._begun:
            return  # another thread was first
        self._close()
        _logger.warning("the copy of the library %s is damaged: it is fetched anew", self._path)
        for ending in ("-wal", "-shm", ""):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        self._begun += 1
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        _prepare(connection)
        connection.execute("COMMIT")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._idle:
            self._users += 1
            begun = self._begun
        damaged = False
        try:
            yield self._connection()
        except sqlite3.DatabaseError as error:
            damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
            raise
        finally:
            with self._idle:
                self._users -= 1
                self._idle.notify_all()
                if damaged:
                    with contextlib.suppress(OSError):  # what is raised says what is wrong
                        self._begin_anew(begun)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                if connection.in_transaction:  # SQLite ends it itself after some errors
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def _prepare(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != tables.SCHEMA:
        tables.make(connection)


def _apply(connection: sqlite3.Connection, change: Change) -> None:
    if change.type in _GONE:
        tables.remove(connection, change.id)
    elif change.type.startswith("sound.") and change.sound is not None:
        tables.write(connection, change.sound)


def _in_scope(scope: Scope) -> Condition:
    match scope.kind:
        case "folder":
            return in_folder(scope.folder)
        case "local":
            return Condition("sha256 IN (SELECT sha256 FROM local)")
        case _:
            return Condition("1")


def _order(sort: str, descending: bool) -> str:
    direction = " DESC" if descending else ""
    columns = [column + direction for column in _SORTS[sort]]
    if sort in _OPTIONAL:
        columns.insert(0, f"{_SORTS[sort][0]} IS NULL")
    return ", ".join(columns)


def _timestamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _name(connection: sqlite3.Connection, table: str, digests: Collection[str]) -> None:
    """Have these digests, and no others, in a table of the connection's own."""
    connection.execute(f"DELETE FROM temp.{table}")  # noqa: S608 - our own names
    rows = ((one,) for one in digests)
    connection.executemany(f"INSERT OR IGNORE INTO temp.{table} VALUES (?)", rows)  # noqa: S608
