"""A head start changes how long a conversion takes, and nothing else."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sonoteca_server.jobs import headstart, jail
from sonoteca_shared.wav import describe
from tests.judge import tags
from tests.kit.converting import convert, decoded, tone
from tests.kit.engines import require
from tests.kit.http import serve
from tests.kit.processes import children
from tests.kit.raw import connect
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav, chunk

pytestmark = [pytest.mark.timeout(120)]
SOUND = build_wav(Plan(seconds=100, sound="silence"))  # 19 MB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("ffmpeg")
    with serve(tmp_path_factory.mktemp("convert"), conversions=1) as address:
        yield address


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How ffmpeg was run: `fed` with a head start, `whole` without."""
    # However busy this machine is, these lines count as fast ones.
    monkeypatch.setattr(headstart, "_QUICKLY_S", 60.0)
    monkeypatch.setattr(headstart, "_STARVED_S", 60.0)
    seen: list[str] = []
    run, run_fed = jail.run, jail.run_fed

    async def whole(*args: Any, **given: Any) -> jail.Ended:
        seen.append("whole")
        return await run(*args, **given)

    async def fed(*args: Any, **given: Any) -> jail.Ended:
        try:
            ended = await run_fed(*args, **given)
        except Exception:
            seen[-1] = "starved"
            raise
        seen[-1] = "fed"
        return ended

    monkeypatch.setattr(jail, "run", whole)
    monkeypatch.setattr(jail, "run_fed", fed)
    return seen


def slowly(data: bytes) -> Iterator[bytes]:
    """The data with a rest behind the first half, so that there is time for a head start."""
    half = len(data) // 2
    for start in range(0, half, 1 << 20):
        yield data[start : min(half, start + (1 << 20))]
    time.sleep(0.5)
    yield data[half:]


def send(server: str, data: bytes, query: str = "format=flac") -> requests.Response:
    return requests.post(f"{server}/convert?{query}", data=slowly(data), timeout=60)


def test_it_gives_the_same_bytes(
    server: str, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "format=wav&samplerate=44100"
    told = ((b"iXML", tags.ixml("<SCENE>7</SCENE>")), (b"cue ", tags.cues({1: 96_000})))
    sound = build_wav(Plan(seconds=100, sound="silence", before=told))
    early = send(server, sound, query)
    monkeypatch.setattr(headstart, "_ENOUGH", 1 << 40)
    late = send(server, sound, query)
    assert (early.status_code, runs) == (200, ["fed", "whole"])
    assert early.content == late.content
    assert b"<SCENE>7</SCENE>" in early.content
    facts = describe(lambda at, count: early.content[at : at + count], len(early.content))
    assert [marker.at for marker in facts.metadata.markers] == [2.0]


def test_texts_behind_the_sound_are_not_lost(server: str, runs: list[str]) -> None:
    title = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"At the end\0"))
    body = SOUND[8:] + title
    data = b"RIFF" + len(body).to_bytes(4, "little") + body
    answer = send(server, data)
    assert (answer.status_code, runs) == (200, ["whole"])
    assert b"At the end" in answer.content


def test_a_file_that_is_cut_or_goes_on_is_judged_as_a_whole(server: str, runs: list[str]) -> None:
    assert send(server, SOUND[:-1_000_000]).json()["code"] == "truncated"
    longer = send(server, SOUND + bytes(1000))
    assert longer.status_code == 200
    assert len(decoded(longer.content)[0]) == 4_800_000
    assert runs[-1] == "whole"


@pytest.mark.usefixtures("runs")
def test_options_behind_the_file_count(server: str) -> None:
    parts: Any = [
        ("format", (None, "flac")),
        ("file", ("a.wav", SOUND)),
        ("channels", (None, "1")),
    ]
    answer = requests.post(f"{server}/convert", files=parts, timeout=60)
    assert decoded(answer.content)[0].shape[1] == 1


def test_a_line_that_falls_asleep_gives_its_turn_back(
    server: str, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headstart, "_STARVED_S", 0.0)

    def asleep() -> Iterator[bytes]:
        half = len(SOUND) // 2
        yield from (SOUND[at : at + (1 << 20)] for at in range(0, half, 1 << 20))
        until(lambda: "starved" in runs)
        # The first half was sent in whole blocks.
        yield SOUND[-(-half // (1 << 20)) * (1 << 20) :]

    answer = requests.post(f"{server}/convert?format=flac", data=asleep(), timeout=60)
    assert len(decoded(answer.content)[0]) == 4_800_000
    assert runs == ["starved", "whole"]


@pytest.mark.usefixtures("runs")
def test_a_line_that_only_drips_keeps_nobody_waiting(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headstart, "_STARVED_S", 2.0)
    served = threading.Event()
    head = (
        "POST /convert?format=flac HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {len(SOUND)}\r\n\r\n"
    )
    with connect(server) as line, concurrent.futures.ThreadPoolExecutor(1) as other:
        line.sendall(head.encode() + SOUND[: 10 << 20])
        until(lambda: children(os.getpid(), "ffmpeg"))
        dripping = other.submit(drip, line, SOUND[10 << 20 :], served)
        try:
            assert convert(server, tone(), format="mp3").status_code == 200
            assert not dripping.done()
        finally:
            served.set()
        line.sendall(SOUND[dripping.result() :])
        line.settimeout(60)
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 200")


def drip(line: socket.socket, data: bytes, end: threading.Event) -> int:
    """Send a kilobyte now and then until the end; how far into the sound that is."""
    at = 0
    while at < 1 << 20 and not end.wait(0.02):
        line.sendall(data[at : at + 1024])
        at += 1024
    return (10 << 20) + at


@pytest.mark.usefixtures("runs")
def test_nothing_is_left_of_a_line_that_breaks(server: str) -> None:
    def broken() -> Iterator[bytes]:
        yield from slowly(SOUND[: 12 << 20])
        raise ConnectionResetError

    with pytest.raises(requests.ConnectionError):
        requests.post(f"{server}/convert?format=mp3", data=broken(), timeout=60)
    assert until(lambda: send(server, SOUND).status_code == 200)
