"""Archives of URLs from end to end, and who is told when one has ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from sonoteca_server.handlers import archives
from sonoteca_server.jobs.addresses import parse_url
from tests.kit.api import Api
from tests.kit.archives import Archiver
from tests.kit.http import serve
from tests.kit.upstream import File, Upstream, Visit, upstream
from tests.kit.wait import until

DATA = b"RIFF" * 50_000


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture
def hooked(tmp_path: Path, remote: Upstream) -> Iterator[str]:
    """A server that may reach the other one, and tells it of archives."""
    url = remote.url("/team", received)
    allowed: dict[str, Any] = {"fetch_allow": remote.place, "webhook_url": url}
    with serve(tmp_path / "library", webhook_secret="shared", **allowed) as server:
        yield server


def received(visit: Visit) -> None:
    visit.head(204)


def ended(archiver: Archiver, archive: str) -> Any:
    """The status of an archive once it is not in progress any more."""

    def look() -> Any:
        told = archiver.status(archive)
        return told if told["status"] != "in-progress" else None

    return until(look)


def told(remote: Upstream, path: str) -> list[dict[str, Any]]:
    """What a receiver was told, in any order."""
    return [json.loads(visit.body)["data"] for visit in remote.visits if visit.path == path]


def test_files_of_others_become_one_zip(hooked: str, remote: Upstream) -> None:
    archiver = Archiver(hooked)
    archive = archiver.create(
        urls=[
            remote.url("/a/take.wav", File(DATA)),
            remote.url("/missing.wav"),
            remote.url("/b/take.wav", File(b"other")),
        ],
        name="Harbour",
        callback_url=remote.url("/asker", received),
    )
    status = ended(archiver, archive)
    assert status["status"] == "completed"
    assert status["url"] == archiver.address(archive)
    assert [each["url"] for each in status["errors"]] == [remote.url("/missing.wav")]
    files = archiver.files(archive)
    missing = json.loads(files.pop("MANIFEST.json"))["missing"]
    assert files == {"take.wav": DATA, "take (2).wav": b"other"}
    assert missing == status["errors"]
    assert archiver.status(archive, "?details=1")["progress"]["files_done"] == 3
    for path in ("/asker", "/team"):
        (event,) = until(partial(told, remote, path))
        assert (event["archive_hash"], event["status"]) == (archive, "completed")
        assert requests.get(event["url"], timeout=10).status_code == 200


def test_who_asked_hears_of_an_archive_that_was_ready_at_once(
    hooked: str, remote: Upstream
) -> None:
    sound = Api(hooked).upload(1)
    callback = remote.url("/asker", received)
    archive = Archiver(hooked).create(sounds=[sound["id"]], callback_url=callback)
    (event,) = until(partial(told, remote, "/asker"))
    assert (event["archive_hash"], event["status"]) == (archive, "completed")


def test_the_same_key_again_does_not_fetch_again(hooked: str, remote: Upstream) -> None:
    body = {"urls": [remote.url("/a.wav", File(DATA))]}
    headers = {"Idempotency-Key": "once"}
    answers = {
        requests.post(
            f"{hooked}/api/archive/create", json=body, headers=headers, timeout=10
        ).json()["archive_hash"]
        for _ in range(3)
    }
    (archive,) = answers
    assert ended(Archiver(hooked), archive)["status"] == "completed"
    assert [path for path in remote.paths() if path == "/a.wav"] == ["/a.wav"]


def test_a_place_that_is_not_public_is_refused_by_the_setting(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        archiver = Archiver(server)
        archive = archiver.create(urls=["http://127.0.0.1:9/a.wav"])
        status = ended(archiver, archive)
    assert status["status"] == "failed"
    (error,) = status["errors"]
    assert "FETCH_ALLOW" in error["detail"]


def test_who_asked_hears_that_the_job_of_an_archive_was_cancelled_before_it_began(
    hooked: str, remote: Upstream
) -> None:
    def stall(visit: Visit) -> None:
        visit.head(Content_Length=5)
        visit.stall()

    archiver, api = Archiver(hooked), Api(hooked)
    busy = [archiver.create(urls=[remote.url("/slow.wav", stall)]) for _ in range(4)]
    until(lambda: remote.paths().count("/slow.wav") == len(busy))
    url, callback = remote.url("/a.wav", File(DATA)), remote.url("/asker", received)
    archive = archiver.create(urls=[url], callback_url=callback)
    (job,) = api.get("/jobs?state=ready&kind=archive")["results"]
    assert api.delete(f"/jobs/{job['id']}").status_code == 200
    (event,) = until(partial(told, remote, "/asker"))
    assert (event["archive_hash"], event["status"]) == (archive, "cancelled")
    assert archiver.status(archive)["status"] == "cancelled"
    for each in busy:
        requests.delete(f"{hooked}/api/archive/status/{each}", timeout=10)


def test_others_are_answered_while_a_long_list_of_urls_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking, answered = threading.Event(), threading.Event()

    def slow(url: str) -> Any:
        checking.set()
        answered.wait(10)
        return parse_url(url)

    monkeypatch.setattr(archives, "parse_url", slow)
    with serve(tmp_path) as server, ThreadPoolExecutor() as pool:
        asked = pool.submit(Archiver(server).ask, urls=["ftp://files.example/a"])
        try:
            assert checking.wait(10)
            assert Api(server).get("/jobs")["count"] == 0
        finally:
            answered.set()
        assert asked.result().status_code == 400
