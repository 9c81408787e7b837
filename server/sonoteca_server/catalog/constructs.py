"""What each engine says in words of its own: patterns, places in a text, columns as values."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Float, Integer, Text, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement, GenericFunction
from sqlalchemy.sql.visitors import InternalTraversal

_MAX_PATTERN = 1_000
_CLAUSE = InternalTraversal.dp_clauseelement


class Named(ColumnElement[bool]):
    """A text that is as a pattern says, in which `*` stands for anything; case matters."""

    type = Boolean()
    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012 - SQLAlchemy's own declaration of it
        ("subject", _CLAUSE),
        ("glob_pattern", _CLAUSE),
        ("like_pattern", _CLAUSE),
    ]

    def __init__(self, subject: ColumnElement[str], pattern: str) -> None:
        # What is cut off could not have matched either: no name is half as long as what stays.
        short = re.sub(r"\*+", "*", pattern)[:_MAX_PATTERN]
        self.subject = subject
        self.glob_pattern = literal("".join(f"[{c}]" if c in "[?" else c for c in short))
        escaped = "".join(f"\\{c}" if c in "%_\\" else c for c in short)
        self.like_pattern = literal(escaped.replace("*", "%"))


@compiles(Named, "sqlite")
def _named_in_sqlite(element: Named, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.subject, **options)
    return f"{text} GLOB {compiler.process(element.glob_pattern, **options)}"


@compiles(Named, "postgresql")
def _named_in_postgresql(element: Named, compiler: SQLCompiler, **options: Any) -> str:
    text = compiler.process(element.subject, **options)
    return f"{text} LIKE {compiler.process(element.like_pattern, **options)}"


class position(GenericFunction[int]):  # noqa: N801 - it reads like a function of SQL
    """Where a text has another one first, counted from 1; 0 where it does not."""

    type = Integer()
    inherit_cache = True
    name = "position"


@compiles(position, "sqlite")
def _position_in_sqlite(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr{compiler.process(element.clause_expr, **options)}"


@compiles(position, "postgresql")
def _position_in_postgresql(element: position, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos{compiler.process(element.clause_expr, **options)}"


class Unindexed(ColumnElement[Any]):
    """A column as a value: the planner may read it, but not look it up in an index.

    It is we who know which condition is rare; both planners guess, and a wrong guess costs a
    hundred times what the query costs.
    """

    inherit_cache = True
    _traverse_internals = [("column", _CLAUSE)]  # noqa: RUF012 - SQLAlchemy's own declaration of it

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(Unindexed, "sqlite")
def _unindexed_in_sqlite(element: Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.column, **options)}"


@compiles(Unindexed, "postgresql")
def _unindexed_in_postgresql(element: Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    column = compiler.process(element.column, **options)
    return f"({column} || '')" if isinstance(element.type, Text) else f"({column} + 0)"


class clock(FunctionElement[float]):  # noqa: N801 - it reads like a function of SQL
    """The database's own time, in seconds since the epoch; the same within one statement."""

    type = Float()
    inherit_cache = True


@compiles(clock, "sqlite")
def _clock_in_sqlite(_element: clock, _compiler: SQLCompiler, **_options: Any) -> str:
    # `unixepoch('subsec')` came with 3.42; Debian 12 has 3.40.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock, "postgresql")
def _clock_in_postgresql(_element: clock, _compiler: SQLCompiler, **_options: Any) -> str:
    # Not clock_timestamp(): what may change within a statement is looked up in no index.
    return "extract(epoch FROM statement_timestamp())::float8"


class transaction_number(FunctionElement[int]):  # noqa: N801 - it reads like a function of SQL
    """The number of the transaction that writes; 0 where there is one writer only."""

    inherit_cache = True


@compiles(transaction_number)
def _no_number(_element: Any, _compiler: Any, **_kw: Any) -> str:
    return "0"


@compiles(transaction_number, "postgresql")
def _number(_element: Any, _compiler: Any, **_kw: Any) -> str:
    return "(pg_current_xact_id()::text::bigint)"
