"""Lists, filters, orders and pages; one sound; its waveform."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.kit.http import serve
from tests.kit.wavs import Plan, build_wav

SOUNDS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Take 10.wav", "day 1", {"frames": 48_000, "samplerate": 48_000, "channels": 1}),
    ("take 2.wav", "day 1/b", {"frames": 96_000, "samplerate": 96_000, "channels": 2, "bits": 24}),
    ("Café walla.wav", "", {"frames": 4_410, "samplerate": 44_100, "channels": 2}),
    ("door[1]*.wav", "day 10", {"frames": 80, "samplerate": 8_000, "channels": 1, "bits": 8}),
    ("float.wav", "day 2", {"frames": 48, "samplerate": 48_000, "bits": 32, "floats": True}),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """One library for all questions, on each engine."""
    database = "sqlite"
    if request.param == "postgresql":
        database = request.getfixturevalue("cluster").create()
    with serve(tmp_path_factory.mktemp("library"), database=database) as address:
        for seed, (name, folder, plan) in enumerate(SOUNDS):
            arguments = {"name": name, "folder": folder}
            data = build_wav(Plan(**plan, seed=seed))
            requests.post(f"{address}/post", params=arguments, data=data, timeout=10)
        yield address


def cursor(*parts: Any) -> str:
    """A cursor as somebody would forge it."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def listed(server: str, query: str = "") -> list[str]:
    answer = requests.get(f"{server}/list?{query}", timeout=10)
    assert answer.status_code == 200, answer.text
    names: list[str] = answer.json()
    return names


ALL = [name for name, _, _ in SOUNDS]
TAKE10, TAKE2, CAFE, DOOR, FLOAT = ALL


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("name=take 2.wav", [TAKE2]),
        ("name=TAKE 2.wav", []),
        ("name=*ake*", [TAKE10, TAKE2]),
        ("name=door[1]*", [DOOR]),
        ("minduration=1", [TAKE10, TAKE2]),
        ("maxduration=0.1", [CAFE, DOOR, FLOAT]),
        ("minduration=0.1&maxduration=0.1", [CAFE]),
        ("samplerate=96000", [TAKE2]),
        ("channels=2&bitdepth=16", [CAFE]),
        ("format=float", [FLOAT]),
        ("maxsize=200", [DOOR]),
        ("folder=day 1", [TAKE10, TAKE2]),
        ("folder=day 1/b/", [TAKE2]),
        ("folder=DAY 1", []),
        ("name=**ake****2*", [TAKE2]),
        ("created_after=0001-01-01", ALL),
        ("repository=main", ALL),
        ("repository=other", []),
        ("created_after=2020-01-01", ALL),
        ("created_before=2020-01-01T00:00:00Z", []),
        ("q=cafe", [CAFE]),
        ("q=WAL CAF", [CAFE]),
        ("q=alla", []),
        ("q=take -24 rate>=48k", [TAKE10, TAKE2]),
        ("q=take OR walla", [TAKE10, TAKE2, CAFE]),
        ("q=rate:48k sort:-dur", [TAKE10, FLOAT]),
        ("q=rate:48k sort:-dur&sort=name", [FLOAT, TAKE10]),
        ("q=colour:red take", [TAKE10, TAKE2]),
        ("q=" + "%EF%B7%BA" * 3_500, ALL),  # one word too long for any name: it is left out
        ("tag=door", []),
        ("tag=door&tag=wood", []),
        ("uploaded_by=me", []),
        ("sort=name", [CAFE, DOOR, FLOAT, TAKE2, TAKE10]),
        ("sort=-name", [TAKE10, TAKE2, FLOAT, DOOR, CAFE]),
        ("sort=folder", [CAFE, TAKE10, TAKE2, FLOAT, DOOR]),
        ("sort=duration", [FLOAT, DOOR, CAFE, TAKE10, TAKE2]),
    ],
)
def test_filters_and_orders(server: str, query: str, expected: list[str]) -> None:
    assert listed(server, query) == expected


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("maxdur=3", "maxduration"),
        ("maxduration=long", "maxduration"),
        ("maxduration=nan", "seconds"),
        ("samplerate=-1", "samplerate"),
        ("samplerate=48000&samplerate=96000", "2 times"),
        ("tags=door", "“tag”"),
        ("sort=colour", "colour"),
        ("created_after=soon", "soon"),
        ("page_size=0", "page_size"),
        ("page_size=1001", "1000"),
        ("cursor=nonsense", "cursor"),
        (f"cursor={cursor('size', False, 2**70, 1, False)}", "cursor"),
        (f"cursor={cursor('size', False, -(2**70), 1, False)}", "cursor"),
        (f"cursor={cursor('size', False, 1, 'x', False)}", "cursor"),
        (f"cursor={cursor('size', False, 'x', 1, False)}", "cursor"),
        (f"cursor={cursor('size', False, None, 1, False)}", "cursor"),
        (f"cursor={cursor('created', False, 'x', 1, False)}", "cursor"),
        (f"cursor={cursor('colour', False, 1, 1, False)}", "cursor"),
        ("created_after=0001-01-01T00:00:00%2B01:00", "created_after"),
        ("created_before=9999-12-31T23:59:59-01:00", "created_before"),
        ("name=%ff", "UTF-8"),
    ],
)
@pytest.mark.parametrize("path", ["/list", "/info", "/api/v1/sounds"])
def test_an_argument_that_is_wrong_is_named(server: str, path: str, query: str, word: str) -> None:
    answer = requests.get(f"{server}{path}?{query}", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert word in answer.json()["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "a+" * 9_000,
        "name=*" + "%3F" * 9_000,
        "name=" + "a*" * 9_000,
        "folder=" + ("_" * 250 + "/") * 100,
    ],
    ids=lambda query: query[:12],
)
def test_a_question_too_long_for_the_catalogue_finds_nothing(server: str, query: str) -> None:
    assert listed(server, query) == []


