"""Words in the full text of the mirror (SQLite FTS5): all sounds that may have them.

What comes out of the index may be more than was asked for: phrases are found across the ends of
names, and signs that FTS5 takes for blanks part words. The rows themselves decide.
"""

from __future__ import annotations

import unicodedata

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


def match(term: Term) -> str:
    """The term, which is `indexed`, as FTS5 asks for it (SQLite FTS5, 3)."""
    match term:
        case Words(words, prefix):
            return f'"{" ".join(words)}"{"*" if prefix else ""}'
        case And(parts):
            return "(" + " AND ".join(match(part) for part in parts if indexed(part)) + ")"
        case Or(parts):
            return "(" + " OR ".join(map(match, parts)) + ")"
        case _:
            raise TypeError(term)


def _is_indexed(word: str) -> bool:
    # FTS5 takes letters for parts of words, but not all that Python does; those that are letters
    # in the oldest tables of Unicode are so everywhere. Of numbers only ASCII's are.
    return all(
        c.isalnum() if c.isascii() else unicodedata.ucd_3_2_0.category(c).startswith("L")
        for c in word
    )
