"""Words in the full text of either engine: all sounds that may have them, straight from an index.

What comes out of an index may be more than was asked for: phrases are found across the ends of
names, and signs that an engine takes for blanks part words. The rows themselves decide.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, column, func, literal_column, select, table

from sonoteca_server.catalog.schema import sounds
from sonoteca_shared.terms import And, Or, Term, Words

_fts5 = table("search", column("rowid"), column("search"))
_simple: Any = literal_column("'simple'")


def indexed(term: Term) -> bool:
    """Whether the full text can find all that the term may hold for."""
    match term:
        case Words(words):
            return all(map(_is_indexed, words))
        case And(parts):
            return any(map(indexed, parts))
        case Or(parts):
            return all(map(indexed, parts))
        case _:
            return False


def sounds_with(term: Term, dialect: str) -> Select[*tuple[Any, ...]]:
    """The numbers of all sounds for which the term, which is `indexed`, may hold."""
    if dialect == "sqlite":
        found = _fts5.c.search.op("MATCH")(_in_fts5(term))
        return select(_fts5.c.rowid.label("seq")).where(found)
    words = func.to_tsvector(_simple, sounds.c.words)
    found = words.op("@@")(func.to_tsquery(_simple, _in_tsquery(term)))
    return select(sounds.c.seq).where(found, sounds.c.trashed.is_(None))


def whole(term: Term) -> Term:
    """The term with whole words in the place of beginnings: what it finds, the term finds too."""
    match term:
        case Words():
            return replace(term, prefix=False)
        case And(parts):
            return And(tuple(map(whole, parts)))
        case Or(parts):
            return Or(tuple(map(whole, parts)))
        case _:
            return term


def _is_indexed(word: str) -> bool:
    # Both engines take letters for parts of words, but not all that Python does; those that are
    # letters in the oldest tables of Unicode are so everywhere. Of numbers only ASCII's are.
    return all(
        c.isalnum() if c.isascii() else unicodedata.ucd_3_2_0.category(c).startswith("L")
        for c in word
    )


def _in_fts5(term: Term) -> str:
    """The term as FTS5 asks for it (SQLite FTS5, 3)."""
    match term:
        case Words(words, prefix):
            return f'"{" ".join(words)}"{"*" if prefix else ""}'
        case And(parts):
            return "(" + " AND ".join(_in_fts5(part) for part in parts if indexed(part)) + ")"
        case Or(parts):
            return "(" + " OR ".join(map(_in_fts5, parts)) + ")"
        case _:
            raise TypeError(term)


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
