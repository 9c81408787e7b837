"""Sounds of the library in other formats: made once, kept, sent like any file, and let go."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from sqlalchemy import Connection, select

from sonoteca_server.app import Library
from sonoteca_server.catalog.conversions import derivatives
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import unused
from sonoteca_server.jobs import jail
from sonoteca_server.library import derivatives as kept_copies
from sonoteca_server.library.derivatives import expire_derivatives
from tests.kit.converting import decoded, likeness, tone
from tests.kit.engines import require
from tests.kit.http import serve
from tests.kit.processes import children
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav

DATABASES = ("sqlite", "postgresql")
ROOM = 1 << 50
LEFT_FREE = 100_000_000
pytestmark = [pytest.mark.timeout(120)]


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require("ffmpeg")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each time that a program is run in the jail."""
    counted: list[int] = []
    run = jail.run

    async def count(*args: Any, **given: Any) -> jail.Ended:
        counted.append(1)
        return await run(*args, **given)

    monkeypatch.setattr(jail, "run", count)
    return counted


def upload(server: str, data: bytes, name: str = "door.wav") -> dict[str, Any]:
    answer = requests.post(f"{server}/post?name={name}", data=data, timeout=30)
    assert answer.status_code == 201
    sound: dict[str, Any] = answer.json()
    return sound


def file_of(server: str, sound: dict[str, Any], **options: str) -> str:
    query = "&".join(f"{name}={text}" for name, text in options.items())
    return f"{server}/api/v1/sounds/{sound['id']}/file?{query}"


def test_a_sound_of_the_library_comes_in_another_format(server: str, runs: list[int]) -> None:
    sent = tone(bits=24)
    address = file_of(server, upload(server, sent), format="flac", samplerate="44100")
    first = requests.get(address, timeout=60)
    assert (first.status_code, first.headers["Content-Type"]) == (200, "audio/flac")
    assert 'filename="door.flac"' in first.headers["Content-Disposition"]
    assert first.headers["ETag"].startswith('"x-')
    assert "Repr-Digest" not in first.headers
    samples, rate = decoded(first.content)
    assert (len(samples), rate) == (44_100, 44_100)
    again = requests.get(address, timeout=60)
    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])
    assert len(runs) == 1


def test_it_is_sent_like_any_file(server: str) -> None:
    address = file_of(server, upload(server, tone()), format="mp3")
    head = requests.head(address, timeout=60)
    whole = requests.get(address, timeout=60)
    assert int(head.headers["Content-Length"]) == len(whole.content)
    assert head.headers["ETag"] == whole.headers["ETag"]
    ranged = {"Range": "bytes=100-299", "If-Range": whole.headers["ETag"]}
    part = requests.get(address, headers=ranged, timeout=60)
    assert (part.status_code, part.content) == (206, whole.content[100:300])
    known = requests.get(address, headers={"If-None-Match": whole.headers["ETag"]}, timeout=60)
    assert known.status_code == 304


def test_recipes_have_tags_of_their_own(server: str) -> None:
    sound = upload(server, tone())
    recipes = ({"format": "wav"}, {"format": "flac"}, {"format": "wav", "bitdepth": "24"})
    tags = [requests.head(file_of(server, sound, **each), timeout=60).headers["ETag"]
            for each in recipes]  # fmt: skip
    assert len(set(tags)) == 3


def test_all_who_ask_at_once_wait_for_the_same(server: str, runs: list[int]) -> None:
    address = file_of(server, upload(server, tone(seconds=3.0)), format="opus")

    def ask(_number: int) -> bytes:
        return requests.get(address, timeout=60).content

    with concurrent.futures.ThreadPoolExecutor(8) as many:
        answers = set(many.map(ask, range(8)))
    assert (len(answers), len(runs)) == (1, 1)


def test_the_last_who_leaves_takes_the_work_along(server: str) -> None:
    silence = build_wav(Plan(seconds=600, channels=1, sound="silence"))
    address = file_of(server, upload(server, silence), format="mp3")
    # After this no other ffmpeg runs, such as the one that is asked at the start what it can do.
    requests.get(file_of(server, upload(server, tone()), format="mp3"), timeout=60)
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        waiting = other.submit(_give_up_soon, address)
        # Or a fast machine would be done before the one who asked gives up.
        os.kill(until(lambda: children(os.getpid(), "ffmpeg"))[0], signal.SIGSTOP)
        waiting.result()
    until(lambda: not children(os.getpid(), "ffmpeg"))
    assert requests.get(address, timeout=60).status_code == 200


def _give_up_soon(address: str) -> None:
    with pytest.raises(requests.Timeout):
        requests.get(address, timeout=1)


def test_what_cannot_be_made_is_refused_in_words(server: str) -> None:
    sound = upload(server, tone())
    for options, status, words in (
        ({"format": "doc"}, 400, "flac"),
        ({"samplerate": "44100"}, 400, "format"),
        ({"format": "mp3", "handles": "1"}, 400, "handles"),
        ({"format": "mp3", "start": "5"}, 400, "ends after 1 seconds"),
        ({"format": "mp3", "preset": "none"}, 404, "none"),
        ({"formats": "mp3"}, 400, "did you mean"),
    ):
        answer = requests.get(file_of(server, sound, **options), timeout=60)
        assert (answer.status_code, words in answer.json()["detail"]) == (status, True), options


def test_a_recording_that_was_cut_is_converted_as_far_as_it_goes(server: str) -> None:
    sound = upload(server, tone()[:-1000])
    answer = requests.get(file_of(server, sound, format="flac"), timeout=60)
    assert (answer.status_code, len(decoded(answer.content)[0])) == (200, sound["frames"])


