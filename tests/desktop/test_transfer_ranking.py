"""Moving transfers in their list: cases, and what no move may break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_desktop.transfers.ranking import Move, moved, moved_before

ORDERS = st.lists(st.integers(0, 30), unique=True)


@pytest.mark.parametrize(
    ("chosen", "move", "expected"),
    [
        ({3}, Move.TOP, [3, 1, 2, 4, 5]),
        ({4, 2}, Move.TOP, [2, 4, 1, 3, 5]),
        ({3}, Move.UP, [1, 3, 2, 4, 5]),
        ({1}, Move.UP, [1, 2, 3, 4, 5]),
        ({1, 3}, Move.UP, [1, 3, 2, 4, 5]),
        ({3, 4}, Move.UP, [1, 3, 4, 2, 5]),
        ({3}, Move.DOWN, [1, 2, 4, 3, 5]),
        ({3, 4}, Move.DOWN, [1, 2, 5, 3, 4]),
        ({5}, Move.DOWN, [1, 2, 3, 4, 5]),
        ({1, 4}, Move.BOTTOM, [2, 3, 5, 1, 4]),
        ({9}, Move.TOP, [1, 2, 3, 4, 5]),
        (set(), Move.UP, [1, 2, 3, 4, 5]),
    ],
)
def test_moves(chosen: set[int], move: Move, expected: list[int]) -> None:
    assert moved([1, 2, 3, 4, 5], chosen, move) == expected


@pytest.mark.parametrize(
    ("chosen", "other", "expected"),
    [
        ({4, 5}, 2, [1, 4, 5, 2, 3]),
        ({1, 5}, 3, [2, 1, 5, 3, 4]),
        ({1, 2}, None, [3, 4, 5, 1, 2]),
        ({2, 4}, 4, [1, 3, 2, 4, 5]),
        ({2}, 3, [1, 2, 3, 4, 5]),
    ],
)
def test_drops_before_another(chosen: set[int], other: int | None, expected: list[int]) -> None:
    assert moved_before([1, 2, 3, 4, 5], chosen, other) == expected


def test_before_a_stranger_is_nowhere() -> None:
    with pytest.raises(ValueError, match="9 is not in the order"):
        moved_before([1, 2], {1}, 9)


@given(ORDERS, st.sets(st.integers(0, 30)), st.sampled_from(Move))
def test_nobody_is_lost_and_each_kind_keeps_its_order(
    order: list[int], chosen: set[int], move: Move
) -> None:
    after = moved(order, chosen, move)
    assert sorted(after) == sorted(order)
    for picked in (True, False):
        kind = [key for key in order if (key in chosen) is picked]
        assert [key for key in after if (key in chosen) is picked] == kind


@given(ORDERS, st.sets(st.integers(0, 30)))
def test_up_often_enough_is_the_top(order: list[int], chosen: set[int]) -> None:
    climbed = order
    for _ in order:
        climbed = moved(climbed, chosen, Move.UP)
    assert climbed == moved(order, chosen, Move.TOP)
