"""The search language: what a text means, what of it is left out, and that any text is taken."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sonoteca_shared.query import MAX_DEPTH, MAX_TERMS, parse, searchable, words_of
from sonoteca_shared.terms import EVERYTHING, And, Not, Or, Span, State, Term, Text, Words, render


def word(text: str, *, prefix: bool = True, field: str = "") -> Words:
    return Words(tuple(text.split()), prefix=prefix, field=field)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", EVERYTHING),
        ("Rain", word("rain")),
        ("rain*", word("rain")),
        ("Café  tin", And((word("cafe"), word("tin")))),
        ("rain rain", word("rain")),
        ('"rain"', word("rain", prefix=False)),
        ('"tin roof', word("tin roof", prefix=False)),
        ("DOORWood_Metal", word("doorwood metal")),
        ("-rain", Not(word("rain"))),
        ("-(-(rain))", word("rain")),
        ('-"tin roof"', Not(word("tin roof", prefix=False))),
        ("rain OR hail snow", Or((word("rain"), And((word("hail"), word("snow")))))),
        ("rain or AND", And((word("rain"), word("or")))),
        ("(rain OR hail) snow", And((Or((word("rain"), word("hail"))), word("snow")))),
        ("((rain) (hail snow))", And((word("rain"), word("hail"), word("snow")))),
        ("-(rain hail)", Not(And((word("rain"), word("hail"))))),
        ("rain AND hail", And((word("rain"), word("hail")))),
        ("name:door", word("door", field="name")),
        ('DESC:"tin roof"', word("tin roof", prefix=False, field="desc")),
        ('name:"tin ro"*', word("tin ro", field="name")),
        ("tag:door", Text("tag", "door")),
        ('tag:"car door"', Text("tag", "car door")),
        ("tag:doo*", Text("tag", "doo", prefix=True)),
        ('in:"Film 1"', Text("in", "Film 1")),
        ("folder=day/1", Text("folder", "day/1")),
        ("license:CC-BY-4.0", Text("license", "CC-BY-4.0")),
        ("has:Markers", State("has", "markers")),
        ("-is:untagged", Not(State("is", "untagged"))),
        ("rate:96k", Span("rate", 96_000, 96_000)),
        ("rate>=44.1kHz", Span("rate", low=44_100)),
        ("rate:>=96k", Span("rate", low=96_000)),
        ("rate:99999999999", Span("rate", 2_147_483_647, 2_147_483_647)),
        ("rating<-99999999999", Span("rating", high=-2_147_483_647, high_in=False)),
        ("size>2TB", Span("size", low=2 * 10**12, low_in=False)),
        ("dur>5m", Span("dur", low=300.0, low_in=False)),
        ("ch>1.5", Span("ch", low=1.5, low_in=False)),
        ("size>2G", Span("size", low=2_000_000_000, low_in=False)),
        ("size:[1k TO 2M]", Span("size", 1_000, 2_000_000)),
        ("size:[1k to *]", Span("size", 1_000)),
        ("size:{* TO 5}", Span("size", high=5, high_in=False)),
        ("bits:{8 TO 24]", Span("bits", 8, 24, low_in=False)),
        ("dur<3", Span("dur", high=3.0, high_in=False)),
        ("len<=1:30", Span("dur", high=90.0)),
        ("dur>1:00:01.5", Span("dur", low=3601.5, low_in=False)),
        ("dur:10s", Span("dur", 9.5, 10.5, high_in=False)),
        ("dur:4.2", Span("dur", 4.15, 4.25, high_in=False)),
        ("dur:1:30", Span("dur", 89.5, 90.5, high_in=False)),
        ("dur>500ms", Span("dur", low=0.5, low_in=False)),
        ("loud<-30", Span("loud", high=-30.0, high_in=False)),
        ("peak>=-1dBTP", Span("peak", low=-1.0)),
        ("rating>3", Span("rating", low=3, low_in=False)),
        ("date:2026", Span("date", "2026-01-01", "2027-01-01", high_in=False)),
        ("date:2026-12", Span("date", "2026-12-01", "2027-01-01", high_in=False)),
        ("rec:2026-02-28", Span("rec", "2026-02-28", "2026-03-01", high_in=False)),
        ("date>2026-01", Span("date", low="2026-02-01")),
        ("date>=2026-01", Span("date", low="2026-01-01")),
        ("date<2026-01", Span("date", high="2026-01-01", high_in=False)),
        ("date<=2026-01", Span("date", high="2026-02-01", high_in=False)),
        ("date:[2026-01 TO 2026-03]", Span("date", "2026-01-01", "2026-04-01", high_in=False)),
        ("date:{2026-01 TO *]", Span("date", "2026-02-01")),
        ("date>=2026-01-05T07:56Z", Span("date", "2026-01-05T07:56:00")),
        ("date<=2026-01-05T07:56:18", Span("date", high="2026-01-05T07:56:19", high_in=False)),
        ("date:9999", Span("date", "9999-01-01")),
    ],
)
def test_a_text_means_its_tree(text: str, tree: Term) -> None:
    query = parse(text)
    assert (query.tree, query.ignored) == (tree, ())
    assert parse(query.understood) == query


@pytest.mark.parametrize(
    ("text", "understood", "ignored"),
    [
        ("rain OR", "rain", ("OR",)),
        ("OR rain OR OR hail", "rain OR hail", ("OR",)),
        ("AND rain", "rain", ("AND",)),
        ("rain ) hail", "rain hail", (")",)),
        ("(rain (hail", "rain hail", ()),
        ("rain () hail", "rain hail", ("()",)),
        ("rain -", "rain", ("-",)),
        ("rain -) hail", "rain hail", ("-", ")")),
        ("-OR rain", "rain", ("-", "OR")),
        ("rain --tin", "rain tin", ()),
        ('rain ""', "rain", ('""',)),
        ("rain & *", "rain", ("&", "*")),
        ("colour:red rain", "rain", ("colour:red",)),
        ("rain OR colour:red OR hail", "rain OR hail", ("OR", "colour:red")),
        ("-dur:long rain", "rain", ("-dur:long",)),
        ("dur: rain", "rain", ("dur:",)),
        ("dur:[1 2] rain", "rain", ("dur:[1 2]",)),
        ("dur:[* TO *] dur:[x TO 2] dur:[1 TO x]", "", ("dur:[* TO *]", "dur:[x TO 2]",
                                                       "dur:[1 TO x]")),
        ("dur>[1 TO 2]", "", ("dur>[1 TO 2]",)),
        ("rate:96x rate<x date:2026-13 date:soon date<x", "",
         ("rate:96x", "rate<x", "date:2026-13", "date:soon", "date<x")),
        ("date>9999 date:0000", "", ("date>9999", "date:0000")),
        ("has:wings is:pinned", "", ("has:wings", "is:pinned")),
        ("tag:[a] tag>b tag:* in:", "", ("tag:[a]", "tag>b", "tag:*", "in:")),
        ("name: name:[x]", "", ("name:", "name:[x]")),
        ("rain sort:-dur", "rain sort:-duration", ()),
        ("rain OR hail sort:date", "rain OR hail sort:created", ()),
        ("sort:colour sort:name sort:size -sort:peak", "sort:name",
         ("sort:colour", "sort:size", "-sort:peak")),
        ("sort>name", "", ("sort>name",)),
        ("dur>1e5", "", ("dur>1e5",)),
        ("dur>0.00001", "dur>0.00001", ()),
        ("size>99999999999999999999G", "size>9223372036854775807", ()),
        ("a\0b", "a b", ()),
        ("a\ud800b", "a-b", ()),
        ("x" * 300, "", ("x" * 59 + "…",)),
    ],
)  # fmt: skip
def test_a_slip_costs_no_more_than_itself(
    text: str, understood: str, ignored: tuple[str, ...]
) -> None:
    query = parse(text)
    assert (query.understood, sorted(query.ignored)) == (understood, sorted(ignored))


@pytest.mark.parametrize(
    "text",
    ["date:2026", "date:2026-02", "rec:2026-02-28", "rate:96000", "dur<3", "dur>=1.5",
     "loud:[-23.5 TO -22.5}", "date:[2026-01-02 TO 2026-01-05}", 'tag:"car door"*',
     "-(rain OR hail)", 'name:"tin roof"', "take-2"],
)  # fmt: skip
def test_what_was_understood_reads_as_people_write(text: str) -> None:
    assert parse(text).understood == text


def test_only_a_local_copy_knows_what_is_pinned() -> None:
    assert parse("is:pinned", local=True).tree == State("is", "pinned")


@pytest.mark.parametrize(
    "text",
    ["(" * 100_000, ")" * 100_000, "(a " * 30_000, "-(" * 50_000, '"' * 100_000, "dur:[" * 20_000,
     "a " * 50_000, "a1 OR " * 20_000, "x" * 100_000, "\ufdfa" * 100_000, "name:" * 20_000,
     "".join(f"w{n} " for n in range(20_000)), "-" * 100_000, "a-" * 50_000],
    ids=lambda text: text[:6],
)  # fmt: skip
def test_a_hostile_text_costs_little(text: str) -> None:
    began = time.perf_counter()
    query = parse(text)
    assert time.perf_counter() - began < 1
    assert sum(map(len, query.ignored)) < 2_000
    assert len(query.understood) < 20_000
    assert parse(query.understood).tree == query.tree


def test_too_much_is_left_out_and_told() -> None:
    words = [f"w{number}" for number in range(MAX_TERMS + 2)]
    query = parse(" ".join(words))
    assert query.understood.split() == words[:MAX_TERMS]
    assert query.ignored == (" ".join(words[MAX_TERMS:]),)
    nested = "(a OR b " * (MAX_DEPTH + 1) + ")" * (MAX_DEPTH + 1)
    assert parse(f"{nested} c").ignored == ("(",)
    assert parse(f"{nested} c").understood.endswith(" c")
    assert len(parse(" ".join(f"colour:{n}" for n in range(50))).ignored) == 20


# ---- any text, any tree

_word = st.text("abcäß\u0131Σ雨1\uff19", min_size=1, max_size=5)
_words = st.builds(
    lambda texts, prefix, field: Words(tuple(words_of(" ".join(texts))), prefix, field),
    st.lists(_word, min_size=1, max_size=3),
    st.booleans(),
    st.sampled_from(["", "name", "desc"]),
)
_value = st.text("ab *:-[]<>/Ü.", min_size=1, max_size=6).map(str.strip).filter(bool)
_texts = st.builds(Text, st.sampled_from(["tag", "repo", "folder", "in"]), _value, st.booleans())
_number = st.one_of(st.integers(-(10**20), 10**20), st.floats(-1e9, 1e9)).map(str)
_day = st.dates().map(lambda day: day.isoformat())


@given(st.text())
@example("\u0390")
def test_any_text_is_taken(text: str) -> None:
    query = parse(text)
    again = parse(query.understood)
    assert (again.tree, again.sort, again.ignored) == (query.tree, query.sort, ())


_pieces = st.one_of(
    st.sampled_from(["(", ")", "-", "-(", "OR", "AND", '"', "a", "b*", '"a b"', "a-b", "sort:name",
                     "has:markers", "is:duplicate", "x:y", "tag:q", 'tag:"q r"*', "name:a"]),
    st.builds("{}{}{}".format, st.sampled_from(["rate", "dur", "size", "loud", "rating"]),
              st.sampled_from([":", "<", "<=", ">", ">=", ":>"]), _number),
    st.builds("{}:{}{} TO {}{}".format, st.sampled_from(["ch", "peak", "dur"]),
              st.sampled_from("[{"), _number, _number, st.sampled_from("]}")),
    st.builds("{}{}{}".format, st.sampled_from(["date", "rec"]),
              st.sampled_from([":", "<", "<=", ">", ">="]), _day),
    st.builds("date:{}{} TO {}{}".format, st.sampled_from("[{"), _day, _day,
              st.sampled_from("]}")),
)  # fmt: skip


@given(st.lists(_pieces, max_size=30).map(" ".join))
def test_what_was_understood_means_the_same(text: str) -> None:
    query = parse(text)
    again = parse(query.understood)
    assert (again.tree, again.sort, again.ignored) == (query.tree, query.sort, ())


@given(st.one_of(_words, _texts))
def test_a_term_is_read_back_from_its_text(term: Term) -> None:
    assert parse(render(term)).tree == term


def test_words_of_a_column_know_their_place() -> None:
    assert searchable("Tin_roof.wav", "a Café", "big", "Rain-drop") == (
        " tin roof wav | a cafe | big , rain drop "
    )
    assert searchable("x") == " x | |"
