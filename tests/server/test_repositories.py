"""Repositories: what they hold, and that nothing is lost when one is renamed or removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.kit.api import Api
from tests.server.conftest import BOTH

DATABASES = BOTH


@pytest.fixture
def api(server: str) -> Api:
    return Api(server)


def put(api: Api, repository: str, data: bytes) -> str:
    oid: str = requests.put(f"{api.server}/data/{repository}", data=data, timeout=10).json()["oid"]
    return oid


def test_repositories_tell_what_they_hold(api: Api) -> None:
    sizes = [api.upload(number)["size"] for number in range(3)]
    api.delete(f"/sounds/{api.get('/sounds')['results'][0]['id']}")
    put(api, "bytes", b"abc")
    page = api.get("/repositories")
    assert page["count"] == 2
    bytes_, main = page["results"]
    assert {key: bytes_[key] for key in bytes_ if key != "created"} == {
        "name": "bytes", "visibility": "members", "sounds": 0, "objects": 1, "bytes": 3,
    }  # fmt: skip
    assert (main["sounds"], main["objects"], main["bytes"]) == (2, 3, sum(sizes))
    assert api.get("/repositories/main") == main


def test_one_is_made_before_anything_is_in_it(api: Api) -> None:
    since = api.cursor()
    made = api.post("/repositories", name="film", visibility="own")
    assert (made.status_code, made.headers["Location"]) == (201, "/api/v1/repositories/film")
    assert made.json()["visibility"] == "own"
    again = api.post("/repositories", name="film")
    assert (again.status_code, again.json()["code"]) == (409, "name-taken")
    for body in ({"name": "a/b"}, {"name": "a", "visibility": "all"}, {}, {"name": "a", "x": 1}):
        assert api.post("/repositories", **body).status_code == 400
    news = [(each["type"], each["id"], each["sound"]) for each in api.news(since, "repository")]
    assert news == [("repository.created", "film", None)]


def test_the_first_upload_that_names_one_makes_it_and_that_is_told(api: Api) -> None:
    since = api.cursor()
    api.upload(1, repository="film")
    api.upload(2, repository="film")
    news = [(each["type"], each["id"]) for each in api.news(since, "repository")]
    assert news == [("repository.created", "film")]


def test_who_sees_what_can_be_changed(api: Api) -> None:
    api.upload(1)
    since = api.cursor()
    assert api.patch("/repositories/main", visibility="own").json()["visibility"] == "own"
    assert api.get("/repositories/main")["visibility"] == "own"
    assert api.patch("/repositories/main", visibility="own").status_code == 200
    news = [(each["type"], each["id"], each["rev"]) for each in api.news(since, "repository")]
    assert news == [("repository.changed", "main", 2)]


@pytest.mark.parametrize(
    "patch", [{"name": "a/b"}, {"name": None}, {"visibility": "all"}, {"bytes": 0}]
)
def test_a_patch_that_makes_no_sense_is_named(api: Api, patch: dict[str, Any]) -> None:
    api.upload(1)
    answer = api.patch("/repositories/main", **patch)
    assert answer.status_code == 400
    named = "repository" if patch.get("name") else min(patch)
    assert named in answer.json()["detail"]


def test_a_renamed_one_keeps_all_and_every_document_stays_true(api: Api) -> None:
    sounds = api.uploads(0, 1, 2, repository="old")
    api.patch(f"/sounds/{sounds[0]['id']}", rev=1, description="said")
    trashed = api.delete(f"/sounds/{sounds[2]['id']}")
    since = api.cursor()
    answer = api.patch("/repositories/old", name="new")
    assert (answer.status_code, answer.json()["name"]) == (200, "new")
    assert answer.headers["Location"] == "/api/v1/repositories/new"
    found = api.get("/sounds?repository=new")["results"]
    assert [sound["repository"] for sound in found] == ["new", "new"]
    for sound in found:
        file = requests.get(api.server + sound["links"]["file"], timeout=10)
        assert (file.status_code, len(file.content)) == (200, sound["size"])
    assert api.names(repository="old") == []
    assert api.ask("GET", "/repositories/old").status_code == 404
    news = api.news(since, "repository", "sound")
    assert [(each["type"], each["id"]) for each in news] == [
        ("repository.created", "new"),
        ("sound.changed", sounds[0]["id"]),
        ("sound.changed", sounds[1]["id"]),
        ("repository.removed", "old"),
    ]
    assert news[1]["sound"] == found[0]
    assert found[0]["rev"] == 2  # nobody edited it
    # A client that starts now reads each sound's latest state once, as ever.
    snapshot = api.get("/changes?limit=5000")["results"]
    assert [each["sound"]["repository"] for each in snapshot] == ["new", "new"]
    undone = api.post("/undo", change=trashed.headers["Sonoteca-Change"])
    assert undone.json()["results"][0]["status"] == 200
    restored = api.get(f"/sounds/{sounds[2]['id']}")
    assert (restored["repository"], "/data/new/" in restored["links"]["file"]) == ("new", True)
    back = api.post(f"/sounds/{sounds[0]['id']}/revert", rev=1).json()
    assert (back["repository"], back["description"]) == ("new", "")
    assert "/data/new/" in back["links"]["file"]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_who_uploads_while_it_is_renamed_ends_up_in_one_that_is_true(api: Api) -> None:
    def upload(start: int) -> None:
        for number in range(start, start + 10):
            api.upload(number, repository="old")

    api.upload(0, repository="old")
    with ThreadPoolExecutor(4) as pool:
        uploads = [pool.submit(upload, start) for start in (100, 200, 300, 400)]
        renamed = 0
        while not all(one.done() for one in uploads):
            answer = api.patch("/repositories/old", name=f"new{renamed}")
            assert answer.status_code in (200, 404)  # nobody has named it again by now
            renamed += answer.status_code == 200
        for one in uploads:
            one.result()
    held = {one["name"]: one["sounds"] for one in api.get("/repositories")["results"]}
    assert renamed
    assert sum(held.values()) == 41
    for name, count in held.items():
        found = api.get(f"/sounds?repository={name}")["results"]
        assert [sound["repository"] for sound in found] == [name] * count


def test_a_name_that_is_taken_is_refused(api: Api) -> None:
    api.upload(1)
    api.upload(2, repository="film")
    answer = api.patch("/repositories/film", name="main")
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")
    assert api.patch("/repositories/film", name="film").status_code == 200


def test_only_an_empty_one_can_be_removed(api: Api) -> None:
    sounds = [api.upload(number, repository="film") for number in range(2)]
    oid = put(api, "film", b"abc")

    def refusal() -> str:
        answer = api.delete("/repositories/film")
        assert (answer.status_code, answer.json()["code"]) == (409, "not-empty")
        detail: str = answer.json()["detail"]
        return detail

    assert "2 sounds, 3 objects" in refusal()
    for sound in sounds:
        api.delete(f"/sounds/{sound['id']}")
    assert "2 sounds in the trash" in refusal()
    for sound in sounds:
        api.delete(f"/trash/{sound['id']}")
    assert "holds 1 object;" in refusal()
    requests.delete(f"{api.server}/data/film/{oid}", timeout=10)
    since = api.cursor()
    assert api.delete("/repositories/film").status_code == 204
    assert api.delete("/repositories/film").status_code == 404
    news = [(each["type"], each["id"]) for each in api.news(since, "repository")]
    assert news == [("repository.removed", "film")]
    api.upload(1, repository="film")  # and it is made again by who names it
    assert api.get("/repositories/film")["sounds"] == 1


def test_two_do_not_share_what_they_hold(api: Api) -> None:
    for repository in ("a", "b"):
        api.upload(1, repository=repository)
    assert [one["objects"] for one in api.get("/repositories")["results"]] == [1, 1]
    sound = api.get("/sounds?repository=a")["results"][0]
    api.delete(f"/sounds/{sound['id']}")
    api.delete(f"/trash/{sound['id']}")
    assert api.delete("/repositories/a").status_code == 204
    kept = api.get("/sounds?repository=b")["results"][0]
    assert requests.get(api.server + kept["links"]["file"], timeout=10).status_code == 200


def test_what_cannot_name_a_repository_is_not_there(api: Api) -> None:
    for name in ("a%00b", "..%2F", "%20"):
        for method in ("GET", "DELETE"):
            assert api.ask(method, f"/repositories/{name}").status_code == 404
