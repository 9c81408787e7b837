"""Archives of URLs as people ask for them: create, status, get; through a restart and a kill."""

from __future__ import annotations

import io
import random
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.archives import Archiver, unpacked
from tests.kit.http import ServerProcess, serve
from tests.kit.upstream import File, Upstream, Visit, upstream
from tests.kit.wait import until

DATABASES = ("sqlite", "postgresql")
DATA = random.Random(4).randbytes(30_000_000)


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture
def archiver(tmp_path: Path, database: str, remote: Upstream) -> Iterator[Archiver]:
    data = tmp_path / "library"
    with serve(data, database=database, fetch_allow=remote.place) as address:
        yield Archiver(address)


def ended(archiver: Archiver, archive: str) -> dict[str, Any]:
    """Its status once it is not in progress any more."""
    until(lambda: archiver.status(archive)["status"] != "in-progress", seconds=30.0)
    status: dict[str, Any] = archiver.status(archive)
    return status


def stalling(begun: threading.Event, visit: Visit) -> None:
    """The half of a file, and nothing more."""
    visit.head(Content_Length=len(DATA), ETag='"one"')
    visit.send(DATA[:12_000_000])
    begun.set()
    visit.stall()


def test_what_strict_clients_read_is_exactly_what_is_documented(
    archiver: Archiver, remote: Upstream
) -> None:
    urls = [remote.url("/take1.wav", File(DATA)), remote.url("/notes.txt", File(b"notes"))]
    archive = archiver.create(urls=urls)
    url = f"{archiver.server}/archive/get/{archive}.zip"
    assert ended(archiver, archive) == {"status": "completed", "url": url}
    assert archiver.files(archive) == {"take1.wav": DATA, "notes.txt": b"notes"}


def test_a_file_that_does_not_come_is_told_and_the_others_are_there(
    archiver: Archiver, remote: Upstream
) -> None:
    missing, inward = remote.url("/missing.wav"), "http://127.0.0.1:9/a.wav"
    archive = archiver.create(urls=[remote.url("/a.wav", File(b"sound")), missing, inward])
    status = ended(archiver, archive)
    assert status["status"] == "completed"
    assert status["errors"] == [
        {"url": missing, "code": "http-status", "detail": f"{missing} answered 404 Not Found"},
        {
            "url": inward,
            "code": "address-not-public",
            "detail": (
                "127.0.0.1:9 is not on port 80 or 443; to allow it add 127.0.0.1:9 to FETCH_ALLOW"
            ),
        },
    ]
    assert list(archiver.files(archive)) == ["a.wav", "MANIFEST.json"]
    failed = archiver.create(urls=[missing])
    assert ended(archiver, failed)["status"] == "failed"


def test_an_archive_that_is_fetched_is_in_progress_until_it_is_cancelled(
    archiver: Archiver, remote: Upstream
) -> None:
    begun = threading.Event()
    archive = archiver.create(urls=[remote.url("/a.wav", partial(stalling, begun))])
    assert archiver.status(archive) == {"status": "in-progress"}
    early = archiver.fetch(archive)
    assert (early.status_code, early.json()["code"]) == (409, "archive-pending")
    assert int(early.headers["Retry-After"]) > 0
    begun.wait()
    until(lambda: archiver.status(archive, "?details=1")["progress"]["bytes_done"])
    told = archiver.status(archive, "?details=1")["progress"]
    assert (told["files_done"], told["files_total"]) == (0, 1)
    assert told["bytes_total"] == len(DATA)
    address = f"{archiver.server}/api/archive/status/{archive}"
    for _ in range(2):
        gone = requests.delete(address, timeout=10)
        assert (gone.status_code, gone.json()) == (200, {"status": "cancelled"})
    assert archiver.status(archive) == {"status": "cancelled"}
    assert archiver.fetch(archive).status_code == 410


@pytest.mark.timeout(120)
def test_a_server_that_is_killed_goes_on_by_itself_and_the_zip_is_resumed(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    begun, file = threading.Event(), File(DATA)

    def answer(visit: Visit) -> None:
        if begun.is_set():
            file(visit)
        else:
            stalling(begun, visit)

    flags = ("--fetch-allow", remote.place, "--database", database)
    server = ServerProcess(tmp_path / "library", *flags)
    try:
        archiver = Archiver(server.url)
        archive = archiver.create(urls=[remote.url("/a.wav", answer)])
        begun.wait()
        # Twelve million bytes came, of which eight mebibytes are promised by now.
        until(lambda: archiver.status(archive, "?details=1")["progress"]["bytes_done"])
        server.kill()
        server.start()
        assert ended(archiver, archive)["status"] == "completed"
        assert file.sent <= len(DATA) - (8 << 20)
        head = archiver.fetch(archive, Range="bytes=0-999999")
        server.kill()
        server.start()
        tag = head.headers["ETag"]
        rest = archiver.fetch(archive, Range="bytes=1000000-", If_Range=tag)
        assert (head.status_code, rest.status_code) == (206, 206)
        assert unpacked(head.content + rest.content) == {"a.wav": DATA}
    finally:
        server.kill()


def test_an_archive_is_gone_when_its_time_is_over(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    settings = {"fetch_allow": remote.place, "archive_expiry_s": 1.0, "database": database}
    with serve(tmp_path / "library", **settings) as address:
        archiver = Archiver(address)
        archive = archiver.create(urls=[remote.url("/a.wav", File(b"sound"))])
        until(lambda: archiver.fetch(archive).status_code == 404)


def test_names_from_elsewhere_are_safe_and_unique_in_the_zip(
    archiver: Archiver, remote: Upstream
) -> None:
    names = ("..%2F..%2Fetc%2Fpasswd", "CON.wav", "take.wav", "Take.WAV")
    urls = []
    for number, name in enumerate(names):
        told = f"attachment; filename*=UTF-8''{name}"
        urls.append(remote.url(f"/{number}", File(b"sound", name=told)))
    archive = archiver.create(urls=urls)
    assert ended(archiver, archive)["status"] == "completed"
    with zipfile.ZipFile(io.BytesIO(archiver.fetch(archive).content)) as zipped:
        found = zipped.namelist()
    assert found[0] == "passwd"
    assert not [name for name in found if name.upper().startswith("CON.")]
    assert len({name.casefold() for name in found}) == len(names)
