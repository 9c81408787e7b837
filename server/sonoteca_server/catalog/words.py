"""Words in the full text of either engine: all sounds that may have them, by an index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, column, func, literal_column, select, table

from sonoteca_server.catalog.schema import sounds
from sonoteca_shared.fulltext import in_fts5, indexed
from sonoteca_shared.terms import And, Or, Term, Words

_fts5 = table("search", column("rowid"), column("search"))
_simple: Any = literal_column("'simple'")


def sounds_with(term: Term, dialect: str) -> Select[*tuple[Any, ...]]:
    """The numbers of all sounds for which the term, which is `indexed`, may hold."""
    if dialect == "sqlite":
        found = _fts5.c.search.op("MATCH")(in_fts5(term))
        return select(_fts5.c.rowid.label("seq")).where(found)
    words = func.to_tsvector(_simple, sounds.c.words)
    found = words.op("@@")(func.to_tsquery(_simple, _in_tsquery(term)))
    return select(sounds.c.seq).where(found, sounds.c.trashed.is_(None))


def _in_tsquery(term: Term) -> str:
    """The term as `to_tsquery` reads it (PostgreSQL, 12.3.2)."""
    match term:
        case Words(words, prefix):
            ends = [""] * (len(words) - 1) + [":*" if prefix else ""]
            # Not `<->`: beyond 16,383 words a text has no places any more.
            return "(" + " & ".join(map("'{}'{}".format, words, ends)) + ")"
        case And(parts):
            return "(" + " & ".join(_in_tsquery(part) for part in parts if indexed(part)) + ")"
        case Or(parts):
            return "(" + " | ".join(map(_in_tsquery, parts)) + ")"
        case _:
            raise TypeError(term)
