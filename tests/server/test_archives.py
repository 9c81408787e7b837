"""Archives: asked for, ready, downloaded whole or in part, and the same until they expire."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.api import Api
from tests.kit.archives import Archiver, unpacked
from tests.kit.http import serve, server_process
from tests.kit.wavs import Plan, build_wav
from tests.server.conftest import BOTH

DATABASES = BOTH
NOBODY = "01a1fdcc-6794-78b8-bf63-09238c7cbb13"
SOMEWHERE = "http://files.example/take.wav"


@pytest.fixture
def api(server: str) -> Api:
    return Api(server)


@pytest.fixture
def archiver(server: str) -> Archiver:
    return Archiver(server)


def wav(seed: int) -> bytes:
    """The bytes that `Api.upload` sends."""
    return build_wav(Plan(frames=100, channels=1, seed=seed))


def ids(*sounds: dict[str, Any]) -> list[str]:
    return [sound["id"] for sound in sounds]


def test_an_archive_of_sounds_is_ready_at_once(api: Api, archiver: Archiver) -> None:
    door, rain = api.upload(1, "door.wav", folder="AMB/Türe"), api.upload(2, "rain.wav")
    answer = archiver.ask(sounds=ids(rain, door))
    assert (answer.status_code, list(answer.json())) == (202, ["archive_hash"])
    archive = answer.json()["archive_hash"]
    assert re.fullmatch("[0-9a-f]{32,}", archive)
    assert answer.headers["Location"] == f"/api/archive/status/{archive}"
    assert archiver.status(archive) == {
        "status": "completed",
        "url": f"{api.server}/archive/get/{archive}.zip",
    }
    found = archiver.files(archive)
    assert list(found.items()) == [("rain.wav", wav(2)), ("AMB/Türe/door.wav", wav(1))]


def test_an_archive_of_a_query_holds_all_that_matches(api: Api, archiver: Archiver) -> None:
    for seed, name in enumerate(["door 1.wav", "rain.wav", "door 2.wav"]):
        api.upload(seed, name)
    assert list(archiver.files(archiver.create(query="door"))) == ["door 1.wav", "door 2.wav"]
    assert len(archiver.files(archiver.create(query=""))) == 3


def test_an_archive_of_a_collection_has_its_order(api: Api, archiver: Archiver) -> None:
    sounds = [api.upload(seed) for seed in (1, 2, 3)]
    made = api.post("/collections", name="Doors").json()["id"]
    api.post(f"/collections/{made}/sounds", ids=ids(*sounds[::-1]))
    api.delete(f"/sounds/{sounds[1]['id']}")
    assert list(archiver.files(archiver.create(collection=made))) == ["3.wav", "1.wav"]


def test_details_tell_more_and_only_when_asked(api: Api, archiver: Archiver) -> None:
    archive = archiver.create(sounds=ids(api.upload(1), api.upload(2)))
    told = archiver.status(archive, "?details=1")
    size = 2 * len(wav(1))
    assert told["progress"] == {
        "files_done": 2, "files_total": 2, "bytes_done": size, "bytes_total": size,
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["expires"])
    assert set(told) - set(archiver.status(archive)) == {"progress", "expires"}


def test_sounds_of_one_name_are_all_in_it(api: Api, archiver: Archiver) -> None:
    sounds = [api.upload(seed, "take.wav", repository=f"r{seed}") for seed in (1, 2)]
    found = archiver.files(archiver.create(sounds=ids(*sounds, sounds[0])))
    assert found == {"take.wav": wav(1), "take (2).wav": wav(2), "take (3).wav": wav(1)}


def test_a_sound_that_is_not_there_is_told_inside_and_outside(api: Api, archiver: Archiver) -> None:
    archive = archiver.create(sounds=[NOBODY, api.upload(1)["id"]])
    told = archiver.status(archive)
    missing = {
        "url": f"/api/v1/sounds/{NOBODY}",
        "code": "not-found",
        "detail": "there is no sound with this id",
    }
    assert (told["status"], told["errors"]) == ("completed", [missing])
    found = archiver.files(archive)
    assert list(found) == ["1.wav", "MANIFEST.json"]
    assert json.loads(found["MANIFEST.json"]) == {"missing": [missing]}


def test_a_folder_does_not_stand_where_the_list_of_what_is_missing_has_to(
    api: Api, archiver: Archiver
) -> None:
    sound = api.upload(1, "b.wav", folder="MANIFEST.json")
    found = archiver.files(archiver.create(sounds=[sound["id"], NOBODY]))
    assert list(found) == ["MANIFEST (2).json/b.wav", "MANIFEST.json"]


@pytest.mark.parametrize("wanted", [{"on_error": "fail"}, {"sounds": [NOBODY]}])
def test_an_archive_that_cannot_be_as_wished_fails(
    api: Api, archiver: Archiver, wanted: dict[str, Any]
) -> None:
    sounds = {"sounds": [NOBODY, api.upload(1)["id"]]}
    archive = archiver.create(**sounds | wanted)
    told = archiver.status(archive)
    assert (told["status"], "url" in told, len(told["errors"])) == ("failed", False, 1)
    answer = archiver.fetch(archive)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_a_whole_archive_can_be_given_up_too(api: Api, archiver: Archiver) -> None:
    archive = archiver.create(sounds=ids(api.upload(1)))
    assert archiver.fetch(archive).status_code == 200
    requests.delete(f"{archiver.server}/api/archive/status/{archive}", timeout=10)
    assert archiver.fetch(archive).status_code == 410


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize("archive", ["0" * 40, "..", "%00", "é"])
def test_an_unknown_archive_is_not_found(server: str, method: str, archive: str) -> None:
    for path in (f"/api/archive/status/{archive}", f"/archive/get/{archive}.zip"):
        answer = requests.request(method, server + path, timeout=10)
        assert answer.status_code == (405 if method == "DELETE" and "get" in path else 404)


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "urls, sounds, query, collection"),
    ({"urls": [SOMEWHERE], "query": "x"}, "urls and query"),
    ({"urls": []}, "urls"),
    ({"urls": SOMEWHERE}, "urls"),
    ({"urls": [SOMEWHERE, 3]}, "urls[1]"),
    ({"urls": [SOMEWHERE, "ftp://files.example/a"]}, "urls[1]"),
    ({"urls": ["take.wav"]}, "urls[0]"),
    ({"urls": ["http://a b/"]}, "urls[0]"),
    ({"urls": ["http://me:secret@files.example/"]}, "urls[0]"),
    ({"urls": ["http://files.example:99999/"]}, "urls[0]"),
    ({"urls": ["http://f.example/" + "x" * 5_000]}, "urls[0]"),
    ({"urls": [SOMEWHERE] * 1_001}, "1000"),
    ({"sounds": []}, "sounds"),
    ({"sounds": ["7"]}, "sounds[0]"),
    ({"query": 5}, "query"),
    ({"query": "nothing-is-called-so"}, "query"),
    ({"query": "dur<<3"}, "query"),
    ({"collection": "nobody"}, "collection"),
    ({"collection": NOBODY}, "collection"),
    ({"urls": [SOMEWHERE], "on_error": "panic"}, "on_error"),
    ({"urls": [SOMEWHERE], "callback_url": "gopher://x"}, "callback_url"),
    ({"urls": [SOMEWHERE], "callback_url": 3}, "callback_url"),
    ({"urls": [SOMEWHERE], "name": "/"}, "name"),
    ({"urls": [SOMEWHERE], "name": ["x"]}, "name"),
    ({"urls": [SOMEWHERE], "nmae": "x"}, "nmae"),
]


@pytest.mark.parametrize(("wanted", "named"), BAD)
def test_a_bad_request_names_the_member(
    archiver: Archiver, wanted: dict[str, Any], named: str
) -> None:
    answer = archiver.ask(**wanted)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert named in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"query": ""}', "application/json; charset=utf-8", 202),
        # What curl says of whatever it sends with -d.
        (b' {"query": ""}', "application/x-www-form-urlencoded", 202),
        (b"query=", "application/x-www-form-urlencoded", 415),
        (b'{"query": ""}', "text/plain", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"query": "' + b"x" * (16 << 20) + b'"}', "application/json", 413),
    ],
    ids=range(9),
)
def test_the_body_is_json(api: Api, body: bytes, kind: str, status: int) -> None:
    api.upload(1)
    path = f"{api.server}/api/archive/create"
    answer = requests.post(path, data=body, headers={"Content-Type": kind}, timeout=20)
    assert answer.status_code == status


def test_the_same_request_with_the_same_key_is_one_archive(api: Api) -> None:
    api.upload(1)

    def create(key: str, query: str = "") -> requests.Response:
        path, headers = f"{api.server}/api/archive/create", {"Idempotency-Key": key}
        return requests.post(path, json={"query": query}, headers=headers, timeout=10)

    first = create("k1")
    assert (first.status_code, create("k1").json()) == (202, first.json())
    assert create("k2").json() != first.json()
    other = create("k1", "wav")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    assert create("x" * 256).status_code == 400


def test_the_address_is_the_one_that_the_server_is_reached_under(
    tmp_path: Path, database: str
) -> None:
    with serve(tmp_path, public_url="https://sounds.example/", database=database) as server:
        sound = Api(server).upload(1)
        archiver = Archiver(server)
        archive = archiver.create(sounds=[sound["id"]])
        assert archiver.status(archive)["url"] == (
            f"https://sounds.example/archive/get/{archive}.zip"
        )


@pytest.mark.parametrize(
    ("name", "file"),
    [(None, "sonoteca-"), ("Türen", "T%C3%BCren.zip"), ("a.ZIP", "a.ZIP"), ("../x\r\n", "x.zip")],
)
def test_it_is_downloaded_under_its_name(
    api: Api, archiver: Archiver, name: str | None, file: str
) -> None:
    archive = archiver.create(sounds=ids(api.upload(1)), **({"name": name} if name else {}))
    field = archiver.fetch(archive).headers["Content-Disposition"]
    assert field.startswith("attachment; ")
    assert f"filename*=UTF-8''{file}" in field


def test_conditions_and_ranges_are_those_of_any_download(api: Api, archiver: Archiver) -> None:
    archive = archiver.create(sounds=ids(api.upload(1)))
    whole = archiver.fetch(archive)
    tag = whole.headers["ETag"]
    assert re.fullmatch(r'"x-[0-9a-f]{64}"', tag)
    assert (whole.headers["Content-Type"], "Repr-Digest" in whole.headers) == (
        "application/zip", False,
    )  # fmt: skip
    head = requests.head(archiver.address(archive), headers={"Range": "bytes=0-1"}, timeout=10)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(whole.content)))
    assert head.headers["Accept-Ranges"] == "bytes"
    assert archiver.fetch(archive, If_None_Match=tag).status_code == 304
    part = archiver.fetch(archive, Range="bytes=10-59", If_Range=tag)
    assert (part.status_code, part.content) == (206, whole.content[10:60])
    assert archiver.fetch(archive, Range="bytes=10-59", If_Range='"x-other"').status_code == 200
    assert archiver.fetch(archive, Range="bytes=-22").content == whole.content[-22:]
    behind = archiver.fetch(archive, Range=f"bytes={len(whole.content)}-")
    assert behind.headers["Content-Range"] == f"bytes */{len(whole.content)}"
    several = archiver.fetch(archive, Range="bytes=0-3,-4")
    assert several.headers["Content-Type"].startswith("multipart/byteranges")


def test_any_range_is_that_part_of_the_whole(api: Api, archiver: Archiver) -> None:
    for seed in range(20):
        api.upload(seed, f"take {seed} é.wav", folder="x" * seed)
    archive = archiver.create(query="")
    whole, rng = archiver.fetch(archive).content, random.Random(3)
    with requests.Session() as session:
        for _ in range(150):
            start = rng.randrange(len(whole))
            end = min(len(whole), start + rng.choice([1, 40, 900, 5_000]))
            headers = {"Range": f"bytes={start}-{end - 1}"}
            part = session.get(archiver.address(archive), headers=headers, timeout=10)
            assert part.content == whole[start:end]


def test_the_same_members_are_the_same_bytes_under_the_same_tag(
    api: Api, archiver: Archiver
) -> None:
    sounds = ids(api.upload(1), api.upload(2))
    first, second, other = (archiver.fetch(archiver.create(sounds=each)) for each in
                            (sounds, sounds, sounds[::-1]))  # fmt: skip
    assert (first.content, first.headers["ETag"]) == (second.content, second.headers["ETag"])
    assert first.headers["ETag"] != other.headers["ETag"]


def test_what_becomes_of_the_sounds_does_not_change_it(api: Api, archiver: Archiver) -> None:
    sound = api.upload(1, "door.wav")
    archive = archiver.create(sounds=[sound["id"]])
    before = archiver.fetch(archive)
    path = f"/sounds/{sound['id']}"
    api.patch(path, sound["rev"], name="gate.wav")
    assert api.delete(path).status_code == 204
    assert api.delete(f"/trash/{sound['id']}").status_code == 204
    after = archiver.fetch(archive)
    assert unpacked(after.content) == {"door.wav": wav(1)}
    assert after.headers["ETag"] == before.headers["ETag"]


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        sounds = [Api(server.url).upload(seed)["id"] for seed in (1, 2)]
        archive = Archiver(server.url).create(sounds=sounds)
        before = Archiver(server.url).fetch(archive)
        server.kill()
        server.start()
        after = Archiver(server.url).fetch(archive)
    assert (after.content, after.headers["ETag"]) == (before.content, before.headers["ETag"])


def test_an_expired_archive_is_not_there(tmp_path: Path, database: str) -> None:
    with serve(tmp_path, archive_expiry_s=0, database=database) as server:
        sound, archiver = Api(server).upload(1), Archiver(server)
        archive = archiver.create(sounds=[sound["id"]])
        assert archiver.fetch(archive).status_code == 404
        path = f"{server}/api/archive/status/{archive}"
        assert requests.get(path, timeout=10).status_code == 404
