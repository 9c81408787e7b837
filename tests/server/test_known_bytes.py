"""Sounds of bytes that the repository has already: nothing is sent again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.api import Api
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav
from tests.server.conftest import BOTH

DATABASES = BOTH
WAV = build_wav(Plan(frames=700, channels=1, seed=3))
NOWHERE = "0" * 64


@pytest.fixture
def api(server: str) -> Api:
    return Api(server)


def put(api: Api, data: bytes = WAV, repository: str = "main") -> str:
    oid: str = requests.put(f"{api.server}/data/{repository}", data=data, timeout=10).json()["oid"]
    return oid


def refer(api: Api, sha256: str, **wish: Any) -> requests.Response:
    return api.post("/sounds", sha256=sha256, **wish)


def test_what_was_put_becomes_a_sound_like_an_upload_with_its_waveform(api: Api) -> None:
    oid = put(api)
    answer = refer(api, oid, repository="main", name="door.wav", folder="foley//doors")
    sound = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (
        201,
        f"/api/v1/sounds/{sound['id']}",
    )
    uploaded = requests.post(f"{api.server}/post?repository=other", data=WAV, timeout=10).json()
    own = ("id", "repository", "name", "folder", "created", "links")
    assert {key: sound[key] for key in sound if key not in own} == {
        key: uploaded[key] for key in uploaded if key not in own
    }
    assert (sound["name"], sound["folder"]) == ("door.wav", "foley/doors")
    until(lambda: api.get(f"/sounds/{sound['id']}")["links"]["peaks"])
    assert api.ask("GET", f"/sounds/{sound['id']}/peaks").status_code == 200
    assert requests.delete(f"{api.server}/data/main/{oid}", timeout=10).status_code == 200
    assert api.ask("GET", f"/sounds/{sound['id']}/file").content == WAV


def test_a_taken_name_is_treated_as_with_uploads(api: Api) -> None:
    first, oid = api.upload(1, "a.wav"), put(api)
    renamed = refer(api, oid, name="a.wav")
    assert (renamed.status_code, renamed.json()["name"]) == (201, "a (2).wav")
    assert renamed.json()["renamed_from"] == "a.wav"
    assert refer(api, oid, name="a (2).wav").status_code == 200
    refused = refer(api, oid, name="a.wav", on_conflict="reject")
    assert (refused.status_code, refused.json()["code"]) == (409, "name-taken")
    version = refer(api, oid, name="a.wav", on_conflict="version").json()
    assert (version["id"], version["rev"], version["sha256"]) == (first["id"], 2, oid)
    assert refer(api, oid).json()["id"] == first["id"]  # without a name: the oldest
    assert len(api.names()) == 2


def test_bytes_that_are_not_there_have_to_be_sent(api: Api) -> None:
    oid = put(api, repository="other")
    for repository, sha256 in (("main", NOWHERE), ("nowhere", oid), ("main", oid)):
        answer = refer(api, sha256, repository=repository, name="a.wav")
        assert (answer.status_code, answer.json()["code"]) == (404, "object-missing")
    assert [one["name"] for one in api.get("/repositories")["results"]] == ["other"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "sha256"),
        ({"sha256": "x"}, "sha256"),
        ({"sha256": NOWHERE, "nmae": "a"}, "nmae"),
        ({"sha256": NOWHERE, "repository": "a/b"}, "repository"),
        ({"sha256": NOWHERE, "on_conflict": "x"}, "on_conflict"),
        ({"sha256": NOWHERE, "folder": "x/" * 2_000}, "folder"),
    ],
)
def test_a_body_that_makes_no_sense_is_named(api: Api, body: dict[str, Any], word: str) -> None:
    answer = api.post("/sounds", **body)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def test_bytes_that_are_no_wav_stay_bytes(api: Api) -> None:
    answer = refer(api, put(api, b"just text"), name="a.wav")
    assert (answer.status_code, answer.json()["code"]) == (422, "not-a-wav")
    assert api.names() == []


def test_bytes_that_are_lost_are_asked_for_again_and_mended(tmp_path: Path, database: str) -> None:
    with serve(tmp_path, database=database) as server:
        api = Api(server)
        oid = put(api)
        for path in blobs(tmp_path):
            path.unlink()
        assert refer(api, oid, name="a.wav").json()["code"] == "object-missing"
        requests.post(f"{server}/post?name=a.wav", data=WAV, timeout=10)
        assert refer(api, oid, name="b.wav").status_code == 201
        assert requests.get(f"{server}/data/main/{oid}", timeout=10).content == WAV


def test_a_waveform_that_is_lost_is_computed_again(tmp_path: Path, database: str) -> None:
    with serve(tmp_path, database=database) as server:
        api = Api(server)
        (sound,) = api.uploads(1)
        peaks = f"/sounds/{sound['id']}/peaks"
        before = api.ask("GET", peaks).content
        size = len(requests.get(server + sound["links"]["file"], timeout=10).content)
        (lost,) = (path for path in blobs(tmp_path) if path.stat().st_size != size)
        lost.unlink()
        answer = api.ask("GET", peaks)
        assert (answer.status_code, answer.json()["code"]) == (409, "peaks-pending")
        assert answer.headers["Retry-After"] == "1"
        until(lambda: api.ask("GET", peaks).status_code == 200)
        assert api.ask("GET", peaks).content == before


def blobs(folder: Path) -> list[Path]:
    return [path for path in (folder / "blobs").rglob("*") if path.is_file()]
