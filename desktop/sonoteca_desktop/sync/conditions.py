"""What a search asks of sounds, as SQL of the mirror: true of exactly the rows that it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from sonoteca_shared.fulltext import in_fts5, indexed
from sonoteca_shared.names import sort_key
from sonoteca_shared.query import fold
from sonoteca_shared.terms import And, Not, Or, Span, State, Term, Text, Words

_SPANS = {
    "rate": "samplerate",
    "ch": "channels",
    "bits": "bitdepth",
    "dur": "duration",
    "size": "size",
    "loud": "loudness",
    "peak": "peak",
    "rating": "rating",
    "date": "created",
    "rec": "recorded",
}
_TEXTS = {
    "repo": "repository",
    "by": "uploaded_by",
    "format": "format",
    "container": "container",
    "license": "license",
}
# Behind every text that begins alike.
_LAST = "\U0010ffff"
_WORDS = "(SELECT words FROM texts WHERE texts.key = sounds.key)"
_DUPLICATE = (
    "EXISTS (SELECT 1 FROM sounds AS other WHERE other.audio_sha256 = sounds.audio_sha256"
    " AND other.key != sounds.key)"
)

Value: TypeAlias = str | int | float


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, None for nobody we know, and from when on a sound is new to them."""

    name: str | None = None
    new_since: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """An expression of SQL that is true or false of a row of `sounds`, never NULL; its values."""

    text: str
    values: tuple[Value, ...] = ()


def condition(term: Term, asker: Asker) -> Condition:
    """The condition that holds for exactly the sounds that the term means.

    `is:pinned` looks into the table `pinned` of SHA-256s, which the connection has to have.
    """
    parts = [_holds(term, asker)]
    if indexed(term):
        # First a set of rows from the full text; then each of them is looked at itself.
        found = "key IN (SELECT rowid FROM search WHERE search MATCH ?)"
        parts.insert(0, Condition(found, (in_fts5(term),)))
    return _joined(" AND ", parts)


def in_folder(folder: str) -> Condition:
    """The folder and all in it, told apart by case; half open, so that an index serves."""
    below = (folder, f"{folder}/", f"{folder}0")
    return Condition("(folder = ? OR (folder >= ? AND folder < ?))", below)


def _holds(term: Term, asker: Asker) -> Condition:
    match term:
        case And(parts):
            return _joined(" AND ", (_holds(part, asker) for part in parts))
        case Or(parts):
            return _joined(" OR ", (_holds(part, asker) for part in parts))
        case Not(part):
            inner = _holds(part, asker)
            return Condition(f"NOT {inner.text}", inner.values)
        case Words():
            return _has_words(term)
        case Span():
            return _between(term)
        case Text():
            return _is_text(term)
        case State():
            return _state(term.name, asker)


def _joined(word: str, parts: Iterable[Condition]) -> Condition:
    some = list(parts)
    if not some:
        return Condition("1")
    text = word.join(part.text for part in some)
    return Condition(f"({text})", tuple(value for part in some for value in part.values))


def _has_words(term: Words) -> Condition:
    """Each word has a blank before and after it; a bar ends the name, and the description."""
    asked = " " + " ".join(term.words) + ("" if term.prefix else " ")
    if not term.field:
        return Condition(f"(instr({_WORDS}, ?) > 0)", (asked,))
    text = _WORDS
    if term.field == "desc":
        text = f"substr({_WORDS}, instr({_WORDS}, '|') + 1)"
    place = f"instr({text}, ?)"
    return Condition(f"({place} > 0 AND {place} < instr({text}, '|'))", (asked, asked))


def _between(span: Span) -> Condition:
    """Whether the column lies in the span; what has no value never does."""
    column = _SPANS[span.field]
    parts = [Condition(f"{column} IS NOT NULL")]
    if span.low is not None:
        parts.append(Condition(f"+{column} {'>=' if span.low_in else '>'} ?", (span.low,)))
    if span.high is not None:
        parts.append(Condition(f"+{column} {'<=' if span.high_in else '<'} ?", (span.high,)))
    return _joined(" AND ", parts)


def _is_text(term: Text) -> Condition:
    match term.field:
        case "tag":
            tagged = _begins("tag_key", fold(term.text), prefix=term.prefix)
            return _among("key", "SELECT sound FROM tags", tagged)
        case "in":
            named = _begins("name_key", sort_key(term.text), prefix=term.prefix)
            members = "SELECT sound FROM members JOIN collections ON collections.id = collection"
            return _among("sounds.id", members, named)
        case "folder":
            key = sort_key(term.text.strip("/"))
            here = _begins("folder_key", key, prefix=term.prefix)
            return _joined(" OR ", (here, _begins("folder_key", f"{key}/", prefix=True)))
    column = _TEXTS[term.field]
    # Case aside; of ASCII alone, as SQLite does it.
    lowered = "".join(c.lower() if c.isascii() else c for c in term.text)
    alike = _begins(f"lower({column})", lowered, prefix=term.prefix)
    return Condition(f"({column} IS NOT NULL AND {alike.text})", alike.values)


def _among(column: str, members: str, which: Condition) -> Condition:
    return Condition(f"{column} IN ({members} WHERE {which.text})", which.values)


def _begins(column: str, text: str, *, prefix: bool) -> Condition:
    if not prefix:
        return Condition(f"{column} = ?", (text,))
    return Condition(f"({column} >= ? AND {column} < ?)", (text, text + _LAST))


def _state(name: str, asker: Asker) -> Condition:
    match name:
        case "markers" | "findings":
            return Condition(f"{name} > 0")
        case "untagged":
            return Condition("tags = 0")
        case "new":
            return Condition("+created >= ?", (asker.new_since,))
        case "mine":
            mine = "(uploaded_by IS NOT NULL AND uploaded_by = ?)"
            return Condition("0") if asker.name is None else Condition(mine, (asker.name,))
        case "pinned":
            return Condition("sha256 IN (SELECT sha256 FROM pinned)")
        case _:
            return Condition(_DUPLICATE)
