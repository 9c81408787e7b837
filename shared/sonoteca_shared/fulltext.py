"""Terms of a search as full text finds them: what an index can find, and how FTS5 is asked for it.

What comes out of an index may be more than was asked for: phrases are found across the ends of
names, and signs that an engine takes for blanks part words. The rows themselves decide.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from sonoteca_shared.terms import And, Or, Term, Words


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


def in_fts5(term: Term) -> str:
    """The term, which is `indexed`, as FTS5 asks for it (SQLite FTS5, 3)."""
    match term:
        case Words(words, prefix):
            return f'"{" ".join(words)}"{"*" if prefix else ""}'
        case And(parts):
            return "(" + " AND ".join(in_fts5(part) for part in parts if indexed(part)) + ")"
        case Or(parts):
            return "(" + " OR ".join(map(in_fts5, parts)) + ")"
        case _:
            raise TypeError(f"no full text finds {term}")


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
    # Engines take letters for parts of words, but not all that Python does; those that are letters
    # in the oldest tables of Unicode are so everywhere. Of numbers only ASCII's are.
    return all(
        c.isalnum() if c.isascii() else unicodedata.ucd_3_2_0.category(c).startswith("L")
        for c in word
    )
