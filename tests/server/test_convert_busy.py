"""`/convert` under load: a few processes at a time, a queue with an end, and none left behind."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_server.jobs import conversion
from tests.kit.converting import convert, tone
from tests.kit.engines import require
from tests.kit.http import ServerProcess, serve, server_process
from tests.kit.processes import children, is_running
from tests.kit.raw import connect
from tests.kit.wait import until

pytestmark = [pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Hours of silence in little space: it takes ffmpeg minutes to convert."""
    path = tmp_path_factory.mktemp("long") / "long.flac"
    program = str(require("ffmpeg").with_name("ffmpeg"))
    source = ["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:d=40000"]
    subprocess.run([program, "-v", "error", *source, str(path)], check=True)
    return path.read_bytes()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server as a process of its own."""
    with server_process(tmp_path / "library", "--conversions", "2") as server:
        yield server


def begin(server: str, data: bytes) -> socket.socket:
    """A connection on which a long conversion was asked for, with all of the file sent."""
    line = connect(server)
    head = (
        "POST /convert?format=opus HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    line.sendall(head.encode() + data)
    return line


def running(server: ServerProcess) -> list[int]:
    return children(server.pid, "ffmpeg")


def test_a_client_that_leaves_takes_its_process_along(
    process: ServerProcess, long_sound: bytes
) -> None:
    with begin(process.url, long_sound):
        until(lambda: running(process))
    until(lambda: not running(process))
    assert convert(process.url, tone(), format="mp3").status_code == 200


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_no_process_outlives_its_server(
    process: ServerProcess, long_sound: bytes, end: str
) -> None:
    with begin(process.url, long_sound):
        (pid,) = until(lambda: running(process))
        getattr(process, end)()
        until(lambda: not is_running(pid))


def test_sixty_at_once_are_two_at_a_time(process: ServerProcess) -> None:
    most, done = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.005):
            most = max(most, len(running(process)))

    def ask(_number: int) -> int:
        return convert(process.url, data, format="mp3").status_code

    data = tone(seconds=1.0)
    watcher = threading.Thread(target=watch)
    watcher.start()
    with concurrent.futures.ThreadPoolExecutor(60) as many:
        answers = [many.submit(ask, number) for number in range(60)]
        until(lambda: running(process))
        listed = [requests.get(f"{process.url}/list", timeout=10).status_code for _ in range(5)]
        statuses = [answer.result() for answer in answers]
    done.set()
    watcher.join()
    assert (set(statuses), set(listed)) == ({200}, {200})
    assert 1 <= most <= 2


def test_who_finds_the_queue_full_is_told_when_to_come_again(
    tmp_path: Path, long_sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "MOST_WAITING", 1)
    with serve(tmp_path / "library", conversions=1) as server:
        with begin(server, long_sound), begin(server, long_sound):
            until(lambda: children(os.getpid(), "ffmpeg"))
            code, wait_s = until(lambda: refused(server))  # type: ignore[misc]
            assert code == "conversions-full"
            assert int(wait_s) > 0
        until(lambda: not children(os.getpid(), "ffmpeg"))
        until(lambda: convert(server, tone(), format="mp3").status_code == 200)


def refused(server: str) -> tuple[str, str] | tuple[()]:
    """Why one more is refused, once it is: those before have to be in the queue first."""
    try:
        answer = requests.post(f"{server}/convert?format=mp3", data=tone(seconds=0.1), timeout=0.5)
    except requests.Timeout:
        return ()
    if answer.status_code != 429:
        return ()
    return answer.json()["code"], answer.headers["Retry-After"]


def test_nothing_is_left_in_the_library(tmp_path: Path) -> None:
    require("ffmpeg")
    with serve(tmp_path / "library") as server:
        assert convert(server, tone(), format="flac").status_code == 200
        assert convert(server, tone()[:-500], format="flac").status_code == 422
        assert requests.get(f"{server}/list", timeout=10).json() == []
        assert list((tmp_path / "library" / "incoming").iterdir()) == []


def test_a_server_without_ffmpeg_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sonoteca_server.jobs.ffmpeg.find", lambda: None)
    with serve(tmp_path / "library") as server:
        answer = convert(server, tone(), format="mp3")
        assert (answer.status_code, answer.json()["code"]) == (503, "no-converter")
        assert "ffmpeg" in answer.json()["detail"]


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    require("ffmpeg")
    with serve(tmp_path / "library", max_upload_bytes=10_000) as server:
        assert convert(server, tone(), format="mp3").status_code == 413


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    require("ffmpeg")
    with serve(tmp_path / "library", min_free_bytes=1 << 60) as server:
        assert convert(server, tone(), format="mp3").status_code == 507
