"""The rules of a file in several segments: whatever happens, they are the whole file, once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_desktop.transfers.segments import AT_ONCE, BIG, LEAST, Segment, Segments
from sonoteca_shared.ranges import ByteRange

MIB = 1 << 20
SIZE = 200 * MIB


def taken(segments: Segments) -> tuple[Segments, Segment]:
    found = segments.take()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("size", "several", "count"),
    [(BIG, True, AT_ONCE), (BIG - 1, True, 1), (BIG, False, 1), (0, True, 1)],
)
def test_only_a_big_file_comes_in_several_segments_and_only_when_allowed(
    size: int, several: bool, count: int
) -> None:
    begun = Segments.begin(size, several=several)
    assert len(begun.table) == count
    assert (begun.size, begun.came, begun.safe) == (size, 0, 0)


def test_those_who_come_first_find_segments_that_wait() -> None:
    segments = Segments.begin(SIZE, several=True)
    starts = []
    for _ in range(AT_ONCE):
        segments, mine = taken(segments)
        starts.append(mine.start)
    assert starts == [0, 50 * MIB, 100 * MIB, 150 * MIB]
    assert len(segments.table) == AT_ONCE


def test_who_is_done_takes_half_of_the_longest_that_is_left() -> None:
    segments = Segments.begin(SIZE, several=True)
    for _ in range(AT_ONCE):
        segments, _mine = taken(segments)
    segments = segments.receive(0, 50 * MIB).leave(0)
    segments = segments.receive(50 * MIB, 30 * MIB).receive(100 * MIB, 10 * MIB)
    segments, mine = taken(segments.receive(150 * MIB, 20 * MIB))
    assert (mine.start, mine.end) == (130 * MIB, 150 * MIB)
    assert segments[100 * MIB].end == 130 * MIB


def test_what_is_left_of_a_segment_is_not_halved_without_end() -> None:
    segments, _ = taken(Segments.begin(BIG))
    segments = segments.receive(0, BIG - 2 * LEAST)
    segments, mine = taken(segments)
    assert mine.left == LEAST
    assert segments.take() is None


def test_a_small_file_is_never_shared() -> None:
    segments, _ = taken(Segments.begin(BIG - 1))
    assert segments.take() is None


def test_the_journal_keeps_what_is_safe() -> None:
    segments, mine = taken(Segments.begin(SIZE, several=True))
    segments = segments.receive(mine.start, 10 * MIB)
    segments = segments.saved(segments).receive(mine.start, 5 * MIB)
    again = Segments.read(segments.text, size=SIZE, safe=segments.safe)
    assert (again.came, again.safe, again.heads) == (10 * MIB, 10 * MIB, [])
    assert again.safe_ranges == [ByteRange(0, 10 * MIB)]
    assert [each.end for each in again] == [each.end for each in segments]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("", SIZE + 1),
        ("no", 0),
        ("[]", 0),
        ("[[0,1,0]]", 0),
        ("[[1,2],[0,1]]", 0),
        (f"[[0,{BIG},0],[{BIG + 1},{SIZE},{BIG + 1}]]", 0),
        (f"[[0,{BIG},-1],[{BIG},{SIZE},{BIG}]]", 0),
        (f"[[0,{BIG},{BIG + 1}],[{BIG},{SIZE},{BIG}]]", BIG + 1),
        (f"[[0,{BIG},7],[{BIG},{SIZE},{BIG}]]", 8),
    ],
)
def test_a_journal_that_contradicts_itself_means_from_the_beginning(text: str, safe: int) -> None:
    assert Segments.read(text, size=SIZE, safe=safe) == Segments.begin(SIZE)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "come", "come", "leave", "look", "save", "crash"]),
        st.integers(0, 9),
        st.integers(1, 20 * MIB),
    ),
    max_size=80,
)


@given(several=st.booleans(), size=st.integers(0, 3 * BIG), events=EVENTS)
def test_no_sequence_of_events_loses_a_byte_or_fetches_one_twice(
    several: bool, size: int, events: list[tuple[str, int, int]]
) -> None:
    segments = looked = Segments.begin(size, several=several)
    for event, which, count in events:
        mine = [each for each in segments if each.taken]
        chosen = mine[which % len(mine)] if mine else None
        before = segments
        if event == "take":
            found = segments.take()
            segments = segments if found is None else found[0]
        elif event == "look":
            looked = segments  # before the file is synced …
        elif event == "save":
            segments = segments.saved(looked)  # … and after that
        elif event == "crash":
            segments = looked = Segments.read(segments.text, size=size, safe=segments.safe)
        elif chosen is not None and event == "come":
            # Never more at once than what nobody can take from it meanwhile.
            segments = segments.receive(chosen.start, min(count, LEAST, chosen.left))
        elif chosen is not None:
            segments = segments.leave(chosen.start)
        check(before, segments, size, crashed=event == "crash")


def check(before: Segments, now: Segments, size: int, *, crashed: bool) -> None:
    ends = [each.end for each in now]
    assert [0, *ends[:-1]] == [each.start for each in now]
    assert ends[-1] == now.size == size
    assert all(each.start <= each.safe <= each.at <= each.end for each in now)
    assert now.safe <= now.came <= size
    assert now.safe >= before.safe  # what is safe stays so
    assert crashed or now.came >= before.came
    assert Segments.read(now.text, size=size, safe=now.safe).safe_ranges == now.safe_ranges
    assert now.complete == (now.came == size)
    assert now.complete or any(each.taken for each in now) or now.take() is not None
    small = [each for each in now if len(now.table) > AT_ONCE and each.left]
    assert all(each.end - each.start >= LEAST for each in small)


@given(size=st.integers(BIG, 4 * BIG), steps=st.lists(st.integers(1, LEAST), min_size=1))
def test_any_pace_of_four_ends_with_the_whole_file(size: int, steps: list[int]) -> None:
    segments = Segments.begin(size, several=True)
    rounds = 0
    while not segments.complete:
        while len(segments.heads) < AT_ONCE and (found := segments.take()) is not None:
            segments = found[0]
        for number, each in enumerate([one for one in segments if one.taken]):
            count = min(max(steps[(rounds + number) % len(steps)], 1 << 18), each.left)
            segments = segments.receive(each.start, count)
            if not segments[each.start].left:
                segments = segments.leave(each.start)
        rounds += 1
    assert segments.came == size
    assert segments.saved(segments).safe_ranges[0].start == 0
