"""What columns are made of: the same kinds on both engines, wherever the engines differ."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

# SQLite's row number is an INTEGER by that very word; PostgreSQL's numbers must not end at 2³¹.
SEQ = BigInteger().with_variant(Integer, "sqlite")

# Text sorts by code points on both engines, whatever language the database was made for.
TEXT = Text().with_variant(Text(collation="C"), "postgresql")


class transaction_number(FunctionElement[int]):  # noqa: N801 - it reads like a function of SQL
    """The number of the transaction that writes; 0 where there is one writer only."""

    inherit_cache = True


@compiles(transaction_number)
def _no_number(_element: Any, _compiler: Any, **_kw: Any) -> str:
    return "0"


@compiles(transaction_number, "postgresql")
def _number(_element: Any, _compiler: Any, **_kw: Any) -> str:
    return "(pg_current_xact_id()::text::bigint)"