def test_what_of_a_query_was_not_understood_is_told(server: str) -> None:
    query = {"q": 'take colour:rød sort:dur "'}
    page = requests.get(f"{server}/api/v1/sounds", params=query, timeout=10).json()
    told = {"understood": "take sort:duration", "ignored": ["colour:rød", '"']}
    assert page["query"] == told
    for path in ("/list", "/info"):
        answer = requests.get(server + path, params=query, timeout=10)
        assert json.loads(answer.headers["Sonoteca-Query-Ignored"]) == told["ignored"]
    assert "Sonoteca-Query-Ignored" not in requests.get(f"{server}/list?q=take", timeout=10).headers


def test_the_page_says_what_it_did_not_understand(server: str) -> None:
    page = requests.get(f"{server}/?q=take+colour:red", timeout=10).text
    assert "colour:red" in page.partition("not understood:")[2]
    assert "not understood" not in requests.get(f"{server}/?q=take", timeout=10).text


def test_info_has_the_same_sounds_as_objects(server: str) -> None:
    infos = requests.get(f"{server}/info?sort=name", timeout=10).json()
    assert [info["name"] for info in infos] == listed(server, "sort=name")
    one = requests.get(f"{server}/api/v1/sounds/{infos[0]['id']}", timeout=10).json()
    assert {**infos[0], "links": None} == {**one, "links": None}


@pytest.mark.parametrize("sort", ["created", "-created", "name", "-duration", "samplerate"])
def test_pages_go_through_all_and_back(server: str, sort: str) -> None:
    page = requests.get(f"{server}/api/v1/sounds?sort={sort}&page_size=2", timeout=10).json()
    pages = [page]
    while page["next"]:
        page = requests.get(server + page["next"], timeout=10).json()
        pages.append(page)
    names = [[sound["name"] for sound in page["results"]] for page in pages]
    assert list(itertools.chain(*names)) == listed(server, f"sort={sort}")
    assert [page["count"] for page in pages] == [5, 5, 5]
    back = requests.get(server + pages[2]["previous"], timeout=10).json()
    first = requests.get(server + back["previous"], timeout=10).json()
    assert [sound["name"] for sound in back["results"]] == names[1]
    assert [sound["name"] for sound in first["results"]] == names[0]
    assert first["previous"] is None


def test_pages_of_the_list_are_told_by_the_link_header(server: str) -> None:
    first = requests.get(f"{server}/list?page_size=3", timeout=10)
    second = requests.get(server + first.links["next"]["url"], timeout=10)
    assert first.json() + second.json() == ALL
    assert "next" not in second.links


def test_fields_choose_what_is_sent(server: str) -> None:
    answer = requests.get(f"{server}/api/v1/sounds?fields=id,name", timeout=10).json()
    assert {tuple(sorted(sound)) for sound in answer["results"]} == {("id", "name")}
    assert requests.get(f"{server}/api/v1/sounds?fields=x", timeout=10).status_code == 400


def test_a_sound_that_is_not_there_is_404(server: str) -> None:
    for sound_id in ("nonsense", "01a1fdcc-6794-78b8-bf63-09238c7cbb13"):
        answer = requests.get(f"{server}/api/v1/sounds/{sound_id}", timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
