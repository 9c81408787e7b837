"""Remembers transfers across restarts, crashes and power cuts: rare, small, durable writes."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Literal

import msgspec

from sonoteca_desktop.transfers.plan import Kind, PathBlockedError, State
from sonoteca_desktop.transfers.schedule import Schedule
from sonoteca_desktop.transfers.scribe import Scribe, Write

# Each step brings a list of the version before to the next one.
_STEPS = (
    """
CREATE TABLE transfers (
    key INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    kind TEXT NOT NULL,
    server TEXT NOT NULL,
    url TEXT NOT NULL,
    name TEXT NOT NULL,
    folder TEXT NOT NULL,
    path BLOB NOT NULL,  -- file names are bytes
    tag TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    sound_id TEXT NOT NULL,
    durable INTEGER NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    tries INTEGER NOT NULL,
    corrupt INTEGER NOT NULL,
    bad_replies INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    added REAL NOT NULL
) STRICT;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
""",
    # Uploads go by hash and can be resumed. Those begun before have no hash, and begin anew.
    "ALTER TABLE transfers ADD COLUMN stamp TEXT NOT NULL DEFAULT ''",
    """
ALTER TABLE transfers ADD COLUMN kept TEXT NOT NULL DEFAULT '';
CREATE TABLE pins (
    server TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (server, kind, value)
) STRICT
""",
    # Those of before stand in the order in which they came.
    """
ALTER TABLE transfers ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
UPDATE transfers SET place = key;
ALTER TABLE transfers ADD COLUMN code TEXT NOT NULL DEFAULT '';
""",
    # Those of before come in one segment.
    """
ALTER TABLE transfers ADD COLUMN segments TEXT NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN with_all INTEGER NOT NULL DEFAULT 0
""",
    # Those of before were in the catalogue as they are.
    "ALTER TABLE transfers ADD COLUMN wish TEXT NOT NULL DEFAULT ''",
    # Of those of before nobody knows any more which file they were when they got their name.
    "ALTER TABLE transfers ADD COLUMN mark TEXT NOT NULL DEFAULT ''",
    # Of those of before nobody knows any more which library they were asked of.
    "ALTER TABLE transfers ADD COLUMN library TEXT NOT NULL DEFAULT ''",
)
_LIMIT = "limit"
_AT_ONCE = "at once"
_SCHEDULE = "schedule"
_SEVERAL = "several connections"


class JournalError(PathBlockedError):
    """The list of transfers cannot be read or written."""

    code = "journal"


@dataclass(frozen=True, slots=True, order=True)
class Pin:
    """What is to be on this computer for good: a sound by its id, or all that a search finds."""

    kind: Literal["sound", "search"]
    value: str

    @property
    def key(self) -> str:
        """What stands for it in a transfer."""
        return f"{self.kind}:{self.value}"


@dataclass(slots=True, kw_only=True)
class Row:
    """One transfer, as it is remembered. Its key is 0 until the journal has given it one."""

    key: int = 0
    kind: Kind
    server: str
    url: str = ""
    """Where a download's bytes are; where an upload goes on, once it has begun."""
    name: str
    folder: str = ""
    """The folder in the library."""
    path: Path
    """An upload's source; where a download goes and, once it is done, where it is."""
    tag: str = ""
    """Makes the name of the part file."""
    size: int
    etag: str = ""
    sha256: str = ""
    stamp: str = ""
    """What an upload's source looked like when `sha256` was computed of it.

    Of an archive, the key by which the server knows again that it was asked for it.
    """
    sound_id: str = ""
    durable: int = 0
    """So many bytes are safe: of a download on our disk, of an upload as the server told."""
    segments: str = ""
    """Which bytes those are, of a download that comes in several segments; else the first ones."""
    state: State = State.QUEUED
    note: str = ""
    code: str = ""
    """What kind of trouble the note is about, as errors name it."""
    with_all: bool = False
    """It was paused with all others, and goes on with them."""
    tries: int = 0
    corrupt: int = 0
    bad_replies: int = 0
    removed: bool = False
    """Shown no more: a finished one is still known, of another the part file has to go."""
    kept: str = ""
    """The key of the pin that it was fetched for into a folder of our own; "" when by a user."""
    added: float
    place: int = 0
    """Those with a smaller one come first."""
    wish: str = ""
    """What the server is to put together first, as it is asked for it; "" where that is nothing."""
    mark: str = ""
    """By what a file without a digest is known again, from just before it gets its name."""
    library: str = ""
    """What the server called the library when the transfer was added; "" when it had not yet."""

    @property
    def is_computed(self) -> bool:
        """Whether the server makes it when it is asked: no catalogue knows its digest."""
        return self.kind is Kind.DOWNLOAD and not self.sha256

    @property
    def is_unmade(self) -> bool:
        """Whether the server has still to say how long it is, and which bytes it has."""
        return self.is_computed and not self.etag


