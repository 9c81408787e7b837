"""Collections: put together, ordered, told to everyone, and gone without their sounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.api import Api
from tests.kit.http import serve
from tests.server.conftest import BOTH

DATABASES = BOTH
NOBODY = "01a1fdcc-6794-78b8-bf63-09238c7cbb13"


@pytest.fixture
def api(server: str) -> Api:
    return Api(server)


def make(api: Api, name: str = "Doors") -> str:
    answer = api.post("/collections", name=name)
    assert answer.status_code == 201
    made: str = answer.json()["id"]
    return made


def members(api: Api, collection: str, query: str = "") -> list[str]:
    page = api.get(f"/collections/{collection}/sounds{query}")
    return [sound["name"].removesuffix(".wav") for sound in page["results"]]


def add(api: Api, collection: str, *sounds: dict[str, Any], **where: Any) -> requests.Response:
    ids = [sound["id"] for sound in sounds]
    return api.post(f"/collections/{collection}/sounds", ids=ids, **where)


def take(api: Api, collection: str, *ids: str) -> requests.Response:
    return api.ask("DELETE", f"/collections/{collection}/sounds", json={"ids": ids})


def test_a_collection_is_made_renamed_and_removed_and_everyone_hears_of_it(api: Api) -> None:
    since = api.cursor()
    made = api.post("/collections", name=" Doors\u202e\n ")
    collection = made.json()
    assert (made.status_code, made.headers["ETag"]) == (201, '"1"')
    assert made.headers["Location"] == f"/api/v1/collections/{collection['id']}"
    assert {key: collection[key] for key in ("rev", "name", "sounds")} == {
        "rev": 1, "name": "Doors", "sounds": 0,
    }  # fmt: skip
    path = f"/collections/{collection['id']}"
    assert api.get(path) == collection
    renamed = api.patch(path, rev=1, name="Gates")
    assert (renamed.status_code, renamed.headers["ETag"]) == (200, '"2"')
    assert api.get(path)["name"] == "Gates"
    assert api.delete(path).status_code == 204
    assert api.ask("GET", path).status_code == 404
    news = [(each["type"], each["rev"], each["sound"]) for each in api.news(since, "collection")]
    assert news == [
        ("collection.created", 1, None),
        ("collection.changed", 2, None),
        ("collection.removed", 3, None),
    ]


def test_an_edit_names_the_revision_it_is_of(api: Api) -> None:
    path = f"/collections/{make(api)}"
    assert api.patch(path, name="x").status_code == 428
    api.patch(path, rev=1, name="first")
    late = api.patch(path, rev=1, name="second")
    assert (late.status_code, late.headers["ETag"], late.json()["name"]) == (412, '"2"', "first")
    assert api.patch(path, rev=2, name="first").json()["rev"] == 2
    stale = api.ask("DELETE", path, headers={"If-Match": '"1"'})
    assert (stale.status_code, api.get(path)["name"]) == (412, "first")


@pytest.mark.parametrize("patch", [{"name": None}, {"name": " / "}, {"name": 5}, {"colour": "red"}])
def test_a_patch_that_makes_no_sense_is_named(api: Api, patch: dict[str, Any]) -> None:
    answer = api.patch(f"/collections/{make(api)}", rev=1, **patch)
    assert answer.status_code == 400
    assert min(patch) in answer.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x", "colour": "red"}])
def test_a_collection_has_a_name_and_nothing_else(api: Api, body: dict[str, Any]) -> None:
    assert api.post("/collections", **body).status_code == 400


def test_collections_come_by_name_page_after_page(api: Api) -> None:
    for name in ("take 10", "Take 2", "apples", "Zebras", "take 1"):
        make(api, name)
    pages = [api.get("/collections?page_size=2")]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"].removeprefix("/api/v1")))
    seen = [[each["name"] for each in page["results"]] for page in pages]
    assert seen == [["apples", "take 1"], ["Take 2", "take 10"], ["Zebras"]]
    assert {page["count"] for page in pages} == {5}
    back = api.get(pages[-1]["previous"].removeprefix("/api/v1"))
    assert [each["name"] for each in back["results"]] == seen[1]


@pytest.mark.parametrize("query", ["page_size=0", "cursor=x", "cursor=WzEsMSxmYWxzZV0", "q=a"])
def test_a_page_that_nobody_can_give_is_refused(api: Api, query: str) -> None:
    assert api.ask("GET", f"/collections?{query}").status_code == 400


def test_sounds_are_added_in_order_once_and_all_that_can_be(api: Api) -> None:
    sounds = [api.upload(number) for number in range(4)]
    collection = make(api)
    since = api.cursor()
    answer = add(api, collection, sounds[2], sounds[0], {"id": NOBODY}, {"id": "x\0"}, sounds[2])
    results = answer.json()["results"]
    assert [one["status"] for one in results] == [200, 200, 404, 404, 200]
    assert results[2]["code"] == "not-found"
    assert answer.json()["collection"]["sounds"] == 2
    again = add(api, collection, sounds[0], sounds[1])
    assert again.headers["ETag"] == '"3"'
    assert members(api, collection) == ["2", "0", "1"]
    assert add(api, collection, sounds[0]).headers["ETag"] == '"3"'  # there already: no change
    assert [each["rev"] for each in api.news(since, "collection")] == [2, 3]


def test_sounds_are_moved_before_another_and_to_the_end(api: Api) -> None:
    sounds = [api.upload(number) for number in range(5)]
    collection = make(api)
    add(api, collection, *sounds)
    add(api, collection, sounds[4], sounds[2], before=sounds[0]["id"])
    assert members(api, collection) == ["4", "2", "0", "1", "3"]
    add(api, collection, sounds[2], before=None)
    assert members(api, collection) == ["4", "0", "1", "3", "2"]
    for before in (NOBODY, sounds[1]["id"]):
        refused = add(api, collection, sounds[1], before=before)
        assert (refused.status_code, "before" in refused.json()["detail"]) == (400, True)


def test_there_is_always_room_between_two(api: Api) -> None:
    first, second, last = (api.upload(number) for number in range(3))
    collection = make(api)
    add(api, collection, first, second, last)
    for number in range(70):  # halving the room each time would end at 32
        moved, stays = (first, second) if number % 2 == 0 else (second, first)
        add(api, collection, moved, before=last["id"])
        assert members(api, collection) == [stays["name"][0], moved["name"][0], "2"]


def test_members_are_paged_in_their_order_though_others_join(api: Api) -> None:
    sounds = [api.upload(number) for number in range(5)]
    collection = make(api)
    add(api, collection, *sounds[:4])
    page = api.get(f"/collections/{collection}/sounds?page_size=2")
    assert (page["count"], [one["name"] for one in page["results"]]) == (4, ["0.wav", "1.wav"])
    add(api, collection, sounds[4], before=sounds[1]["id"])
    rest = api.get(page["next"].removeprefix("/api/v1"))
    assert ([one["name"] for one in rest["results"]], rest["next"]) == (["2.wav", "3.wav"], None)
    assert rest["results"][0] == api.get(f"/sounds/{sounds[2]['id']}")


def test_sounds_leave_and_stay_in_the_library(api: Api) -> None:
    sounds = [api.upload(number) for number in range(3)]
    collection = make(api)
    add(api, collection, *sounds)
    answer = take(api, collection, sounds[0]["id"], NOBODY, sounds[2]["id"])
    assert [one["status"] for one in answer.json()["results"]] == [200, 404, 200]
    assert members(api, collection) == ["1"]
    assert take(api, collection, sounds[0]["id"]).headers["ETag"] == '"3"'
    assert len(api.names()) == 3
    assert api.delete(f"/collections/{collection}").status_code == 204
    assert len(api.names()) == 3


def test_what_is_in_the_trash_is_out_of_sight_and_comes_back_to_its_place(api: Api) -> None:
    sounds = [api.upload(number) for number in range(3)]
    collection = make(api)
    add(api, collection, *sounds)
    path = f"/sounds/{sounds[1]['id']}"
    trashed = api.delete(path)
    assert members(api, collection) == ["0", "2"]
    assert api.get(f"/collections/{collection}")["sounds"] == 2
    assert add(api, collection, sounds[1]).json()["results"][0]["status"] == 404
    api.post("/undo", change=trashed.headers["Sonoteca-Change"])
    assert members(api, collection) == ["0", "1", "2"]


@pytest.mark.parametrize("ids", [[], ["x"] * 1_001, "x", [1]])
def test_how_many_sounds_at_once_is_bounded(api: Api, ids: Any) -> None:
    path = f"/collections/{make(api)}/sounds"
    assert api.post(path, ids=ids).status_code == 400
    assert api.ask("DELETE", path, json={"ids": ids}).status_code == 400


def test_a_collection_that_is_not_there_is_not_found(api: Api) -> None:
    for name in (NOBODY, "x"):
        for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/sounds")):
            answer = api.ask(method, f"/collections/{name}{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert api.patch(f"/collections/{name}", rev=1, name="a").status_code == 404
        assert api.post(f"/collections/{name}/sounds", ids=[NOBODY]).status_code == 404


def test_collections_are_there_after_a_restart(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        api = Api(server)
        collection = make(api)
        add(api, collection, api.upload(1), api.upload(0))
    with serve(tmp_path) as server:
        assert members(Api(server), collection) == ["1", "0"]
