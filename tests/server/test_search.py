"""Searches mean the same on both engines and in plain Python, whichever way they are planned."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from sonoteca_server.catalog import planning, search
from sonoteca_server.catalog.conditions import Asker
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.catalog.orders import SORTS, Cursor, Order, parse_cursor
from sonoteca_server.catalog.search import count, find_page
from sonoteca_shared.query import parse
from tests.kit import oracle, sounds
from tests.kit.searches import catalogue, queries

ASKER = Asker("jh", "2026-01-20T00:00:00Z")
RECORDS = catalogue()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """A look into a catalogue of these sounds, on each engine."""
    database = "sqlite"
    if request.param == "postgresql":
        database = request.getfixturevalue("cluster").create()
    home = home_of(database, tmp_path_factory.mktemp("search"))
    catalog = home.open()
    try:
        asyncio.run(catalog.write(sounds.keep, RECORDS))
    finally:
        catalog.close()
    with home.look() as looking:
        yield looking


def walk(connection: Connection, wanted: SoundFilter, order: Order, size: int) -> list[str]:
    """The ids of all that is found, page after page and back again."""
    pages: list[list[str]] = []
    cursor: Cursor | None = None
    found = search.Found([])
    while not pages or cursor is not None:
        found = find_page(connection, wanted, order, size=size, cursor=cursor)
        pages.append(_ids(found))
        cursor = parse_cursor(found.next.text()) if found.next else None
    for page in reversed(pages[:-1]):
        assert found.previous is not None
        back = parse_cursor(found.previous.text())
        found = find_page(connection, wanted, order, size=size, cursor=back)
        assert _ids(found) == page
    assert found.previous is None
    return list(itertools.chain(*pages))


def _ids(found: search.Found) -> list[str]:
    return [doc.partition('"id":"')[2][:36] for doc in found.docs]


def expected(text: str, order: Order) -> list[str]:
    """What plain Python finds: sounds without a value last, equal ones in the order they came."""
    asker = oracle.Asker(ASKER.name, ASKER.new_since)
    tree = parse(text).tree
    hits = [record for record in RECORDS if not record.trashed]
    hits = [record for record in hits if oracle.matches(tree, record, asker)]
    if order.descending:
        hits.reverse()
    values = {record.sound.id: oracle.sort_value(record.sound, order.sort) for record in hits}
    valued = [record.sound.id for record in hits if values[record.sound.id] is not None]
    empty = [record.sound.id for record in hits if values[record.sound.id] is None]
    valued.sort(key=lambda key: values[key], reverse=order.descending)
    return valued + empty


_order = st.builds(Order, st.sampled_from(sorted(SORTS)), st.booleans())


@settings(
    max_examples=70,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=queries, order=_order, size=st.sampled_from([1, 7, 500]), few=st.sampled_from([0, 9, 99])
)
@example("", Order(), 50, 0)
@example('tag:"car"*', Order("bitdepth"), 500, 0)
@example("", Order("rating", descending=True), 50, 0)
@pytest.mark.timeout(300)
def test_every_search_finds_what_it_means(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    order: Order,
    size: int,
    few: int,
) -> None:
    # Whether few or many may match decides how a page is made, and must not change it.
    monkeypatch.setattr(planning, "_FEW", few)
    monkeypatch.setattr(planning, "_FEW_POSTGRESQL", few)
    monkeypatch.setattr(planning, "_SOME", 2 * few)
    wanted = SoundFilter(query=parse(text).tree, asker=ASKER)
    hits = expected(text, order)
    assert walk(connection, wanted, order, size) == hits
    assert count(connection, wanted) == (len(hits), False)


@settings(max_examples=50, deadline=None)
@given(text=queries)
@pytest.mark.timeout(300)
def test_a_count_that_was_cut_short_says_so(connection: Connection, text: str) -> None:
    wanted = SoundFilter(query=parse(text).tree, asker=ASKER)
    hits = len(expected(text, Order()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "COUNT_LIMIT", 5)
        patch.setattr(planning, "_FEW", 8)
        patch.setattr(search, "_EXAMINED", 20)
        number, more = count(connection, wanted)
    assert number <= min(hits, 5)
    assert more or number == hits


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"minduration": 1.0, "maxduration": 90.0}, "dur:[1 TO 90]"),
        ({"minsize": 1_000, "samplerate": 96_000}, "size>=1000 rate:96000"),
        ({"channels": 2, "bitdepth": 24, "format": "pcm"}, "ch:2 bits:24 format:pcm"),
        ({"tags": ("CAR DOOR", "wood")}, 'tag:"car door" tag:wood'),
        ({"created_after": "2026-01-20T07:56:18Z"}, "date>=2026-01-20T07:56:18"),
        ({"repository": "Film"}, "repo:film"),
        ({"name": "rain*"}, "name:rain"),
    ],
)
def test_arguments_and_query_agree(
    connection: Connection, arguments: dict[str, Any], query: str
) -> None:
    found = walk(connection, SoundFilter(**arguments), Order(), 500)
    assert set(found) <= set(expected(query, Order()))
    assert found


def test_an_argument_tells_letters_apart_where_a_query_does_not(connection: Connection) -> None:
    mine = walk(connection, SoundFilter(uploaded_by="jh"), Order(), 500)
    below = walk(connection, SoundFilter(folder="day 1"), Order(), 500)
    assert set(mine) < set(expected("by:jh", Order()))
    assert set(below) < set(expected('folder:"day 1"', Order()))
    both = SoundFilter(uploaded_by="jh", folder="day 1")
    assert walk(connection, both, Order(), 9) == [key for key in mine if key in below]
