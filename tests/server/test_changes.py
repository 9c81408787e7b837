"""The feed: what a client that follows it ends up with is what the library holds."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav

DATABASES = ("sqlite", "postgresql")


def wav(seed: int) -> bytes:
    return build_wav(Plan(frames=100, channels=1, seed=seed))


def post(server: str, seed: int, **arguments: str) -> dict[str, Any]:
    arguments = {"name": f"{seed}.wav"} | arguments
    answer: dict[str, Any] = requests.post(
        f"{server}/post", params=arguments, data=wav(seed), timeout=10
    ).json()
    return answer


def changes(server: str, since: str = "", limit: int = 500) -> dict[str, Any]:
    arguments = {"since": since, "limit": str(limit)}
    answer = requests.get(f"{server}/api/v1/changes", params=arguments, timeout=10)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def settle(server: str) -> None:
    """Wait for the waveforms, so that nothing changes any more."""

    def settled() -> bool:
        sounds = requests.get(f"{server}/info", timeout=10).json()
        return all(sound["links"]["peaks"] for sound in sounds)

    until(settled)


def test_from_the_beginning_each_sound_comes_once_in_its_latest_state(server: str) -> None:
    ids = {post(server, seed)["id"] for seed in range(3)}
    settle(server)
    page = changes(server)
    assert {change["id"] for change in page["results"]} == ids
    assert len(page["results"]) == 3
    assert all(change["sound"]["links"]["peaks"] for change in page["results"])
    assert page["more"] is False


def test_a_cursor_gives_only_what_came_after_it(server: str) -> None:
    post(server, 1)
    settle(server)
    cursor = changes(server)["cursor"]
    assert changes(server, cursor) == {"cursor": cursor, "more": False, "results": []}
    sound = post(server, 2)
    first = until(lambda: changes(server, cursor)["results"])[0]
    assert (first["type"], first["id"], first["rev"]) == ("sound.created", sound["id"], 1)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_of_any_size_lose_nothing_of_what_comes_meanwhile(server: str, limit: int) -> None:
    for seed in range(5):
        post(server, seed)
    settle(server)
    page = changes(server, limit=limit)
    seen = {change["id"] for change in page["results"]}
    late = post(server, 99)["id"]
    while page["more"]:
        page = changes(server, page["cursor"], limit)
        seen |= {change["id"] for change in page["results"]}
    page = changes(server, page["cursor"])
    seen |= {change["id"] for change in page["results"]}
    assert len(seen) == 6
    assert late in seen


def test_a_new_revision_is_a_change(server: str) -> None:
    first = post(server, 1, name="a.wav")
    settle(server)
    cursor = changes(server)["cursor"]
    post(server, 2, name="a.wav", on_conflict="version")
    change = until(lambda: changes(server, cursor)["results"])[0]
    assert (change["type"], change["id"], change["rev"]) == ("sound.changed", first["id"], 2)


def test_a_cursor_of_another_library_has_expired(tmp_path: Path) -> None:
    with serve(tmp_path / "one") as server:
        post(server, 1)
        cursor = changes(server)["cursor"]
    with serve(tmp_path / "two") as server:
        answer = requests.get(f"{server}/api/v1/changes?since={cursor}", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (410, "cursor-expired")


def test_a_cursor_survives_a_restart(tmp_path: Path, database: str) -> None:
    with serve(tmp_path, database=database) as server:
        post(server, 1)
        settle(server)
        cursor = changes(server)["cursor"]
    with serve(tmp_path, database=database) as server:
        assert changes(server, cursor)["results"] == []
        post(server, 2)
        assert until(lambda: changes(server, cursor)["results"])[0]["sound"]["name"] == "2.wav"


@pytest.mark.parametrize("place", [(2**70, None), (-1, None), (0, 2**70), (0, -(2**70)), (0.5, 1)])
def test_a_forged_cursor_is_refused(server: str, place: tuple[Any, Any]) -> None:
    text = changes(server)["cursor"]
    library = json.loads(base64.urlsafe_b64decode(text + "=="))[0]
    forged = base64.urlsafe_b64encode(json.dumps([library, *place]).encode()).decode()
    answer = requests.get(
        f"{server}/api/v1/changes", params={"since": forged.rstrip("=")}, timeout=10
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("query", ["since=nonsense", "limit=0", "limit=5001", "limit=x"])
def test_a_question_that_makes_no_sense_is_400(server: str, query: str) -> None:
    assert requests.get(f"{server}/api/v1/changes?{query}", timeout=10).status_code == 400
