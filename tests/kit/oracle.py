"""What a query means, said once more in plain Python: what all engines have to agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sonoteca_shared.models import Sound
from sonoteca_shared.names import sort_key
from sonoteca_shared.query import fold, words_of
from sonoteca_shared.terms import And, Not, Or, Span, State, Term, Text, Words

_NUMBERS = {
    "rate": "samplerate",
    "ch": "channels",
    "bits": "bitdepth",
    "dur": "duration",
    "size": "size",
    "rating": "rating",
    "rec": "recorded",
}


@dataclass(frozen=True)
class Record:
    """A sound and what is known of it elsewhere."""

    sound: Sound
    collections: tuple[str, ...] = ()
    duplicate: bool = False
    trashed: bool = False
    pinned: bool = False


@dataclass(frozen=True)
class Asker:
    """Who asks, and from when on a sound is new."""

    name: str | None = None
    new_since: str = ""


def matches(term: Term, record: Record, asker: Asker) -> bool:
    """Whether the term holds for the record."""
    match term:
        case And(parts):
            return all(matches(part, record, asker) for part in parts)
        case Or(parts):
            return any(matches(part, record, asker) for part in parts)
        case Not(part):
            return not matches(part, record, asker)
        case Words():
            return any(_follows(term, words_of(text)) for text in _places(record.sound, term.field))
        case Text():
            return _is_text(term, record)
        case Span():
            return _within(term, _value(record.sound, term.field))
        case State():
            return _states(record, asker)[term.name]


def _places(sound: Sound, field: str) -> tuple[str, ...]:
    places = {"name": (sound.name,), "desc": (sound.description,)}
    return places.get(field, (sound.name, sound.description, *sound.tags))


def _follows(term: Words, words: Sequence[str]) -> bool:
    size = len(term.words)
    for start in range(len(words) - size + 1):
        part = tuple(words[start : start + size])
        last = part[-1].startswith(term.words[-1]) if term.prefix else part[-1] == term.words[-1]
        if last and part[:-1] == term.words[:-1]:
            return True
    return False


def _is_text(term: Text, record: Record) -> bool:
    sound, text = record.sound, term.text
    if term.field == "tag":
        return any(_begins(fold(tag), fold(text), term.prefix) for tag in sound.tags)
    if term.field == "in":
        return any(_begins(sort_key(n), sort_key(text), term.prefix) for n in record.collections)
    if term.field == "folder":
        key, asked = sort_key(sound.folder), sort_key(text.strip("/"))
        return _begins(key, asked, term.prefix) or key.startswith(f"{asked}/")
    values = {
        "repo": sound.repository,
        "by": sound.uploaded_by,
        "format": sound.format,
        "container": sound.container,
        "license": sound.license,
    }
    value = values[term.field]
    if value is None:
        return False
    return _begins(_lower(value), _lower(text), term.prefix)


def _begins(text: str, start: str, prefix: bool) -> bool:
    return text.startswith(start) if prefix else text == start


def _lower(text: str) -> str:
    """Case aside as databases do it: of ASCII alone."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def _value(sound: Sound, field: str) -> Any:
    if field in ("loud", "peak"):
        if sound.loudness is None:
            return None
        return sound.loudness.integrated if field == "loud" else sound.loudness.true_peak
    if field == "date":
        return sound.created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return getattr(sound, _NUMBERS[field])


def _within(span: Span, value: Any) -> bool:
    if value is None:
        return False
    low, high = span.low, span.high
    above = low is None or value > low or (span.low_in and value == low)
    below = high is None or value < high or (span.high_in and value == high)
    return above and below


def _states(record: Record, asker: Asker) -> dict[str, bool]:
    sound = record.sound
    return {
        "markers": bool(sound.markers),
        "findings": bool(sound.findings),
        "untagged": not sound.tags,
        "duplicate": record.duplicate,
        "pinned": record.pinned,
        "new": _value(sound, "date") >= asker.new_since,
        "mine": asker.name is not None and sound.uploaded_by == asker.name,
    }


def sort_value(sound: Sound, sort: str) -> Any:
    """What a sound is sorted by, None when it has no such value."""
    if sort == "name":
        return sort_key(sound.name)
    if sort == "folder":
        return sort_key(sound.folder)
    if sort in ("loudness", "peak", "created"):
        return _value(sound, {"loudness": "loud", "created": "date"}.get(sort, sort))
    return getattr(sound, sort)
