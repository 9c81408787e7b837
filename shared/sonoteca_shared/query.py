"""The search language: text → a tree of terms. What cannot be understood is left out and told.

`rain tin` both words, by their beginnings · `"tin roof"` whole words in this order · `-rain` not ·
`rain OR hail` · `( )` · `rate>=96k dur<1:30 size:[1M TO 2G] date:2026-01` · `name:roof tag:door
repo:main in:"Film 1" has:markers is:untagged sort:-name`. AND binds tighter than OR.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass, field

from sonoteca_shared import terms, values
from sonoteca_shared.terms import Span, State, Term, Text, Words

# Nobody types that much; what is beyond is left out, so that any text costs little.
MAX_TEXT = 10_000
MAX_TERMS = 64
MAX_DEPTH = 8
MAX_WORD = 255
_MAX_TOLD = 20
_MAX_TOLD_TEXT = 60

_WORD = re.compile(r"\w+")

_FIELDS = {
    name: name
    for name in ("name", "desc", "tag", "repo", "folder", "by", "format", "container", "rate", "ch",
                 "bits", "dur", "size", "loud", "peak", "date", "rec", "license", "rating", "in",
                 "has", "is", "sort")
} | {"len": "dur"}  # fmt: skip
_STATES = {
    "has": frozenset({"markers", "findings"}),
    "is": frozenset({"new", "mine", "pinned", "untagged", "duplicate"}),
}
# What only a computer with local copies can tell.
LOCAL = frozenset({State("is", "pinned")})
# What a sort is called in a query → what it is called in the API.
_SORTS = {
    "created": "created", "date": "created", "name": "name", "folder": "folder",
    "duration": "duration", "dur": "duration", "len": "duration", "size": "size",
    "samplerate": "samplerate", "rate": "samplerate", "bitdepth": "bitdepth", "bits": "bitdepth",
    "channels": "channels", "ch": "channels", "format": "format", "container": "container",
    "loudness": "loudness", "loud": "loudness", "peak": "peak", "rating": "rating",
    "recorded": "recorded", "rec": "recorded",
}  # fmt: skip

_TOKEN = re.compile(
    r"""(?P<blank>\s+)
    |(?P<paren>[()])
    |(?P<minus>-(?=[^\s-]))
    |(?P<field>[A-Za-z]{1,20})(?P<op>:?(?:<=|>=|<|>)|[:=])
        (?:"(?P<quoted>[^"]*)"?(?P<star>\*?)
          |(?P<range>[\[{][^\[\]{}]{0,200}[\]}])
          |(?P<value>[^\s()"]*))
    |"(?P<phrase>[^"]*)"?
    |(?P<bare>[^\s()"]+)""",
    re.VERBOSE,
)
_RANGE = re.compile(r"(.*?)\s+TO\s+(.*)", re.IGNORECASE | re.DOTALL)


def fold(text: str) -> str:
    """Text as it is searched: accents and case aside, so that `cafe` finds `Café`."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold()


def words_of(text: str) -> list[str]:
    """The words of a text or query, folded; `_` parts words, as it stands for a blank in names."""
    return _WORD.findall(fold(text).replace("_", " "))


def searchable(name: str, description: str = "", *tags: str) -> str:
    """The column in which words are looked for: each has a blank before and after it.

    A bar ends the name and the description, a comma parts the tags: no word has either.
    """
    return "|".join((_spaced(name), _spaced(description), ",".join(map(_spaced, tags))))


def _spaced(text: str) -> str:
    return " ".join(("", *words_of(text), ""))


@dataclass(frozen=True, slots=True)
class Query:
    """A query as far as it was understood, and what of it was not."""

    tree: Term = terms.EVERYTHING
    sort: str = ""
    """As the API takes it: `name`, or `-name` for the other direction; empty when not asked."""
    ignored: tuple[str, ...] = ()

    @property
    def understood(self) -> str:
        """The part that was understood, in the one form that stands for it."""
        sort = f" sort:{self.sort}" if self.sort else ""
        return (terms.render(self.tree) + sort).strip()


@functools.lru_cache(maxsize=100)
def parse(text: str, *, local: bool = False) -> Query:
    """What the text asks for; never an error. `local` understands what a local copy can tell."""
    # Neither NUL nor half a character gets into a database.
    clean = text[:MAX_TEXT].encode("utf-8", "replace").decode().replace("\0", " ")
    parser = _Parser(local=local)
    for token in _TOKEN.finditer(clean):
        if not parser.take(token):
            parser.ignore(clean[token.start() :])
            break
    if len(text) > MAX_TEXT:
        parser.ignore(text[MAX_TEXT:].encode("utf-8", "replace").decode())
    return parser.finish()


@dataclass(slots=True)
class _Group:
    """What stands between two parentheses, so far: alternatives, each of parts."""

    negated: bool = False
    alternatives: list[list[Term]] = field(default_factory=lambda: [[]])


@dataclass(slots=True)
class _Parser:
    """Takes token after token; groups lie on a stack, so that no depth is too much."""

    local: bool
    groups: list[_Group] = field(default_factory=lambda: [_Group()])
    negated: bool = False
    too_deep: int = 0
    count: int = 0
    sort: str = ""
    ignored: dict[str, None] = field(default_factory=dict)

    def take(self, token: re.Match[str]) -> bool:
        """Go on by one token; False when no more can be taken."""
        kind = token.lastgroup
        if kind == "blank" or self._skips(token["paren"]):
            return True
        if self.count == MAX_TERMS:
            return False
        if token["minus"]:
            self.negated = True
        elif token["paren"] == "(":
            self._open()
        elif token["paren"] == ")":
            self._close()
        elif token["bare"] in ("OR", "AND"):
            self._join(token["bare"])
        else:
            self._add(token)
        return True

    def finish(self) -> Query:
        """The tree of all that was taken; what is open is closed."""
        while len(self.groups) > 1:
            self._close()
        self._drop_minus()
        tree = self._built(self.groups[0])
        told = tuple(self.ignored)[:_MAX_TOLD]
        return Query(tree or terms.EVERYTHING, self.sort, told)

    def ignore(self, text: str) -> None:
        """Note what was not understood."""
        if len(self.ignored) < _MAX_TOLD:
            text = text.strip()
            short = text if len(text) <= _MAX_TOLD_TEXT else text[: _MAX_TOLD_TEXT - 1] + "…"
            self.ignored[short] = None

    def _skips(self, paren: str | None) -> bool:
        """Whether we are in a group that is too deep, which is left out as a whole."""
        if self.too_deep:
            self.too_deep += (paren == "(") - (paren == ")")
            return True
        return False

    def _open(self) -> None:
        if len(self.groups) > MAX_DEPTH:
            self.ignore("(")
            self.too_deep, self.negated = 1, False
        else:
            self.groups.append(_Group(self._take_minus()))

    def _close(self) -> None:
        self._drop_minus()
        if len(self.groups) == 1:
            self.ignore(")")
            return
        group = self.groups.pop()
        built = self._built(group)
        if built is None:
            self.ignore("()")
        else:
            self._append(terms.negation(built) if group.negated else built)

    def _join(self, word: str) -> None:
        self._drop_minus()
        alternatives = self.groups[-1].alternatives
        if not alternatives[-1]:
            self.ignore(word)
        elif word == "OR":
            alternatives.append([])

    def _built(self, group: _Group) -> Term | None:
        alternatives = [terms.all_of(parts) for parts in group.alternatives if parts]
        if alternatives and not group.alternatives[-1]:
            self.ignore("OR")
        return terms.any_of(alternatives) if alternatives else None

    def _add(self, token: re.Match[str]) -> None:
        negated = self._take_minus()
        name = _FIELDS.get((token["field"] or "").lower())
        if name == "sort":
            understood = not negated and self._sort(token)
        else:
            term = _words(token) if token["field"] is None else _field(name, token)
            understood = term is not None and (self.local or term not in LOCAL)
            if term is not None and understood:
                self.count += 1
                self._append(terms.negation(term) if negated else term)
        if not understood:
            self.ignore(f"-{token[0]}" if negated else token[0])

    def _append(self, term: Term) -> None:
        self.groups[-1].alternatives[-1].append(term)

    def _sort(self, token: re.Match[str]) -> bool:
        text = _given(token).lower()
        name = _SORTS.get(text.removeprefix("-"))
        if name is None or self.sort or token["op"] not in (":", "="):
            return False
        self.sort = f"-{name}" if text.startswith("-") else name
        return True

    def _take_minus(self) -> bool:
        negated, self.negated = self.negated, False
        return negated

    def _drop_minus(self) -> None:
        if self._take_minus():
            self.ignore("-")


def _given(token: re.Match[str]) -> str:
    """The value of a field, without its quotes."""
    return next(token[kind] for kind in ("quoted", "range", "value") if token[kind] is not None)


def _words(token: re.Match[str], place: str = "") -> Words | None:
    """Words anywhere, or of a field: whole ones when they are quoted."""
    quoted = token["quoted"] if place else token["phrase"]
    text = quoted if quoted is not None else token["value" if place else "bare"] or ""
    words = tuple(words_of(text))
    if not words or len(words) > MAX_TERMS or max(map(len, words)) > MAX_WORD:
        return None
    return Words(words, prefix=quoted is None or bool(place and token["star"]), field=place)


def _field(name: str | None, token: re.Match[str]) -> Term | None:
    if name in values.NUMBERS or name in values.DATES:
        return _span(name, token)
    if name is None or token["op"] not in (":", "=") or token["range"]:
        return None
    if name in ("name", "desc"):
        return _words(token, name)
    text = _given(token).strip()
    if name in _STATES:
        return State(name, text.lower()) if text.lower() in _STATES[name] else None
    prefix = bool(token["star"]) or (token["value"] is not None and text.endswith("*"))
    text = text if token["star"] or not prefix else text.rstrip("*")
    return Text(name, text, prefix) if 0 < len(text) <= MAX_WORD else None


def _span(name: str, token: re.Match[str]) -> Span | None:
    text, op = _given(token), token["op"].removeprefix(":")
    if token["range"]:
        return _range(name, text) if op in ("", "=") else None
    if op in ("", "="):
        return _about(name, text)
    low = op[0] == ">"
    bound = _bound(name, text, low=low, inclusive=len(op) == 2)
    if bound is None:
        return None
    value, inclusive = bound
    if low:
        return Span(name, low=value, low_in=inclusive)
    return Span(name, high=value, high_in=inclusive)


def _about(name: str, text: str) -> Span | None:
    """What one value means: a month is all its days, four seconds all that rounds to four."""
    span = values.date_span(text) if name in values.DATES else values.number_span(name, text)
    if span is None:
        return None
    low, high = span
    if high is None:
        return Span(name, low)
    return Span(name, low, high, high_in=name in values.WHOLE)


def _range(name: str, text: str) -> Span | None:
    ends = _RANGE.fullmatch(text[1:-1].strip())
    if ends is None or ends[1] == ends[2] == "*":
        return None
    low: tuple[values.Value | None, bool] | None = (None, True)
    high = low
    if ends[1] != "*":
        low = _bound(name, ends[1], low=True, inclusive=text[0] == "[")
    if ends[2] != "*":
        high = _bound(name, ends[2], low=False, inclusive=text[-1] == "]")
    return Span(name, low[0], high[0], low[1], high[1]) if low and high else None


def _bound(name: str, text: str, *, low: bool, inclusive: bool) -> tuple[values.Value, bool] | None:
    """One end of a span and whether it counts; of dates the low end always does, the high never."""
    if name not in values.DATES:
        value = values.number(name, text)
        return None if value is None else (value, inclusive)
    span = values.date_span(text)
    if span is None:
        return None
    moment = span[0] if low == inclusive else span[1]
    return None if moment is None else (moment, low)
