"""The catalogue in PostgreSQL: many servers read and write it at the same time.

A writer sees one moment of the catalogue (REPEATABLE READ). Where two writers get in each other's
way the database lets one through and stops the other, which is then run again on what the first
has left: so a function may look first and write after, as on SQLite.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sonoteca_server.catalog import Catalog, CatalogInUseError, CatalogUnreachableError, no_room
from sonoteca_server.catalog.dump import statements
from sonoteca_server.catalog.schema import metadata
from sonoteca_server.catalog.upgrading import is_empty, refuse_older, upgrade
from sonoteca_shared.errors import NoSpaceError

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 8
_TRIES = 40
_PAUSE_S = 0.002
_MOST_S = 0.1
# Serialization failure, deadlock; and what a writer meets whose snapshot is from before another
# one's commit: its row is there already, or the row that it names is gone.
_IN_THE_WAY = frozenset({"40001", "40P01", "23505", "23503"})
_DISK_FULL = "53100"
# Whoever uses the catalogue holds this lock shared; who takes it away needs it alone. The number
# is the word in ASCII, so that it is nobody else's.
_LOCK = int.from_bytes(b"sonoteca", "big")
_SETTINGS = (
    # A transaction that was forgotten would hold up the feed of changes for everybody.
    "SET idle_in_transaction_session_timeout = '60s'",
    "SET synchronous_commit = on",
    "SET timezone = 'UTC'",
    # Every question has an index; where the planner guesses that it needs all rows, it is wrong.
    "SET enable_seqscan = off",
    "SET random_page_cost = 1.1",
)


class PostgresCatalog:
    """A catalogue in a database that other servers may use at the same time.

    The tables are brought to the present shape, unless this process works `beside` a server.
    """

    def __init__(self, url: URL, *, beside: bool = False) -> None:
        with contextlib.ExitStack() as undo:
            self._engine = open_engine(url)
            undo.callback(self._engine.dispose)
            # Its lock is held for as long as it lives: nobody drops the tables meanwhile.
            self._presence = undo.enter_context(_connect(self._engine))
            _claim(self._presence, shared=True)
            if beside:
                with _connect(self._engine) as connection:
                    refuse_older(connection)
            else:
                upgrade_database(self._engine)
            self._close = undo.pop_all().close
        self._threads = ThreadPoolExecutor(_THREADS, "catalog")

    async def read(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of `function(connection, …)` in a read transaction of its own."""
        return await self._in_thread(lambda connection: function(connection, *args, **kwargs))

    async def glance(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `read`: a server's answer has to be waited for, however little was asked."""
        return await self.read(function, *args, **kwargs)

    async def recall(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `read`: to ask whether others have written costs as much."""
        return await self.read(function, *args, **kwargs)

    async def write(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of `function(connection, …)` once it is committed and durable."""
        running = self._in_thread(lambda connection: function(connection, *args, **kwargs))
        return await asyncio.shield(asyncio.ensure_future(running))

    def close(self) -> None:
        """Finish the writes that wait, then let the database go."""
        self._threads.shutdown()
        self._close()

    async def _in_thread(self, function: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, run, self._engine, function)


def run(engine: Engine, function: Callable[[Connection], T]) -> T:
    """The result of `function` in a transaction, tried again while others get in its way."""
    for tries in range(1, _TRIES + 1):
        committing = False
        try:
            with engine.connect() as connection, connection.begin() as transaction:
                result = function(connection)
                committing = True
                transaction.commit()
                return result
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _DISK_FULL:
                raise NoSpaceError from error
            if tries == _TRIES or not _may_run_again(error, committing=committing):
                raise
        # Whoever lost a race together does not start the next one together.
        time.sleep(random.uniform(0, min(_MOST_S, _PAUSE_S * 2**tries)))  # noqa: S311
    raise AssertionError


def open_engine(url: URL) -> Engine:
    """An engine on the database; nothing is connected yet."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="REPEATABLE READ",
        pool_size=_THREADS + 1,
        max_overflow=1,
        # Else a database without an encoding answers in bytes, which nobody here can read.
        connect_args={"client_encoding": "utf8"},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: Any) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise CatalogUnreachableError(
                f"the database {_shown(url)} keeps text as {encoding}, in which not every name can "
                "be written: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
            )
        for setting in _SETTINGS:
            connection.execute(setting)
        connection.commit()

    return engine


def upgrade_database(engine: Engine) -> None:
    """Bring the tables to the present shape; makes them in an empty database."""
    with _connect(engine) as connection:
        # Servers that start together take turns, and each looks at what the one before has left.
        connection.execution_options(isolation_level="READ COMMITTED")
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK + 1})
        upgrade(connection)
        connection.commit()


class PostgresHome:
    """A database that holds a catalogue, or may."""

    def __init__(self, url: URL) -> None:
        self._url = url

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    def exists(self) -> bool:
        """Whether a catalogue was ever made here."""
        with self._engine() as engine, _connect(engine) as connection:
            return not is_empty(connection)

    def create(self) -> None:
        """Make an empty catalogue where none is; the database has to be there."""
        with self._engine() as engine:
            upgrade_database(engine)

    def open(self, _make_room: Callable[[], bool] = no_room, /) -> Catalog:
        """The catalogue, its tables brought to the present shape; an empty one where none is."""
        return PostgresCatalog(self._url)

    def join(self) -> Catalog:
        """The catalogue as a process beside the server works with it."""
        return PostgresCatalog(self._url, beside=True)

    @contextlib.contextmanager
    def look(self) -> Iterator[Connection]:
        """The catalogue as it is, to read while a server may write it."""
        with self._engine() as engine, _connect(engine) as connection:
            refuse_older(connection)
            connection.rollback()
            yield connection

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep servers out within the block; CatalogInUseError when one is in."""
        with self._engine() as engine, _connect(engine) as connection:
            _claim(connection, shared=False)
            yield

    def drop(self) -> None:
        """Remove the catalogue with all that is in it; the database stays."""
        with self._engine() as engine, _connect(engine) as connection, connection.begin():
            metadata.drop_all(connection)
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))

    def dump(self) -> Iterator[str]:
        """The catalogue as statements of SQL that make it again, at one moment."""
        with self._engine() as engine, _connect(engine) as connection:
            # Whoever reads it may take their time; it holds up nobody's feed, as it writes nothing.
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            yield from statements(connection)

    @contextlib.contextmanager
    def _engine(self) -> Iterator[Engine]:
        engine = open_engine(self._url)
        try:
            yield engine
        finally:
            engine.dispose()


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[-1].strip()
        raise CatalogUnreachableError(
            f"the database {_shown(engine.url)} cannot be used: {reason}"
        ) from error


def _shown(url: URL) -> str:
    """The address of a database as people are told of it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=True)


def _claim(connection: Connection, *, shared: bool) -> None:
    function = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    free = connection.execute(text(f"SELECT {function}(:lock)"), {"lock": _LOCK}).scalar_one()
    connection.commit()
    if not free:
        who = "is being removed" if shared else "is in use by a server: stop it first"
        raise CatalogInUseError(f"the catalogue {who}")


def _may_run_again(error: DBAPIError, *, committing: bool) -> bool:
    """Whether nothing of the attempt can have been kept, and another one may do better."""
    if getattr(error.orig, "sqlstate", None) in _IN_THE_WAY:
        return True
    # The line broke: before the commit was sent nothing was kept, after it nobody knows.
    return error.connection_invalidated and not committing
