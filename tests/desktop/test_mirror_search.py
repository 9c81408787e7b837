"""Searches of the mirror mean what they mean on the server and in plain Python, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sonoteca_desktop.sync.mirror import SORTS, Gathered, Here, Mirror, Scope
from sonoteca_shared.models import Change, ChangePage
from sonoteca_shared.query import parse
from tests.kit import oracle
from tests.kit.oracle import Record
from tests.kit.searches import catalogue, queries

NOW = datetime.now(UTC)
ASKER = oracle.Asker(None, (NOW - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _records() -> list[Record]:
    """The sounds of the server's own tests that are not in the trash, each with its own bytes."""
    kept = []
    for number, record in enumerate(one for one in catalogue() if not one.trashed):
        created = NOW if number % 9 == 0 else record.sound.created
        sound = msgspec.structs.replace(record.sound, sha256=f"{number:064x}", created=created)
        kept.append(Record(sound, record.collections, record.duplicate, pinned=number % 3 == 0))
    return kept


RECORDS = _records()
PINNED = frozenset(one.sound.sha256 for one in RECORDS if one.pinned)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path_factory.mktemp("mirror") / "mirror.sqlite")
    mirror.apply(_page([msgspec.structs.replace(one.sound, name="before") for one in RECORDS]))
    names = {name for one in RECORDS for name in one.collections}
    collections = [
        Gathered(name, name, tuple(one.sound.id for one in RECORDS if name in one.collections))
        for name in names
    ]
    mirror.apply(_page([one.sound for one in RECORDS]), collections)
    yield mirror
    mirror.close()


def _page(sounds: list[object]) -> ChangePage:
    changes = [
        Change(type="sound.changed", id=one.id, rev=1, at=NOW, sound=one)  # type: ignore[attr-defined,arg-type]
        for one in sounds
    ]
    return ChangePage(cursor="1", more=False, results=changes)


def found(
    mirror: Mirror, text: str, *, sort: str = "created", descending: bool = False
) -> list[str]:
    tree, here = parse(text, local=True).tree, Here(pinned=PINNED)
    keys = mirror.keys(tree, sort=sort, descending=descending, here=here)
    return [one.id for one in mirror.sounds(keys) if one is not None]


def meant(text: str) -> list[Record]:
    tree = parse(text, local=True).tree
    return [record for record in RECORDS if oracle.matches(tree, record, ASKER)]


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(queries, st.builds("is:pinned {}".format, queries)))
@example("")
@example("is:new")
@example("-is:pinned is:duplicate")
@example("in:film* -in:best")
@pytest.mark.timeout(120)
def test_every_search_finds_what_it_means(mirror: Mirror, text: str) -> None:
    assert sorted(found(mirror, text)) == sorted(record.sound.id for record in meant(text))


@settings(max_examples=60, deadline=None)
@given(text=queries, sort=st.sampled_from(SORTS), descending=st.booleans())
@pytest.mark.timeout(60)
def test_every_order_has_sounds_without_a_value_last(
    mirror: Mirror, text: str, sort: str, descending: bool
) -> None:
    sounds = {record.sound.id: record.sound for record in RECORDS}
    order = found(mirror, text, sort=sort, descending=descending)
    values = [oracle.sort_value(sounds[key], sort) for key in order]
    valued = [value for value in values if value is not None]
    assert values[: len(valued)] == sorted(valued, reverse=descending)


def test_a_folder_is_searched_with_all_below_it(mirror: Mirror) -> None:
    keys = mirror.keys(parse("rain").tree, scope=Scope("folder", "day 1"))
    inside = {one.folder for one in mirror.sounds(keys) if one is not None}
    assert inside == {"day 1", "day 1/b"}


def test_a_collection_that_is_gone_or_renamed_is_found_as_it_is_now(mirror: Mirror) -> None:
    one = RECORDS[0].sound.id
    mirror.apply(_page([]), [Gathered("x", "Dailies", (one, "a sound that is not there"))])
    assert found(mirror, "in:dailies") == [one]
    mirror.apply(_page([]), [Gathered("x", "Rushes", (one,))])
    assert (found(mirror, "in:dailies"), found(mirror, "in:rushes")) == ([], [one])
    mirror.apply(_page([]), [Gathered("x")])
    assert found(mirror, "in:rushes") == []
