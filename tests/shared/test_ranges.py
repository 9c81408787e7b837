"""Range and Content-Range headers, and the set of bytes that are present."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared.ranges import (
    UNSATISFIABLE,
    ByteRange,
    ContentRange,
    RangeSet,
    Unsatisfiable,
    content_range,
    parse_content_range,
    parse_range,
)

HUGE = "9" * 30


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-3", ByteRange(0, 4)),
        ("bytes=9-9", ByteRange(9, 10)),
        ("bytes=3-", ByteRange(3, 10)),
        ("bytes=3-99", ByteRange(3, 10)),
        ("bytes=-3", ByteRange(7, 10)),
        ("bytes=-99", ByteRange(0, 10)),
        (f"bytes=-{HUGE}", ByteRange(0, 10)),
        (f"bytes=2-{HUGE}", ByteRange(2, 10)),
        ("Bytes=0-0", ByteRange(0, 1)),
        (" bytes= 1-2\t", ByteRange(1, 3)),
        ("bytes=, 1-2 ,,", ByteRange(1, 3)),
        ("bytes=007-008", ByteRange(7, 9)),
    ],
)
def test_reads_one_range(header: str, expected: ByteRange) -> None:
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=3-1",
        "bytes=a-b",
        "bytes=+1-5",
        "bytes=1_0-20",
        "bytes=--5",
        "bytes=1-2-3",
        "bytes=1 - 2",
        "bytes=٣-٤",
        "bytes=0x1-2",
        "lines=1-2",
        "bytes 1-2",
        "bytes=0-1,3-4",
        "bytes=0-1,x",
        f"bytes={HUGE}-{'8' * 30}",
        f"bytes={'1' * 5000}-",
    ],
)
def test_ignores_what_is_no_single_range(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", f"bytes={HUGE}-"])
def test_says_when_no_byte_is_in_the_range(header: str) -> None:
    assert parse_range(header, 10) is UNSATISFIABLE


def test_an_empty_file_has_no_first_byte_but_an_end() -> None:
    assert parse_range("bytes=0-", 0) is UNSATISFIABLE
    assert parse_range("bytes=-5", 0) is None


@given(st.from_regex(r"\A(bytes=)?[0-9,\- ]{0,12}\Z"), st.integers(0, 30))
def test_never_leaves_the_file(header: str, size: int) -> None:
    found = parse_range(header, size)
    if isinstance(found, Unsatisfiable) or found is None:
        return
    assert 0 <= found.start < found.end <= size
    assert len(found) == found.end - found.start


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes 0-3/10", ContentRange(ByteRange(0, 4), 10)),
        ("bytes 9-9/10", ContentRange(ByteRange(9, 10), 10)),
        ("bytes 0-3/*", ContentRange(ByteRange(0, 4), None)),
        ("bytes */10", ContentRange(None, 10)),
        ("Bytes 0-3/10 ", ContentRange(ByteRange(0, 4), 10)),
        ("bytes */*", None),
        ("bytes 4-3/10", None),
        ("bytes 0-10/10", None),
        ("bytes 0-/10", None),
        ("bytes=0-3/10", None),
        ("lines 0-3/10", None),
        ("bytes 0-3", None),
        ("", None),
        (None, None),
    ],
)
def test_reads_content_range(header: str | None, expected: ContentRange | None) -> None:
    assert parse_content_range(header) == expected


def test_writes_content_range_as_it_is_read() -> None:
    assert content_range(ByteRange(2, 5), 10) == "bytes 2-4/10"
    assert content_range(None, 10) == "bytes */10"


def test_a_range_is_never_empty_or_turned_round() -> None:
    with pytest.raises(AssertionError):
        ByteRange(4, 4)


def test_ranges_that_touch_become_one() -> None:
    present = RangeSet([ByteRange(0, 4), ByteRange(8, 12)])
    present.add(4, 8)
    assert list(present) == [ByteRange(0, 12)]
    assert present == RangeSet([ByteRange(0, 12)])
    assert present != {0, 12}
    assert repr(present) == "RangeSet([ByteRange(start=0, end=12)])"


spans = st.tuples(st.integers(0, 60), st.integers(0, 60))


@given(st.lists(spans, max_size=12), spans)
def test_range_set_is_a_set_of_numbers(
    added: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    present, model = RangeSet(), set[int]()
    for start, end in added:
        present.add(start, end)
        model.update(range(start, end))
    ranges = list(present)
    start, end = asked

    assert {at for each in ranges for at in range(each.start, each.end)} == model
    assert all(one.end < after.start for one, after in pairwise(ranges))
    assert present.total == len(model)
    following = next(at for at in range(start, 100) if at not in model)
    assert present.available(start) == following - start
    assert present.covers(start, end) == (set(range(start, end)) <= model)
    gaps = present.missing(start, end)
    assert {at for gap in gaps for at in range(gap.start, gap.end)} == set(
        range(start, end)
    ) - model
    assert all(one.end < after.start for one, after in pairwise(gaps))
