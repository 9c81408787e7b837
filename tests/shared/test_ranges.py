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
    parse_ranges,
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
    assert parse_ranges(header, 10) == (expected,)


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
        "bytes=0-1,x",
        f"bytes={HUGE}-{'8' * 30}",
        f"bytes={'1' * 5000}-",
    ],
)
def test_ignores_what_is_no_range(header: str | None) -> None:
    assert parse_ranges(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-12", "bytes=-0", f"bytes={HUGE}-"])
def test_says_when_no_byte_is_in_the_range(header: str) -> None:
    assert parse_ranges(header, 10) is UNSATISFIABLE


def test_an_empty_file_has_no_first_byte_but_an_end() -> None:
    assert parse_ranges("bytes=0-", 0) is UNSATISFIABLE
    assert parse_ranges("bytes=-5", 0) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-1,3-4", [(0, 2), (3, 5)]),
        ("bytes=7-8,0-1", [(7, 9), (0, 2)]),
        ("bytes=0-1,2-3", [(0, 4)]),
        ("bytes=0-5,2-3", [(0, 6)]),
        ("bytes=5-6,0-0,4-4", [(4, 7), (0, 1)]),
        ("bytes=8-,-3", [(7, 10)]),
        ("bytes=0-0,50-60", [(0, 1)]),
        ("bytes=-0,0-0", [(0, 1)]),
    ],
)
def test_reads_several_ranges_and_merges_those_that_touch(
    header: str, expected: list[tuple[int, int]]
) -> None:
    assert parse_ranges(header, 10) == tuple(ByteRange(*each) for each in expected)


def test_several_ranges_of_which_none_has_a_byte_are_unsatisfiable() -> None:
    assert parse_ranges("bytes=10-,99-100,-0", 10) is UNSATISFIABLE


def test_more_parts_than_ten_are_the_whole() -> None:
    ten, eleven = (",".join(f"{2 * at}-{2 * at}" for at in range(count)) for count in (10, 11))
    assert len(parse_ranges(f"bytes={ten}", 100) or ()) == 10  # type: ignore[arg-type]
    assert parse_ranges(f"bytes={eleven}", 100) is None
    assert parse_ranges("bytes=" + ",".join(["0-0"] * 50), 100) == (ByteRange(0, 1),)
    assert parse_ranges("bytes=" + "0-0," * 8_000, 100) is None


specs = st.one_of(
    st.builds("{}-{}".format, st.integers(0, 40), st.integers(0, 40)),
    st.builds("{}-".format, st.integers(0, 40)),
    st.builds("-{}".format, st.integers(0, 40)),
)


@given(st.lists(specs, min_size=1, max_size=12), st.integers(0, 30))
def test_ranges_are_the_bytes_that_slicing_gives(asked: list[str], size: int) -> None:
    found = parse_ranges("bytes=" + ",".join(asked), size)
    if found is None:
        return
    model = set[int]()
    for spec in asked:
        first, _, last = spec.partition("-")
        end = int(last) + 1 if first and last else size
        model.update(range(size)[int(first) if first else max(0, size - int(last)) : end])
    parts = () if isinstance(found, Unsatisfiable) else found
    assert {at for part in parts for at in range(part.start, part.end)} == model
    assert sum(map(len, parts)) == len(model)


@given(st.from_regex(r"\A(bytes=)?[0-9,\- ]{0,12}\Z"), st.integers(0, 30))
def test_never_leaves_the_file(header: str, size: int) -> None:
    found = parse_ranges(header, size)
    if isinstance(found, tuple):
        assert all(0 <= part.start < part.end <= size for part in found)


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
