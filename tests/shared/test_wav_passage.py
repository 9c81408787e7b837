"""Where frames of a sound are in another file: to the nearest frame, and nowhere outside of it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared.wav.passage import Passage

RATES = (8_000, 11_025, 44_100, 48_000, 96_000, 192_000)


def passage(start: int, stop: int, rate: int = 48_000, target: int = 44_100) -> Passage:
    return Passage(frames=range(start, stop), samplerate=rate, target_rate=target)


@pytest.mark.parametrize(
    ("at", "place"),
    [(99, None), (100, 0), (101, 1), (260, 147), (100 + 47_999, 44_099), (48_100, None)],
)
def test_a_place_is_counted_from_the_beginning_in_the_new_rate(at: int, place: int | None) -> None:
    assert passage(100, 48_100).place(at) == place


@given(st.sampled_from(RATES), st.sampled_from(RATES), st.integers(1, 10**7), st.data())
def test_every_place_is_the_nearest_there_is(
    rate: int, target: int, length: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, length - 1))
    moved = passage(0, length, rate, target)
    place = moved.place(at)
    assert place is not None
    exact = Fraction(at * target, rate)
    assert abs(place - exact) <= Fraction(1, 2) or place == max(0, moved.length - 1)
    assert 0 <= place < max(1, moved.length)


@given(st.sampled_from(RATES), st.sampled_from(RATES), st.integers(1, 10**6), st.data())
def test_stretches_that_touched_still_touch(
    rate: int, target: int, length: int, data: st.DataObject
) -> None:
    moved = passage(0, length, rate, target)
    first = data.draw(st.integers(0, length - 1))
    second = data.draw(st.integers(first, length - 1))
    place, behind = moved.place(first), moved.place(second)
    assert place is not None
    assert behind is not None
    # The last frame alone may have moved on to one that is there.
    assert place + moved.stretch(first, second - first) - behind in (0, 1)
    assert place + moved.stretch(first, 10**9) <= max(1, moved.length)


def test_no_marker_counts_further_than_32_bits() -> None:
    long = passage(0, 1 << 32, 48_000, 96_000)
    assert long.place((1 << 31) - 1) == (1 << 32) - 2
    assert long.place(1 << 31) is None
    assert long.stretch(0, 1 << 32) == (1 << 32) - 1


def test_the_time_of_day_is_that_of_its_first_frame() -> None:
    assert passage(24_000, 48_000).since_midnight(48_000) == 66_150
