"""What is known of the bytes: read and write transactions, on SQLite or on PostgreSQL.

``await catalog.read(find, …)`` runs ``find(connection, …)`` in a transaction that sees one moment,
``await catalog.write(store, …)`` runs in one that is durable before it is answered. The functions
are plain ones on a SQLAlchemy connection, run in threads. A function that writes may be run again
after another writer got in its way, so it touches nothing but its connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from sonoteca_shared.errors import SonotecaError

P = ParamSpec("P")
T = TypeVar("T")


class CatalogDamagedError(SonotecaError):
    """The catalogue cannot be read; starting on it would risk what the blobs still hold."""

    code = "catalog-damaged"


class CatalogNewerError(SonotecaError):
    """A newer program has changed the tables in ways that this one does not know."""

    code = "catalog-newer"


class CatalogOlderError(SonotecaError):
    """The tables are of an older program, and what was asked for does not change them."""

    code = "catalog-older"


class CatalogUnreachableError(SonotecaError):
    """The database does not answer, or does not let us in."""

    code = "catalog-unreachable"


class CatalogInUseError(SonotecaError):
    """A server works with the catalogue, and what was asked for would pull it from under it."""

    code = "catalog-in-use"


def no_room() -> bool:
    """Nothing can be freed on a full disk."""
    return False


class Catalog(Protocol):
    """The catalogue of one library, open; used from one event loop, then closed."""

    async def read(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of `function(connection, …)` in a read transaction of its own."""
        ...

    async def glance(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `read`, for a row or two by their key, which cost less than waiting for a thread."""
        ...

    async def recall(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `glance`, for what is asked again and again; the answer may be kept until a commit.

        So the arguments have to be hashable, and the answer immutable and small.
        """
        ...

    async def write(
        self,
        function: Callable[Concatenate[Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """The result of `function(connection, …)` once it is committed and durable."""
        ...

    def close(self) -> None:
        """Finish the writes that wait, then let the database go."""
        ...


class Home(Protocol):
    """Where a catalogue lives, whether it is there or not: a file, or a database of a server."""

    def __str__(self) -> str:
        """As people are told of it; without a password."""
        ...

    def exists(self) -> bool:
        """Whether a catalogue was ever made here."""
        ...

    def create(self) -> None:
        """Make an empty catalogue where none is."""
        ...

    def open(self, make_room: Callable[[], bool] = no_room, /) -> Catalog:
        """The catalogue, its tables brought to the present shape; an empty one where none is.

        `make_room` is called when its disk is full; it says whether it has freed anything.
        """
        ...

    def join(self) -> Catalog:
        """The catalogue as a process beside the server works with it: its tables stay as they are.

        CatalogOlderError when they are not of the present shape.
        """
        ...

    def look(self) -> AbstractContextManager[Connection]:
        """The catalogue as it is, to read while a server may write it.

        CatalogOlderError when its tables are not of the present shape. Whoever looks for long
        ends the transaction now and then: one that stays open is in everybody's way.
        """
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Keep servers out within the block; CatalogInUseError when one is in."""
        ...

    def drop(self) -> None:
        """Remove the catalogue with all that is in it."""
        ...

    def dump(self) -> Iterator[str]:
        """The catalogue as statements of SQL that make it again, at one moment."""
        ...
