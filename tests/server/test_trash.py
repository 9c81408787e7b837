"""The trash: seen, emptied one by one or by time, and left again until then."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import sounds
from tests.kit.api import Api
from tests.kit.http import serve
from tests.kit.wait import until
from tests.server.conftest import BOTH

DATABASES = BOTH


@pytest.fixture
def api(server: str) -> Api:
    return Api(server)


def trash(api: Api, sound: dict[str, Any]) -> requests.Response:
    answer = api.delete(f"/sounds/{sound['id']}")
    assert answer.status_code == 204
    return answer


def test_what_was_trashed_last_comes_first_page_after_page(api: Api) -> None:
    uploaded = [api.upload(number) for number in range(5)]
    api.upload(9)
    for sound in uploaded:
        trash(api, sound)
    page = api.get("/trash?page_size=3")
    assert (page["count"], page["count_is_estimate"], page["previous"]) == (5, False, None)
    rest = api.get(page["next"].removeprefix("/api/v1"))
    seen = [sound["name"] for sound in page["results"] + rest["results"]]
    assert (seen, rest["next"]) == (["4.wav", "3.wav", "2.wav", "1.wav", "0.wav"], None)
    first = page["results"][0]
    stays = datetime.fromisoformat(first["expires"]) - datetime.fromisoformat(first["trashed"])
    assert (stays, first["tags"], first["rev"]) == (timedelta(days=30), [], 2)


def test_a_restored_sound_is_as_it_was_and_that_can_be_undone(api: Api) -> None:
    (sound,) = api.uploads(1)
    api.patch(f"/sounds/{sound['id']}", rev=1, tags=["door"])
    trash(api, sound)
    since = api.cursor()
    answer = api.ask("POST", f"/trash/{sound['id']}/restore")
    back = answer.json()
    assert (answer.status_code, answer.headers["ETag"], back["tags"]) == (200, '"4"', ["door"])
    assert "renamed_from" not in back
    assert (api.names(), api.get("/trash")["results"]) == (["1.wav"], [])
    assert api.get(f"/sounds/{sound['id']}") == back
    (change,) = api.news(since, "sound")
    assert (change["type"], change["sound"]) == ("sound.restored", back)
    undone = api.post("/undo", change=answer.headers["Sonoteca-Change"])
    assert undone.json()["results"][0]["status"] == 200
    assert api.names() == []


def test_who_undoes_a_restoring_late_finds_the_sound_in_the_trash_for_its_whole_time(
    tmp_path: Path, database: str
) -> None:
    settings: dict[str, Any] = {"database": database, "trash_s": 1e9}
    with serve(tmp_path, **settings) as server:
        api = Api(server)
        (sound,) = api.uploads(1)
        trash(api, sound)
    long_ago = sounds.update().values(trashed="2000-01-01T00:00:00Z")
    catalog = home_of(database, tmp_path).open()
    asyncio.run(catalog.write(lambda connection: connection.execute(long_ago).rowcount))
    catalog.close()
    with serve(tmp_path, **settings) as server:
        api = Api(server)
        restored = api.ask("POST", f"/trash/{sound['id']}/restore")
        assert restored.status_code == 200
        api.post("/undo", change=restored.headers["Sonoteca-Change"])
        (trashed,) = api.get("/trash")["results"]
        assert trashed["trashed"] > restored.json()["created"][:10]


def test_a_name_that_is_taken_meanwhile_gets_a_number(api: Api) -> None:
    sound = api.upload(1, "a.wav", folder="doors")
    trash(api, sound)
    api.upload(2, "a.wav", folder="doors")
    api.upload(3, "a (2).wav", folder="doors")
    back = api.ask("POST", f"/trash/{sound['id']}/restore").json()
    assert (back["name"], back["renamed_from"]) == ("a (3).wav", "a.wav")
    assert api.names() == ["a (3).wav", "a.wav", "a (2).wav"]
    assert "a%20%283%29.wav" in back["links"]["file"]
    assert api.names(q="3") == ["a (3).wav"]


def test_what_is_purged_is_gone_for_good_and_that_is_said(api: Api) -> None:
    (sound,) = api.uploads(1)
    api.patch(f"/sounds/{sound['id']}", rev=1, tags=["door"])
    collection = api.post("/collections", name="Doors").json()["id"]
    api.post(f"/collections/{collection}/sounds", ids=[sound["id"]])
    step = trash(api, sound).headers["Sonoteca-Change"]
    since = api.cursor()
    purged = api.delete(f"/trash/{sound['id']}")
    assert (purged.status_code, "Sonoteca-Change" in purged.headers) == (204, False)
    (change,) = api.news(since, "sound")
    assert (change["type"], change["id"], change["sound"]) == ("sound.purged", sound["id"], None)
    assert api.get("/trash")["results"] == []
    assert api.get(f"/collections/{collection}/sounds")["count"] == 0
    assert api.ask("GET", f"/sounds/{sound['id']}/history").status_code == 404
    assert requests.get(api.server + sound["links"]["file"], timeout=10).status_code == 200
    for refused in (
        api.post("/undo", change=step),
        api.ask("POST", f"/trash/{sound['id']}/restore"),
        api.delete(f"/trash/{sound['id']}"),
    ):
        assert (refused.status_code, "purged" in refused.json()["detail"]) == (404, True)


def test_a_sound_that_is_not_in_the_trash_is_not_purged(api: Api) -> None:
    sound = api.upload(1)
    assert api.delete(f"/trash/{sound['id']}").status_code == 404
    assert api.ask("POST", f"/trash/{sound['id']}/restore").status_code == 404
    assert api.delete("/trash/x").status_code == 404
    assert api.names() == ["1.wav"]


def test_who_hears_late_of_an_edit_does_not_take_the_trashed_for_present(api: Api) -> None:
    (sound,) = api.uploads(1)
    since = api.cursor()
    api.patch(f"/sounds/{sound['id']}", rev=1, description="x")
    trash(api, sound)
    news = [each for each in api.news(since, "sound") if each["rev"] > 1]
    assert [(each["type"], each["sound"]) for each in news] == [
        ("sound.changed", None),
        ("sound.trashed", None),
    ]


def test_the_server_empties_the_trash_when_its_time_is_over(tmp_path: Path, database: str) -> None:
    settings = {"database": database}
    with serve(tmp_path, **settings) as server:
        api = Api(server)
        old, kept = api.uploads(1, 2)
        trash(api, old)
        since = api.cursor()
    with serve(tmp_path, **settings) as server:  # 30 days: too early
        assert Api(server).get("/trash")["count"] == 1
    with serve(tmp_path, trash_s=0, **settings) as server:
        api = Api(server)
        until(lambda: api.get("/trash")["count"] == 0)
        (change,) = (each for each in api.news(since, "sound") if each["id"] == old["id"])
        assert (change["type"], change["sound"]) == ("sound.purged", None)
        assert api.names() == [kept["name"]]
