"""Edits: one at a time or many, seen by everyone, and taken back."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.kit.wavs import Plan, build_wav

PATCH = {"Content-Type": "application/merge-patch+json"}


def post(server: str, seed: int, name: str = "", folder: str = "") -> dict[str, Any]:
    data = build_wav(Plan(frames=100, channels=1, seed=seed))
    arguments = {"name": name or f"{seed}.wav", "folder": folder}
    sound: dict[str, Any] = requests.post(
        f"{server}/post", params=arguments, data=data, timeout=10
    ).json()
    return sound


def edit(
    server: str, sound: dict[str, Any], rev: int | None = None, **patch: Any
) -> requests.Response:
    headers = PATCH | {"If-Match": f'"{sound["rev"] if rev is None else rev}"'}
    path = f"{server}/api/v1/sounds/{sound['id']}"
    return requests.patch(path, json=patch, headers=headers, timeout=10)


def get(server: str, path: str) -> Any:
    return requests.get(f"{server}{path}", timeout=10).json()


def names(server: str) -> list[str]:
    found: list[str] = get(server, "/list")
    return found


def latest(server: str) -> dict[str, Any]:
    change: dict[str, Any] = get(server, "/api/v1/changes?limit=5000")["results"][-1]
    return change


def test_name_folder_tags_and_words_are_edited_and_found(server: str) -> None:
    sound = post(server, 1)
    answer = edit(
        server,
        sound,
        name="Café door.wav",
        folder="foley/doors",
        description="an oak door, slow",
        tags=["door", "oak", "door"],
        rating=4,
        license="CC-BY-4.0",
    )
    edited = answer.json()
    assert (answer.status_code, answer.headers["ETag"], edited["rev"]) == (200, '"2"', 2)
    assert edited["tags"] == ["door", "oak"]
    assert names(server) == ["Café door.wav"]
    assert get(server, "/list?q=oak") == ["Café door.wav"]
    assert get(server, "/list?folder=foley") == ["Café door.wav"]
    change = latest(server)
    assert (change["type"], change["rev"]) == ("sound.changed", 2)
    assert change["sound"]["description"] == "an oak door, slow"


def test_a_renamed_sound_is_downloaded_under_its_new_name(server: str) -> None:
    sound = edit(server, post(server, 1, "a.wav"), name="b.wav").json()
    head = requests.head(server + sound["links"]["file"], timeout=10)
    assert head.status_code == 200
    assert 'filename="b.wav"' in head.headers["Content-Disposition"]


def test_null_takes_a_field_away(server: str) -> None:
    sound = edit(server, post(server, 1), rating=3, tags=["a"], description="x").json()
    bare = edit(server, sound, rating=None, tags=None, description=None).json()
    assert (bare["rating"], bare["tags"], bare["description"]) == (None, [], "")


def test_an_edit_of_an_old_revision_is_refused_with_the_present_one(server: str) -> None:
    sound = post(server, 1)
    edit(server, sound, description="first")
    late = edit(server, sound, description="second")
    assert (late.status_code, late.headers["ETag"]) == (412, '"2"')
    assert late.json()["description"] == "first"


def test_an_edit_must_say_what_it_is_of(server: str) -> None:
    sound = post(server, 1)
    path = f"{server}/api/v1/sounds/{sound['id']}"
    answer = requests.patch(path, json={"rating": 1}, headers=PATCH, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition-required")


@pytest.mark.parametrize(
    ("patch", "word"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": " / "}, "name"),
        ({"name": 5}, "name"),
        ({"rating": 6}, "rating"),
        ({"rating": True}, "rating"),
        ({"tags": "door"}, "tags"),
        ({"tags": [1]}, "tags"),
        ({"description": "x" * 65_537}, "description"),
        ({"description": "a\0b"}, "description"),
        ({"license": "\x1b[2J"}, "license"),
        ({"tags": ["door\0x"]}, "tags"),
    ],
)
def test_a_patch_that_makes_no_sense_is_named(
    server: str, patch: dict[str, Any], word: str
) -> None:
    answer = edit(server, post(server, 1), **patch)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def test_a_taken_place_is_refused(server: str) -> None:
    post(server, 1, "a.wav")
    answer = edit(server, post(server, 2, "b.wav"), name="a.wav")
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")
    assert sorted(names(server)) == ["a.wav", "b.wav"]


def test_the_trash_hides_and_undo_brings_back(server: str) -> None:
    sound = post(server, 1)
    since = get(server, "/api/v1/changes")["cursor"]
    answer = requests.delete(f"{server}/api/v1/sounds/{sound['id']}", timeout=10)
    assert (answer.status_code, answer.content) == (204, b"")
    assert names(server) == []
    assert requests.get(f"{server}/api/v1/sounds/{sound['id']}", timeout=10).status_code == 404
    news = get(server, f"/api/v1/changes?since={since}")["results"]
    trashed = next(change for change in news if change["type"] == "sound.trashed")
    assert trashed["sound"] is None
    undone = requests.post(
        f"{server}/api/v1/undo", json={"change": answer.headers["Sonoteca-Change"]}, timeout=10
    ).json()
    assert undone["results"][0]["status"] == 200
    assert names(server) == ["1.wav"]
    assert latest(server)["type"] == "sound.restored"
    assert requests.get(server + sound["links"]["file"], timeout=10).status_code == 200


def test_a_name_in_the_trash_is_free(server: str) -> None:
    sound = post(server, 1, "a.wav")
    trashed = requests.delete(f"{server}/api/v1/sounds/{sound['id']}", timeout=10)
    assert post(server, 2, "a.wav")["name"] == "a.wav"
    change = {"change": trashed.headers["Sonoteca-Change"]}
    undone = requests.post(f"{server}/api/v1/undo", json=change, timeout=10).json()
    assert undone["results"][0]["code"] == "name-taken"
    assert names(server) == ["a.wav"]


def test_a_batch_has_a_result_each_and_is_undone_as_one(server: str) -> None:
    sounds = [post(server, seed, folder="a") for seed in range(3)]
    ids = [sound["id"] for sound in sounds] + ["01a1fdcc-6794-78b8-bf63-09238c7cbb13"]
    batch = {"ids": ids, "patch": {"folder": "b", "tags": ["new"]}}
    done = requests.post(f"{server}/api/v1/sounds:batch", json=batch, timeout=10).json()
    assert [one["status"] for one in done["results"]] == [200, 200, 200, 404]
    assert len(get(server, "/list?folder=b")) == 3
    undone = requests.post(
        f"{server}/api/v1/undo", json={"change": done["change"]}, timeout=10
    ).json()
    assert [one["status"] for one in undone["results"]] == [200, 200, 200]
    assert len(get(server, "/list?folder=a")) == 3
    assert all(sound["tags"] == [] for sound in get(server, "/info"))
    again = requests.post(
        f"{server}/api/v1/undo", json={"change": undone["change"]}, timeout=10
    ).json()
    assert [one["status"] for one in again["results"]] == [200, 200, 200]
    assert len(get(server, "/list?folder=b")) == 3


def test_a_batch_of_one_has_a_result_too(server: str) -> None:
    missing = {"ids": ["01a1fdcc-6794-78b8-bf63-09238c7cbb13"]}
    for what in ({"delete": True}, {"patch": {"rating": 1}}):
        batch = missing | what
        done = requests.post(f"{server}/api/v1/sounds:batch", json=batch, timeout=10)
        assert done.status_code == 200
        assert [one["status"] for one in done.json()["results"]] == [404]


def test_what_was_edited_since_is_not_undone(server: str) -> None:
    sound = post(server, 1)
    first = edit(server, sound, description="one")
    edit(server, first.json(), description="two")
    change = {"change": first.headers["Sonoteca-Change"]}
    undone = requests.post(f"{server}/api/v1/undo", json=change, timeout=10).json()
    assert undone["results"][0]["status"] == 409
    assert get(server, "/info")[0]["description"] == "two"


def test_history_tells_what_was_and_revert_goes_back(server: str) -> None:
    sound = post(server, 1)
    for text in ("one", "two"):
        sound = edit(server, sound, description=text).json()
    history = get(server, f"/api/v1/sounds/{sound['id']}/history")
    assert [(one["rev"], one["sound"]["description"]) for one in history] == [(2, "one"), (1, "")]
    path = f"{server}/api/v1/sounds/{sound['id']}/revert"
    reverted = requests.post(path, json={"rev": 2}, timeout=10).json()
    assert (reverted["rev"], reverted["description"]) == (4, "one")
    assert requests.post(path, json={"rev": 9}, timeout=10).status_code == 404


def test_to_go_back_to_what_was_once_trashed_does_not_trash_it_again(server: str) -> None:
    sound = edit(server, post(server, 1), description="one").json()
    path = f"{server}/api/v1/sounds/{sound['id']}"
    change = requests.delete(path, timeout=10).headers["Sonoteca-Change"]
    requests.post(f"{server}/api/v1/undo", json={"change": change}, timeout=10)
    edit(server, get(server, path.removeprefix(server)), description="two")
    reverted = requests.post(f"{path}/revert", json={"rev": 3}, timeout=10).json()
    assert (reverted["rev"], reverted["description"]) == (6, "one")
    assert names(server) == ["1.wav"]


def test_a_new_version_of_the_bytes_can_be_reverted(server: str) -> None:
    first = post(server, 1, "a.wav")
    data = build_wav(Plan(frames=500, channels=1, seed=2))
    requests.post(f"{server}/post?name=a.wav&on_conflict=version", data=data, timeout=10)
    path = f"{server}/api/v1/sounds/{first['id']}/revert"
    reverted = requests.post(path, json={"rev": 1}, timeout=10).json()
    assert (reverted["frames"], reverted["sha256"]) == (100, first["sha256"])
    file = requests.get(f"{server}/api/v1/sounds/{first['id']}/file", timeout=10)
    assert file.headers["ETag"] == f'"sha256-{first["sha256"]}"'


def test_an_edit_that_changes_nothing_is_none(server: str) -> None:
    sound = post(server, 1)
    assert edit(server, sound, name=sound["name"]).json()["rev"] == 1


def test_the_media_type_and_the_json_are_checked(server: str) -> None:
    sound = post(server, 1)
    path = f"{server}/api/v1/sounds/{sound['id']}"
    headers = {"If-Match": '"1"', "Content-Type": "text/plain"}
    assert requests.patch(path, data="x", headers=headers, timeout=10).status_code == 415
    headers["Content-Type"] = PATCH["Content-Type"]
    assert requests.patch(path, data="{", headers=headers, timeout=10).status_code == 400
    deep = '{"tags":' + "[" * 200_000 + "]" * 200_000 + "}"
    answer = requests.patch(path, data=deep, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
