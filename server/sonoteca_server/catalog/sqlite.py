"""The catalogue in a SQLite file: a few readers, and one writer that commits in groups.

Writes that wait together are committed together, each in a savepoint of its own, so that one
failure spoils no other; a write is answered only after the commit is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, select, text
from sqlalchemy.exc import DatabaseError

from sonoteca_server.catalog import (
    Catalog,
    CatalogDamagedError,
    CatalogUnreachableError,
    no_room,
)
from sonoteca_server.catalog.dump import statements
from sonoteca_server.catalog.remembered import Remembered
from sonoteca_server.catalog.schema import metadata
from sonoteca_server.catalog.turns import Turns
from sonoteca_server.catalog.upgrading import is_empty, refuse_older, upgrade
from sonoteca_shared.errors import NoSpaceError, SonotecaError

P = ParamSpec("P")
T = TypeVar("T")

_READERS = 3
_BATCH = 200
# How often a group of writes waits for the lock, five seconds each: other processes write too.
_WAITS = 6
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit that was answered survives a power cut
    "PRAGMA busy_timeout=5000",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-65536",
)
# No room for pages, or for the index of those that wait in the log.
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
# What says nothing about the file itself.
_BLAMELESS = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
)


@dataclass(slots=True)
class _Write:
    run: Callable[[Connection], Any]
    done: Future[Any]


class SqliteCatalog:
    """A catalogue in one file, which the server and its workers write in turns.

    `make_room` is called when its disk is full; it says whether it has freed anything. The tables
    are brought to the present shape, unless this process works `beside` the server.
    """

    def __init__(
        self, path: Path, make_room: Callable[[], bool] = no_room, *, beside: bool = False
    ) -> None:
        self.path = path
        self._make_room = make_room
        self._engine = open_engine(path)
        try:
            if beside:
                with self._engine.connect() as connection:
                    refuse_older(connection)
            else:
                upgrade_file(self._engine)
                _check(self._engine, path)
        except DatabaseError as error:
            self._engine.dispose()
            raise _damaged(path, error) from error
        except BaseException:
            self._engine.dispose()
            raise
        # Kept at hand: to fetch one and give it back costs more than many an answer.
        self._near = self._engine.connect()
        self._known = Remembered(path)
        self._turns = Turns(path.with_name(f"{path.name}-turn"))
        self._readers = ThreadPoolExecutor(_READERS, "catalog-read")
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="catalog-write")
        self._writer.start()

    async def read(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of `function(connection, …)` in a read transaction of its own."""

        def run() -> T:
            with self._engine.connect() as connection:
                return function(connection, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def glance(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `read`, for a row or two by their key: at once, in the thread of the loop."""
        try:
            return function(self._near, *args, **kwargs)
        finally:
            self._near.rollback()

    async def recall(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `glance`, and as the last time for as long as nobody has written since."""
        self._known.check()
        key = (function, args, *kwargs.items())
        if key not in self._known:
            self._known[key] = await self.glance(function, *args, **kwargs)
        answer: T = self._known[key]
        return answer

    async def write(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of `function(connection, …)` once it is committed and durable.

        NoSpaceError when the disk has no room for it: then nothing of it was written.
        """
        done: Future[T] = Future()
        self._writes.put(_Write(lambda connection: function(connection, *args, **kwargs), done))
        # Shielded: a client that leaves must not undo what others were told in the same batch.
        return await asyncio.shield(asyncio.wrap_future(done))

    def close(self) -> None:
        """Finish the writes that wait, then let the file go."""
        self._writes.put(None)
        self._writer.join()
        self._readers.shutdown()
        self._known.close()
        self._near.close()
        self._turns.close()
        with self._engine.connect() as connection:
            connection.execute(text("PRAGMA optimize"))
        self._engine.dispose()

    def _write_all(self) -> None:
        open_ = True
        while open_:
            batch = [self._writes.get()]
            while len(batch) < _BATCH and not self._writes.empty():
                batch.append(self._writes.get())
            open_ = None not in batch
            writes = [write for write in batch if write is not None]
            if writes:
                self._commit(writes)

    def _commit(self, writes: list[_Write], waits: int = _WAITS) -> None:
        results: list[tuple[_Write, Any, BaseException | None]] = []
        try:
            with (
                self._turns,
                self._engine.connect().execution_options(writes=True) as connection,
                connection.begin(),
            ):
                results = [_attempt(connection, write) for write in writes]
        except Exception as error:  # noqa: BLE001 - whoever waits for the batch is told
            if _code(error) in _FULL and self._make_room():
                self._commit(writes)  # overwrites what the attempt has left
                return
            if _code(error) == sqlite3.SQLITE_BUSY and waits:
                self._commit(writes, waits - 1)
                return
            for write in writes:
                write.done.set_exception(_told(error))
            return
        for write, result, failure in results:
            if failure is None:
                write.done.set_result(result)
            else:
                write.done.set_exception(failure)


class SqliteHome:
    """A catalogue's file; that one server alone writes it is up to the folder's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def exists(self) -> bool:
        """Whether a catalogue was ever made here; one that cannot be read was."""
        # Not even opened when it has no byte: SQLite would drop the log that lies beside it.
        if not self._path.exists() or not self._path.stat().st_size:
            return False
        engine = open_engine(self._path)
        try:
            with engine.connect() as connection:
                return not is_empty(connection)
        except DatabaseError:
            return True
        finally:
            engine.dispose()

    def create(self) -> None:
        """Make an empty catalogue where none is."""
        self.open().close()

    def open(self, make_room: Callable[[], bool] = no_room, /) -> Catalog:
        """The catalogue, its tables brought to the present shape; an empty one where none is."""
        return SqliteCatalog(self._path, make_room)

    def join(self) -> Catalog:
        """The catalogue as a process beside the server works with it."""
        return SqliteCatalog(self._path, beside=True)

    @contextlib.contextmanager
    def look(self) -> Iterator[Connection]:
        """The catalogue as it is, to read while a server may write it."""
        engine = open_engine(self._path)
        try:
            with engine.connect() as connection:
                refuse_older(connection)
                connection.rollback()
                yield connection
        except DatabaseError as error:
            raise _damaged(self._path, error) from error
        finally:
            engine.dispose()

    def alone(self) -> AbstractContextManager[None]:
        """Nothing to do: the lock of the folder keeps others out."""
        return contextlib.nullcontext()

    def drop(self) -> None:
        """Remove the catalogue with all that is in it."""
        for ending in ("", "-wal", "-shm", "-turn"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def dump(self) -> Iterator[str]:
        """The catalogue as statements of SQL that make it again, at one moment."""
        engine = open_engine(self._path)
        try:
            with engine.connect() as connection:
                yield from statements(connection)
        except DatabaseError as error:
            raise _damaged(self._path, error) from error
        finally:
            engine.dispose()


def open_engine(path: Path) -> Engine:
    """An engine on the file, with the settings that durability and speed ask for."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=_READERS + 2,  # the writer's, and the loop's
        # The driver's own ideas about transactions are switched off: we begin them below.
        connect_args={"isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes"):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            # This cannot fail, and SQLAlchemy's own way to say it costs as much as what is read.
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN")

    return engine


def upgrade_file(engine: Engine) -> None:
    """Bring the tables to the present shape; makes them in an empty file."""
    with engine.connect().execution_options(writes=True) as connection:
        driver: Any = connection.connection.driver_connection
        # A table that is altered by copying is dropped on the way: with foreign keys on, that
        # would take the rows of other tables along. Inside a transaction the pragma does nothing.
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                upgrade(connection)
                if connection.execute(text("PRAGMA foreign_key_check")).first() is not None:
                    raise CatalogDamagedError(
                        f"the catalogue {engine.url.database} has rows that point nowhere: "
                        "restore it from a backup"
                    )
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def _damaged(path: Path, error: DatabaseError) -> SonotecaError:
    if _code(error) & 0xFF in _BLAMELESS:
        return CatalogUnreachableError(
            f"the catalogue {path} cannot be opened ({error.orig}): look whether its disk is full "
            "or fails, and whether this user may write there"
        )
    return CatalogDamagedError(
        f"the catalogue {path} cannot be read ({error.orig}): restore it from a backup"
    )


def _check(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:
        verdict = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        # Which tables and columns there are is told by text, which no check of pages understands.
        for table in metadata.sorted_tables:
            connection.execute(select(table).limit(0))
    if verdict != "ok":
        raise CatalogDamagedError(
            f"the catalogue {path} is damaged ({verdict}): restore it from a backup"
        )


def _told(error: Exception) -> Exception:
    """A full disk in our words; whatever else went wrong as it is."""
    # The commit was not written whole, so it cannot come back after a crash: a refusal, no doubt.
    return NoSpaceError() if _code(error) == sqlite3.SQLITE_FULL else error


def _code(error: Exception) -> int:
    orig = error.orig if isinstance(error, DatabaseError) else None
    code: int = getattr(orig, "sqlite_errorcode", sqlite3.SQLITE_OK)
    return code


def _attempt(connection: Connection, write: _Write) -> tuple[_Write, Any, BaseException | None]:
    savepoint = connection.begin_nested()
    try:
        result = write.run(connection)
    except Exception as error:
        if isinstance(_told(error), NoSpaceError):
            raise  # SQLite has undone the whole batch already, savepoint and all
        savepoint.rollback()
        return write, None, error
    savepoint.commit()
    return write, result, None