_COLUMNS = tuple(field.name for field in fields(Row))
_facts = attrgetter(*_COLUMNS)
# Built from our own column names alone.
_STORE = (
    f"INSERT INTO transfers ({', '.join(_COLUMNS)})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
)
_READ = f"SELECT {', '.join(_COLUMNS)} FROM transfers"  # noqa: S608
_FROM_COLUMN: dict[str, Callable[[str], object]] = {
    "kind": Kind,
    "state": State,
    "removed": bool,
    "with_all": bool,
}


_TRIES = 5
_PAUSE_S = 0.1


class Journal:
    """The file of transfers; one process at a time, any of its threads.

    All calls wait for the disk but `new_key` and `soon`. `told` hears, from any thread, why what
    is to be written soon cannot be.
    """

    def __init__(self, path: Path, told: Callable[[str], None] = lambda _: None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._scribe = Scribe(told)
        for left in reversed(range(_TRIES)):
            try:
                self._connect()
                break
            except (sqlite3.Error, JournalError) as error:
                # While another process begins or ends with the file, SQLite may call it broken.
                if not left or not _is_about_reading(error.__cause__ or error):
                    if isinstance(error, JournalError):
                        raise
                    raise JournalError(self._explain(error)) from error
                time.sleep(_PAUSE_S)

    def new_key(self) -> int:
        """The key of a new transfer: of those that were ever in the list, none had it."""
        return next(self._keys)

    def soon(self, write: Write) -> None:
        """Have something written in a thread of its own, after what was asked for so before."""
        self._scribe.soon(write)

    def add(self, rows: Sequence[Row]) -> None:
        """Remember new transfers; each gets its key."""
        for row in rows:
            row.key = self.new_key()
        self.save(rows)

    def save(self, rows: Iterable[Row]) -> None:
        """Remember how transfers stand now, new ones too; on disk on return."""
        with self._lock, self._transaction() as database:
            database.executemany(_STORE, [_values(row) for row in rows])

    def forget(self, keys: Iterable[int]) -> None:
        """Remove transfers."""
        with self._lock, self._transaction() as database:
            database.executemany("DELETE FROM transfers WHERE key = ?", [(key,) for key in keys])

    def rows(self, server: str) -> list[Row]:
        """All transfers with a server, in their order."""
        with self._lock, self._transaction() as database:
            found = database.execute(f"{_READ} WHERE server = ? ORDER BY place, key", (server,))
            return [_row(values) for values in found]

    @property
    def finished(self) -> bool:
        """Whether nothing in it is still to be done."""
        query = "SELECT count(*) FROM transfers WHERE state != ?"
        with self._lock, self._transaction() as database:
            return not database.execute(query, (State.DONE,)).fetchone()[0]

    def pins(self, server: str) -> list[Pin]:
        """What is to be kept of a server's sounds."""
        query = "SELECT kind, value FROM pins WHERE server = ? ORDER BY kind, value"
        with self._lock, self._transaction() as database:
            return [Pin(kind, value) for kind, value in database.execute(query, (server,))]

    def pin(self, server: str, pins: Iterable[Pin]) -> None:
        """Remember what is to be kept."""
        rows = [(server, pin.kind, pin.value) for pin in pins]
        with self._lock, self._transaction() as database:
            database.executemany("INSERT OR IGNORE INTO pins VALUES (?, ?, ?)", rows)

    def unpin(self, server: str, pins: Iterable[Pin]) -> None:
        """Forget what was to be kept."""
        rows = [(server, pin.kind, pin.value) for pin in pins]
        query = "DELETE FROM pins WHERE server = ? AND kind = ? AND value = ?"
        with self._lock, self._transaction() as database:
            database.executemany(query, rows)

    def limit(self) -> int | None:
        """The speed limit in bytes a second, if there is one."""
        found = self._setting(_LIMIT)
        return int(found) if found else None

    def set_limit(self, bytes_per_second: int | None) -> None:
        """Keep the speed limit."""
        self._set(_LIMIT, "" if bytes_per_second is None else str(bytes_per_second))

    def schedule(self) -> Schedule | None:
        """The hours with a speed limit of their own, if there are any."""
        found = self._setting(_SCHEDULE)
        return msgspec.json.decode(found, type=Schedule) if found else None

    def set_schedule(self, schedule: Schedule | None) -> None:
        """Keep the hours with a speed limit of their own."""
        self._set(_SCHEDULE, "" if schedule is None else msgspec.json.encode(schedule).decode())

    def at_once(self) -> int | None:
        """How many transfers may run at once, if the user ever said."""
        found = self._setting(_AT_ONCE)
        return int(found) if found else None

    def set_at_once(self, count: int) -> None:
        """Keep how many transfers may run at once."""
        self._set(_AT_ONCE, str(count))

    def several(self) -> bool:
        """Whether a big file may have several connections."""
        return bool(self._setting(_SEVERAL))

    def set_several(self, *, several: bool) -> None:
        """Keep whether a big file may have several connections."""
        self._set(_SEVERAL, "yes" if several else "")

    def close(self) -> None:
        """Write what still waits for it, and let go of the file."""
        self._scribe.close()
        with self._lock:
            self._database.close()

    def _connect(self) -> None:
        with contextlib.ExitStack() as stack:
            self._database = sqlite3.connect(
                self._path, timeout=1.0, isolation_level=None, check_same_thread=False
            )
            stack.callback(self._database.close)
            self._open()
            stack.pop_all()

    def _setting(self, name: str) -> str:
        with self._lock, self._transaction() as database:
            found = database.execute("SELECT value FROM settings WHERE name = ?", (name,))
            return next((value for (value,) in found), "")

    def _set(self, name: str, value: str) -> None:
        with self._lock, self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def _open(self) -> None:
        database = self._database
        # Held as long as the process lives, and not a moment longer, however it ends.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        with self._transaction():
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version > len(_STEPS):
                raise JournalError(
                    f"The list of transfers {self._path} was written by a newer Sonoteca: "
                    "start that one"
                )
            for step in _STEPS[version:]:
                for statement in step.split(";"):
                    database.execute(statement)
            database.execute(f"PRAGMA user_version = {len(_STEPS)}")
            given = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'transfers'")
            self._keys = itertools.count(1 + next((last for (last,) in given), 0))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on disk at the end."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            with self._database:
                yield self._database
        except sqlite3.Error as error:
            raise JournalError(self._explain(error)) from error

    def _explain(self, error: sqlite3.Error) -> str:
        if "locked" in str(error):
            return f"Another Sonoteca is using the list of transfers {self._path}: close that one"
        return f"The list of transfers {self._path} cannot be used: {error}"


def _is_about_reading(error: BaseException) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_IOERR


def _values(row: Row) -> tuple[object, ...]:
    return tuple(os.fsencode(value) if isinstance(value, Path) else value for value in _facts(row))


def _row(values: Iterable[object]) -> Row:
    columns = dict(zip(_COLUMNS, values, strict=True))
    for name, convert in _FROM_COLUMN.items():
        columns[name] = convert(columns[name])  # type: ignore[arg-type]
    columns["path"] = Path(os.fsdecode(columns["path"]))  # type: ignore[arg-type]
    return Row(**columns)  # type: ignore[arg-type]
