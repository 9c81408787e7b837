"""What is asked of sounds, as SQL: how each row shows it, and which index finds those that may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    union_all,
)

from sonoteca_server.catalog import words
from sonoteca_server.catalog.constructs import Unindexed, position
from sonoteca_server.catalog.schema import (
    MAX_KEY,
    collection_sounds,
    collections,
    repositories,
    sound_tags,
    sounds,
)
from sonoteca_shared.fulltext import indexed, whole
from sonoteca_shared.names import sort_key
from sonoteca_shared.query import fold
from sonoteca_shared.terms import And, Not, Or, Span, State, Term, Text, Words

SPANS: dict[str, Column[Any]] = {
    "rate": sounds.c.samplerate,
    "ch": sounds.c.channels,
    "bits": sounds.c.bitdepth,
    "dur": sounds.c.duration,
    "size": sounds.c.size,
    "loud": sounds.c.loudness,
    "peak": sounds.c.peak,
    "rating": sounds.c.rating,
    "date": sounds.c.created,
    "rec": sounds.c.recorded,
}
_TEXTS = {
    "by": sounds.c.uploaded_by,
    "format": sounds.c.format,
    "container": sounds.c.container,
    "license": sounds.c.license,
}
# How these are always written, so that an index finds them however they are typed.
_WRITTEN: dict[str, Callable[[str], str]] = {"format": str.lower, "container": str.upper}
_PRESENT = sounds.c.trashed.is_(None)
# What a sound must have more of than none, or none of.
_COUNTS = {
    "markers": sounds.c.marker_count,
    "findings": sounds.c.finding_count,
    "untagged": sounds.c.tag_count,
}
# Behind every text that begins alike.
_LAST = "\U0010ffff"

Seqs = Select[*tuple[Any, ...]]
Number = ColumnElement[Any]
# Behind the numbers of all sounds.
_NO_END = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, None for nobody we know, and from when on a sound is new to them."""

    name: str | None = None
    new_since: str = ""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something asked of a sound.

    `holds` is true of exactly the rows that show it, and looks into no index. `found_by` are the
    numbers of all sounds that may, straight from an index; None where there is none for it. When
    they are `exact` they are those that do, none of them in the trash: no row has to be looked at.
    `some` of them are counted faster, so that many are known to be many. Where the index has them
    `in_order` they need not be sorted to be listed as they came.
    """

    holds: ColumnElement[bool]
    found_by: Seqs | None = None
    exact: bool = False
    some: Seqs | None = None
    in_order: bool = False
    # Between which numbers they are, where that is known.
    after: Number | None = None
    until: Number | None = None

    @property
    def numbers(self) -> Seqs:
        """What `found_by` finds; only of a condition that an index knows."""
        assert self.found_by is not None
        return self.found_by


def conditions(
    term: Term, asker: Asker, dialect: str, walked: Column[Any] | None = None
) -> Iterator[Condition]:
    """The term as conditions that must all hold, as many as have an index of their own.

    `walked` is the column along whose index the sounds are read: its bounds are where to begin
    and to end.
    """
    holding = _Holding(asker, walked)
    parts = term.parts if isinstance(term, And) else (term,)
    # Together, words are found much faster than one by one.
    worded = And(tuple(part for part in parts if indexed(part)))
    if worded.parts:
        found_by = _without_trash(words.sounds_with(worded, dialect))
        exact = all(map(_is_one_word, worded.parts))
        # FTS5 reads a word as far as it is asked for, but all that begins alike to its end.
        some = _whole_words(worded) if dialect == "sqlite" else None
        yield Condition(holding.of(worded), found_by, exact, some, in_order=True)
    for part in parts:
        if not indexed(part):
            found = _found_by(part, dialect)
            exact = found is not None and _is_exact(part)
            in_order = exact and _is_one_value(part)
            after, until = _created_between(part)
            yield Condition(
                holding.of(part), found, exact, in_order=in_order, after=after, until=until
            )


def between(column: ColumnElement[Any], span: Span) -> ColumnElement[bool]:
    """Whether the column lies in the span; what has no value never does."""
    if _is_one_value(span):
        return and_(column.is_not(None), column == span.low)
    parts: list[ColumnElement[bool]] = [column.is_not(None)]
    if span.low is not None:
        parts.append(column >= span.low if span.low_in else column > span.low)
    if span.high is not None:
        parts.append(column <= span.high if span.high_in else column < span.high)
    return and_(*parts)


def _created_between(term: Term) -> tuple[Number | None, Number | None]:
    """Which numbers the sounds have that were created in a span: numbers follow the clock.

    But for when it is set back, by less than two days: the rows decide, and what lies behind these
    bounds was created that long before or after. When it was set back further, whoever asks has to
    leave these out.
    """
    if not isinstance(term, Span) or term.field != "date":
        return None, None
    created, seq, after, until = sounds.c.created, sounds.c.seq, None, None
    if isinstance(term.low, str) and (low := _shifted(term.low, -2)):
        last = select(seq).where(created < low, _PRESENT)
        last = last.order_by(created.desc(), seq.desc()).limit(1)
        after = func.coalesce(last.scalar_subquery(), 0)
    if isinstance(term.high, str) and (high := _shifted(term.high, 3)):
        first = select(seq).where(created > high, _PRESENT).order_by(created, seq).limit(1)
        until = func.coalesce(first.scalar_subquery(), literal(_NO_END, BigInteger))
    return after, until


def _shifted(moment: str, days: int) -> str | None:
    """The day that many days later; None beyond the calendar."""
    try:
        return (date.fromisoformat(moment[:10]) + timedelta(days)).isoformat()
    except (ValueError, OverflowError):
        return None


def seqs_where(*clauses: ColumnElement[bool]) -> Seqs:
    """The numbers of the sounds that are not in the trash and of which the clauses are true."""
    return select(sounds.c.seq).where(*clauses, _PRESENT)


@dataclass(frozen=True, slots=True)
class _Holding:
    """Makes the expression that is true of the rows for which a term holds, and else false."""

    asker: Asker
    walked: Column[Any] | None

    def of(self, term: Term) -> ColumnElement[bool]:
        match term:
            case And(parts):
                return and_(true(), *map(self.of, parts))
            case Or(parts):
                return or_(*map(self.of, parts))
            case Not(part):
                return not_(self.of(part))
            case Words():
                return _has_words(term)
            case Span(field):
                column = SPANS[field]
                return between(column if column is self.walked else Unindexed(column), term)
            case Text():
                return _is_text(term)
            case State():
                return self._state(term.name)

    def _state(self, name: str) -> ColumnElement[bool]:
        match name:
            case "markers" | "findings" | "untagged":
                return _counted(name, Unindexed(_COUNTS[name]))
            case "new":
                return Unindexed(sounds.c.created) >= self.asker.new_since
            case "mine" if self.asker.name is None:
                return false()
            case "mine":
                uploader = Unindexed(sounds.c.uploaded_by)
                return and_(uploader.is_not(None), uploader == self.asker.name)
            case _:
                return _is_duplicate()


def _has_words(term: Words) -> ColumnElement[bool]:
    """Each word has a blank before and after it; a bar ends the name, and the description."""
    asked = " " + " ".join(term.words) + ("" if term.prefix else " ")
    text: ColumnElement[str] = sounds.c.words
    if term.field == "desc":
        text = func.substr(text, position(text, "|") + 1)
    place = position(text, asked)
    if term.field:
        return and_(place > 0, place < position(text, "|"))
    return place > 0


def _is_text(term: Text) -> ColumnElement[bool]:
    if term.field == "tag":
        return exists().where(sound_tags.c.sound == sounds.c.seq, _tagged(term))
    if term.field == "in":
        return exists().where(
            collection_sounds.c.sound == sounds.c.seq,
            collections.c.seq == collection_sounds.c.collection,
            _collected(term),
        )
    if term.field == "folder":
        return _in_folder(Unindexed(sounds.c.folder_key), term)
    if term.field == "repo":
        named = select(repositories.c.seq).where(_alike(repositories.c.name, term))
        return Unindexed(sounds.c.repository).in_(named)
    column = _TEXTS[term.field]
    return and_(column.is_not(None), _alike(column, term))


def _found_by(term: Term, dialect: str) -> Seqs | None:
    """The numbers of all sounds for which the term may hold, when an index knows them."""
    if indexed(term):
        return _without_trash(words.sounds_with(term, dialect))
    match term:
        case Or(parts):
            found = [_found_by(part, dialect) for part in parts]
            known = [seqs for seqs in found if seqs is not None]
            return together(known) if len(known) == len(found) else None
        case And(parts):
            found = [_found_by(part, dialect) for part in parts]
            return next((seqs for seqs in found if seqs is not None), None)
        case Span(field):
            return seqs_where(between(SPANS[field], term))
        case Text():
            return _text_found_by(term)
        case State(_, name) if name in _COUNTS:
            return seqs_where(_counted(name, _COUNTS[name]))
        case _:
            return None


def _without_trash(found: Seqs) -> Seqs:
    """These numbers but for the trash, which is small, without a look at their rows."""
    trash = select(sounds.c.seq).where(sounds.c.trashed.is_not(None))
    return found.where(found.selected_columns.seq.not_in(trash))


def _is_exact(term: Term) -> bool:
    """Whether the index names each sound that the term holds for once, and no other."""
    match term:
        case Text(field, _, prefix):
            # A sound may have two tags that begin alike, and be in two collections of one name.
            return field != "in" and not (field == "tag" and prefix)
        case Span() | State():
            return True
        case _:
            return False


def _is_one_value(term: Term) -> bool:
    """Whether all that the term holds for is equal in the column that it asks about."""
    match term:
        case Span(_, low, high, low_in, high_in):
            return low is not None and low == high and low_in and high_in
        case Text(field, _, prefix):
            return not prefix and field != "folder"
        case State(_, name):
            return name == "untagged"
        case _:
            return False


def _whole_words(worded: Term) -> Seqs:
    return _without_trash(words.sounds_with(whole(worded), "sqlite"))


def _is_one_word(term: Term) -> bool:
    """Whether the term asks for a word that either engine's full text has just as we do."""
    return (
        isinstance(term, Words)
        and not term.field
        and len(term.words) == 1
        and term.words[0].isascii()
    )


