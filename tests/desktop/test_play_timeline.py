"""Which frame comes next, and which one is heard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sonoteca_desktop.playback.timeline import Timeline


def test_without_marks_what_is_heard_is_what_was_handed_out() -> None:
    timeline = Timeline(1000, 100)
    timeline.advance(50)
    assert timeline.position == 150
    assert [timeline.source_at(out) for out in (0, 20, 50)] == [100, 120, 150]


def test_before_a_seek_is_heard_the_old_place_is_where_we_are() -> None:
    timeline = Timeline(1000)
    timeline.advance(100)
    timeline.seek(700)
    timeline.advance(100)
    assert [timeline.source_at(out) for out in (99, 100, 150)] == [99, 700, 750]


def test_the_sound_stands_still_while_silence_waits_for_bytes() -> None:
    timeline = Timeline(1000)
    timeline.advance(10)
    timeline.stall(90)
    timeline.advance(10)
    assert [timeline.source_at(out) for out in (10, 50, 100, 105)] == [10, 10, 10, 15]


def test_never_says_more_than_was_handed_out() -> None:
    timeline = Timeline(1000)
    timeline.advance(10)
    assert timeline.source_at(5000) == 10
    assert timeline.source_at(-5) == 0


def test_ends_at_the_last_frame_wherever_it_is_sent() -> None:
    timeline = Timeline(100, 250)
    assert (timeline.position, timeline.ended) == (100, True)
    timeline.seek(-3)
    assert (timeline.position, timeline.ended) == (0, False)
    assert timeline.next_run(1000) == 100
    timeline.advance(100)
    assert timeline.ended


steps = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 50)),
    st.tuples(st.just("stall"), st.integers(1, 50)),
    st.tuples(st.just("seek"), st.integers(0, 300)),
)


@given(st.lists(steps, max_size=40), st.integers(0, 300))
def test_every_frame_is_where_it_was_handed_out(plan: list[tuple[str, int]], start: int) -> None:
    timeline = Timeline(300, start)
    heard: list[int] = []
    for step, amount in plan:
        if step == "advance":
            count = timeline.next_run(amount)
            heard += range(timeline.position, timeline.position + count)
            timeline.advance(count)
        elif step == "stall":
            heard += [timeline.position] * amount
            timeline.stall(amount)
        else:
            timeline.seek(amount)
    assert timeline.handed_out == len(heard)
    assert [timeline.source_at(out) for out in range(len(heard))] == heard
    assert timeline.source_at(len(heard)) == timeline.position
