"""What full text is asked for: no more than it knows, and never less than is searched."""

from __future__ import annotations

import pytest

from sonoteca_shared.fulltext import in_fts5, indexed, whole
from sonoteca_shared.query import parse
from sonoteca_shared.terms import State


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("rain", '"rain"*'),
        ('"tin roof"', '"tin roof"'),
        ("rain tin", '("rain"* AND "tin"*)'),
        ("(rain OR hail) tin", '(("rain"* OR "hail"*) AND "tin"*)'),
        ("rain -tin tag:x", '("rain"*)'),
        ("rain ٣", '("rain"*)'),
    ],
)
def test_what_the_index_knows_is_asked_of_it(query: str, asked: str) -> None:
    tree = parse(query).tree
    assert indexed(tree)
    assert in_fts5(tree) == asked


@pytest.mark.parametrize("query", ["-rain", "tag:x", "rain OR tag:x", "𞤀", "٣"])
def test_what_it_does_not_know_is_not(query: str) -> None:
    assert not indexed(parse(query).tree)


def test_nothing_else_can_be_asked_for() -> None:
    with pytest.raises(TypeError, match="markers"):
        in_fts5(State("has", "markers"))


def test_whole_words_are_among_those_that_begin_so() -> None:
    assert in_fts5(whole(parse("(rain OR hail) tin").tree)) == '(("rain" OR "hail") AND "tin")'
    assert whole(State("has", "markers")) == State("has", "markers")