def together(found: list[Seqs]) -> Seqs:
    """The numbers that any of these find."""
    every = union_all(*found).subquery()
    return select(every.c.seq)


def _text_found_by(term: Text) -> Seqs | None:
    if term.field == "tag":
        return _without_trash(select(sound_tags.c.sound.label("seq")).where(_tagged(term)))
    if term.field == "in":
        here = collections.c.seq == collection_sounds.c.collection
        members = select(collection_sounds.c.sound.label("seq")).where(here, _collected(term))
        return _without_trash(members)
    if term.field == "folder":
        return seqs_where(_in_folder(sounds.c.folder_key, term))
    if term.field in _WRITTEN:
        text = _WRITTEN[term.field](term.text)
        return seqs_where(_begins(_TEXTS[term.field], text, prefix=term.prefix))
    return None


def _tagged(term: Text) -> ColumnElement[bool]:
    return _begins(sound_tags.c.tag_key, fold(term.text), prefix=term.prefix)


def _collected(term: Text) -> ColumnElement[bool]:
    return _begins(collections.c.name_key, sort_key(term.text), prefix=term.prefix)


def _in_folder(column: ColumnElement[str], term: Text) -> ColumnElement[bool]:
    key = sort_key(term.text.strip("/"))[:MAX_KEY]
    if term.prefix:
        return _begins(column, key, prefix=True)
    return or_(column == key, _begins(column, f"{key}/", prefix=True))


def _alike(column: ColumnElement[str], term: Text) -> ColumnElement[bool]:
    """Case aside; of ASCII alone, as both engines do it."""
    lowered = "".join(c.lower() if c.isascii() else c for c in term.text)
    return _begins(func.lower(column), lowered, prefix=term.prefix)


def _begins(column: ColumnElement[str], text: str, *, prefix: bool) -> ColumnElement[bool]:
    return and_(column >= text, column < text + _LAST) if prefix else column == text


def _counted(name: str, number: ColumnElement[int]) -> ColumnElement[bool]:
    return number == 0 if name == "untagged" else number > 0


def _is_duplicate() -> ColumnElement[bool]:
    other = sounds.alias()
    return exists().where(
        other.c.audio_sha256 == sounds.c.audio_sha256,
        other.c.seq != sounds.c.seq,
        other.c.trashed.is_(None),
    )