def test_a_lost_copy_is_made_anew(tmp_path: Path) -> None:
    with serve(tmp_path / "library") as server:
        address = file_of(server, upload(server, tone()), format="aiff")
        first = requests.get(address, timeout=60).content
        with sounds_of(tmp_path / "library") as paths:
            before = set(paths())
            (made,) = [path for path in before if path.read_bytes() == first]
            made.unlink()
        assert requests.get(address, timeout=60).content == first


def copies(folder: Path) -> list[int]:
    """How large the blobs of a library are, but for those that came as sounds."""
    with sounds_of(folder) as paths:
        return [len(data) for path in paths() if (data := path.read_bytes())[:4] == b"FORM"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_parts_of_sounds_are_kept_within_a_bound_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(kept_copies, "REGION_BUDGET", 300_000)
    with serve(tmp_path / "library") as server:
        sound = upload(server, tone())
        options = (
            {"format": "aiff"},
            *({"format": "aiff", "start": f"0.{n}"} for n in range(1, 8)),
        )
        for each in options:
            answer = requests.request(method, file_of(server, sound, **each), timeout=60)
            assert answer.status_code == 200
        kept = copies(tmp_path / "library")
    assert sum(kept) - max(kept) <= 300_000
    assert len(kept) >= 3
    assert max(kept) > 190_000  # the whole one stays


def test_copies_take_a_share_of_the_room_and_no_more(
    tmp_path: Path, small_disk: Callable[[], int]
) -> None:
    with serve(tmp_path, min_free_bytes=LEFT_FREE) as server:
        sound = upload(server, tone())
        for rate in range(44_100, 44_110):
            address = file_of(server, sound, format="aiff", samplerate=str(rate))
            assert len(requests.get(address, timeout=60).content) > 150_000
        kept = sum(copies(tmp_path))
        assert 150_000 < kept <= (small_disk() + kept - LEFT_FREE) // 10


def test_copies_go_where_an_upload_needs_their_room(
    tmp_path: Path, small_disk: Callable[[], int]
) -> None:
    with serve(tmp_path, min_free_bytes=LEFT_FREE) as server:
        address = file_of(server, upload(server, tone()), format="aiff")
        assert requests.get(address, timeout=60).status_code == 200
        # Who wants more than there is takes nothing from anybody.
        refused = requests.post(f"{server}/post", data=bytes(9_000_000), timeout=30)
        assert (refused.status_code, len(copies(tmp_path))) == (507, 1)
        frames = (small_disk() - LEFT_FREE + 50_000) // 2
        upload(server, build_wav(Plan(frames=frames, channels=1, bits=16)), "more.wav")
        assert copies(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Says what is free of a disk that has nothing but the blobs of the library on it."""

    def free() -> int:
        blobs = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
        return LEFT_FREE + 8_000_000 - sum(path.stat().st_size for path in blobs)

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free()))
    return free


class sounds_of:  # noqa: N801 - it reads like a function
    """Looks at the files of a library."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "blobs"

    def __enter__(self) -> Any:
        return lambda: [path for path in self._folder.rglob("*") if path.is_file()]

    def __exit__(self, *_error: object) -> None:
        pass


@pytest.fixture
def library(tmp_path: Path, database: str) -> tuple[Path, str]:
    return tmp_path / "library", database


def test_what_nobody_asks_for_goes_and_so_does_what_is_too_much(
    library: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, database = library
    with serve(folder, database=database) as server:
        sound = upload(server, tone())
        for form in ("flac", "mp3", "ogg"):
            assert requests.get(file_of(server, sound, format=form), timeout=60).status_code == 200
    now = time.time()
    opened = Library(folder, home_of(database, folder))
    try:
        kept = asyncio.run(opened.catalog.read(_sizes))
        assert len(kept) == 3
        newest = max(kept, key=lambda row: row[1])
        monkeypatch.setattr(kept_copies, "BUDGET", newest[0] + 1)
        assert len(asyncio.run(opened.catalog.write(expire_derivatives, now, ROOM))) == 2
        assert asyncio.run(opened.catalog.read(_sizes)) == [newest]
        assert len(asyncio.run(opened.catalog.read(_unused))) == 2
        later = now + 31 * 86_400
        asyncio.run(opened.catalog.write(expire_derivatives, later, ROOM))
        assert asyncio.run(opened.catalog.read(_sizes)) == []
    finally:
        opened.close()


def _sizes(connection: Connection) -> list[tuple[int, float]]:
    rows = connection.execute(select(derivatives.c.size, derivatives.c.used))
    return [(row.size, row.used) for row in rows]


def _unused(connection: Connection) -> list[str]:
    return list(connection.execute(select(unused.c.name)).scalars())


def test_a_purged_sound_takes_its_copies_along(library: tuple[Path, str]) -> None:
    folder, database = library
    with serve(folder, database=database) as server:
        data = tone()
        oid = requests.put(f"{server}/data/main", data=data, timeout=30).json()["oid"]
        sound = upload(server, data)
        answer = requests.get(file_of(server, sound, format="flac"), timeout=60)
        assert likeness(decoded(answer.content)[0], decoded(data)[0]) > 0.999
        address = f"{server}/api/v1/sounds/{sound['id']}"
        assert requests.delete(address, timeout=10).status_code == 204
        trashed = f"{server}/api/v1/trash/{sound['id']}"
        assert requests.delete(trashed, timeout=10).status_code == 204
        assert requests.delete(f"{server}/data/main/{oid}", timeout=10).status_code == 200
    opened = Library(folder, home_of(database, folder))
    try:
        assert asyncio.run(opened.catalog.read(_sizes)) == []
    finally:
        opened.close()
