"""Facets: what the sounds that match have in common, against counting in plain Python."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Connection

from sonoteca_server.catalog import facets
from sonoteca_server.catalog.engines import home_of
from sonoteca_shared.models import Sound
from tests.kit import catalogue
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav

COUNT = 700
DATABASES = ("sqlite", "postgresql")


def made() -> list[Sound]:
    maker = catalogue.Maker(seed=3)
    return [maker.sound() for _ in range(COUNT)]


SOUNDS = made()


def fill(connection: Connection) -> None:
    catalogue.fill(connection, COUNT, seed=3)


@pytest.fixture(scope="module", params=DATABASES)
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A server with these sounds, on each engine."""
    database = "sqlite"
    if request.param == "postgresql":
        database = request.getfixturevalue("cluster").create()
    folder: Path = tmp_path_factory.mktemp("library")
    catalog = home_of(database, folder).open()
    try:
        asyncio.run(catalog.write(fill))
    finally:
        catalog.close()
    catalogue.stand_in(folder)
    with serve(folder, database=database) as address:
        yield address


def expected(sounds: list[Sound]) -> dict[str, Counter[Any]]:
    """The same by hand."""
    plain = ("repository", "format", "container", "samplerate", "bitdepth", "channels",
             "uploaded_by", "license")  # fmt: skip
    hand: dict[str, Counter[Any]] = {
        name: Counter(getattr(sound, name) for sound in sounds) for name in plain
    }
    hand["folder"] = Counter(sound.folder.partition("/")[0] for sound in sounds)
    hand["tag"] = Counter(tag for sound in sounds for tag in sound.tags)
    return hand


def counted(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        name: Counter({each["value"]: each["count"] for each in buckets})
        for name, buckets in answer["facets"].items()
    }


def ask(address: str, query: str = "") -> requests.Response:
    return requests.get(f"{address}/api/v1/facets?{query}", timeout=10)


QUESTIONS: dict[str, Callable[[Sound], bool]] = {
    "": lambda _: True,
    "samplerate=96000": lambda sound: sound.samplerate == 96_000,
    "q=rain": lambda sound: any(
        word.startswith("rain")
        for word in f"{sound.name} {sound.description} {' '.join(sound.tags)}"
        .lower().replace("_", " ").replace(".", " ").split()
    ),
    "tag=door&maxduration=5": lambda sound: "door" in sound.tags and sound.duration <= 5,
    "q=repo:film": lambda sound: sound.repository == "film",
    "uploaded_by=nobody": lambda _: False,
}  # fmt: skip


def check(answer: dict[str, Any], query: str) -> None:
    sounds = [sound for sound in SOUNDS if QUESTIONS[query](sound)]
    assert answer["total"] == len(sounds)
    hand = expected(sounds)
    got = counted(answer)
    tags, most = hand.pop("tag"), got.pop("tag")
    assert got == hand
    assert sorted(most.values()) == sorted(tags.values())[-100:]
    assert all(tags[tag] == number for tag, number in most.items())
    lengths = [sound.duration for sound in sounds]
    assert answer["duration"] == ({"min": min(lengths), "max": max(lengths)} if sounds else None)


@pytest.mark.parametrize("query", QUESTIONS)
def test_facets_count_the_sounds_that_match(library: str, query: str) -> None:
    answer = ask(library, query)
    assert (answer.status_code, answer.json()["exact"]) == (200, True)
    check(answer.json(), query)


@pytest.mark.parametrize("query", QUESTIONS)
def test_wide_facets_are_counted_in_the_background(
    library: str, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "AT_ONCE", -1)
    monkeypatch.setattr(facets, "_STRETCH", 90)
    first = ask(library, query)
    assert (first.status_code, first.json()["pending"]) == (202, True)
    assert first.headers["Retry-After"] == "1"
    until(lambda: ask(library, query).status_code == 200)
    answer = ask(library, query).json()
    assert (answer["exact"], answer["pending"]) == (True, False)
    check(answer, query)


def test_the_most_frequent_value_comes_first(library: str) -> None:
    for name, buckets in ask(library).json()["facets"].items():
        counts = [each["count"] for each in buckets]
        assert counts == sorted(counts, reverse=True), name


@pytest.mark.parametrize("argument", ["sort=name", "page_size=5", "colour=red"])
def test_an_argument_that_facets_do_not_have_is_named(library: str, argument: str) -> None:
    answer = ask(library, argument)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert argument.partition("=")[0] in answer.json()["detail"]


def test_after_a_change_the_old_numbers_are_told_until_the_new_ones_are_there(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "AT_ONCE", -1)
    monkeypatch.setattr(facets, "_REST", 0)

    def post(seed: int) -> None:
        data = build_wav(Plan(frames=10, seed=seed))
        requests.post(f"{server}/post?name={seed}.wav", data=data, timeout=10)

    post(1)
    until(lambda: ask(server).json()["exact"])
    post(2)
    old = ask(server)
    assert (old.status_code, old.json()["exact"], old.json()["pending"]) == (200, False, True)
    assert old.json()["total"] == 1
    until(lambda: ask(server).json()["exact"])
    assert ask(server).json()["total"] == 2
