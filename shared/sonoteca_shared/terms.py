"""What a search asks for, as a tree of frozen terms; each can be written as the text that asks it.

Compilers walk the tree: the server's makes SQL for its two engines of it, the desktop's mirror too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sonoteca_shared import values


@dataclass(frozen=True, slots=True)
class Words:
    """Words that follow each other; the last may go on when `prefix`. A field narrows the place."""

    words: tuple[str, ...]
    prefix: bool = True
    field: str = ""  # "name" or "desc"; anywhere when it is empty


@dataclass(frozen=True, slots=True)
class Text:
    """A field that is this text, or begins with it when `prefix`."""

    field: str
    text: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A field between two values; None is no bound. Of dates the low end counts, the high not."""

    field: str
    low: values.Value | None = None
    high: values.Value | None = None
    low_in: bool = True
    high_in: bool = True


@dataclass(frozen=True, slots=True)
class State:
    """What a sound has (`has:markers`) or is (`is:untagged`)."""

    field: str
    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    part: Term


@dataclass(frozen=True, slots=True)
class And:
    """All of it holds; nothing at all asks nothing."""

    parts: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """Some of it holds."""

    parts: tuple[Term, ...]


Term = Words | Text | Span | State | Not | And | Or

EVERYTHING = And()

_PLAIN = re.compile(r"[\w./+#&'@-]+")


def all_of(parts: Iterable[Term]) -> Term:
    """The terms joined by AND: flat, each once."""
    flat: dict[Term, None] = {}
    for part in parts:
        flat |= dict.fromkeys(part.parts if isinstance(part, And) else (part,))
    return next(iter(flat)) if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Iterable[Term]) -> Term:
    """The terms joined by OR: flat, each once."""
    flat: dict[Term, None] = {}
    for part in parts:
        flat |= dict.fromkeys(part.parts if isinstance(part, Or) else (part,))
    return next(iter(flat)) if len(flat) == 1 else Or(tuple(flat))


def negation(part: Term) -> Term:
    """The opposite of a term."""
    return part.part if isinstance(part, Not) else Not(part)


def render(term: Term) -> str:
    """The text that asks for this term, in its one canonical form."""
    match term:
        case And(parts):
            return " ".join(_grouped(part, Or) for part in parts)
        case Or(parts):
            return " OR ".join(map(render, parts))
        case Not(part):
            return "-" + _grouped(part, And, Or)
        case Words():
            return _words(term)
        case Text(field, text, prefix):
            return f"{field}:{_quoted(text)}{'*' if prefix else ''}"
        case Span():
            return _span(term)
        case _:
            return f"{term.field}:{term.name}"


def _grouped(term: Term, *kinds: type[Term]) -> str:
    return f"({render(term)})" if isinstance(term, kinds) else render(term)


def _words(term: Words) -> str:
    head = f"{term.field}:" if term.field else ""
    return head + ("-".join(term.words) if term.prefix else f'"{" ".join(term.words)}"')


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else f'"{text}"'


def _span(term: Span) -> str:
    low, high = _value(term.low), _value(term.high)
    if term.high is None:
        return f"{term.field}>{'=' if term.low_in else ''}{low}"
    if term.low is None:
        return f"{term.field}<{'=' if term.high_in else ''}{high}"
    if isinstance(term.low, str) and isinstance(term.high, str):
        for part in (term.low[:4], term.low[:7], term.low[:10]):
            if values.date_span(part) == (term.low, term.high):
                return f"{term.field}:{part}"
    elif term.low == term.high and isinstance(term.low, int) and term.low_in and term.high_in:
        return f"{term.field}:{low}"
    opening, closing = "[" if term.low_in else "{", "]" if term.high_in else "}"
    return f"{term.field}:{opening}{low} TO {high}{closing}"


def _value(value: values.Value | None) -> str:
    # Never in the form 1e-05, which is nothing that people type.
    text = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
    return text.removesuffix(".0")
