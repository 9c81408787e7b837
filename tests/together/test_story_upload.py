"""Uploads to our own server, over lines that break and through crashes of either end."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_desktop.transfers import plan
from sonoteca_desktop.transfers import queue as queue_module
from sonoteca_desktop.transfers.queue import State
from tests.kit.desk import Workplace
from tests.kit.http import ServerProcess, server_process
from tests.kit.throttle import Line, line
from tests.kit.wait import until
from tests.kit.wavs import write_broken, write_wav

MEGABYTE = 1 << 20
SIZE = 64 * MEGABYTE
TWICE_AT_MOST = 16 * MEGABYTE
QUESTIONS = 20_000
"""Bytes that heads of requests may have, beside those of files."""

DESKTOP = """
import sys, threading
from pathlib import Path
from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import TransferQueue
url, journal, *files = sys.argv[1:]
queue = TransferQueue(Journal(Path(journal)), Client(url), changed=lambda: None)
queue.set_limit(32 << 20)
queue.start()
queue.upload_all([(Path(file), "field") for file in files])
threading.Event().wait()
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with server_process(tmp_path / "library") as server:
        yield server


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Line]:
    with line(server.url) as wire:
        yield wire


@pytest.fixture
def desk(wire: Line, tmp_path: Path) -> Iterator[Workplace]:
    desk = Workplace(wire.url, tmp_path)
    yield desk
    desk.quit()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance always says: try again very soon."""
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: 0.02)  # noqa: ARG005


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    return write_wav(folder / "long.wav", frames=SIZE // 4, seed=5)


def names(server: ServerProcess) -> list[tuple[str, str]]:
    sounds = requests.get(f"{server.url}/info", timeout=10).json()
    return sorted((sound["folder"], sound["name"]) for sound in sounds)


def assert_arrived(server: ServerProcess, source: Path) -> None:
    [sound] = requests.get(f"{server.url}/info", timeout=10).json()
    kept = requests.get(server.url + sound["links"]["file"], timeout=30).content
    assert kept == source.read_bytes()
    assert hashlib.sha256(kept).hexdigest() == sound["sha256"]


def test_seven_cuts_cost_next_to_nothing(
    server: ServerProcess, wire: Line, desk: Workplace, long: Path
) -> None:
    wire.cut_at(*(number * SIZE // 8 for number in range(1, 8)))
    key = desk.queue.upload(long, "field")
    desk.until_state(key, State.DONE)
    assert wire.connections >= 8
    assert wire.asked <= 1.1 * SIZE
    assert_arrived(server, long)


def test_a_killed_server_costs_little(
    server: ServerProcess, wire: Line, desk: Workplace, long: Path
) -> None:
    desk.queue.set_limit(48 * MEGABYTE)
    key = desk.queue.upload(long, "field")
    for share in (0.3, 0.6, 0.9):
        desk.until(lambda share=share: wire.asked > share * SIZE)  # type: ignore[misc]
        server.kill()
        desk.until(lambda: desk[key].state is State.WAITING)
        server.start()
    desk.until_state(key, State.DONE)
    assert wire.asked - SIZE <= 3 * TWICE_AT_MOST
    assert_arrived(server, long)


def test_a_killed_desktop_sends_little_twice(
    server: ServerProcess, wire: Line, long: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "transfers.db"
    files = [str(long)]
    for share in (0.3, 0.6, 0.9):
        command = [sys.executable, "-c", DESKTOP, wire.url, str(journal), *files]
        desktop = subprocess.Popen(command)
        already = wire.asked
        until(lambda share=share: wire.asked > share * SIZE, seconds=20)  # type: ignore[misc]
        assert already < wire.asked
        os.kill(desktop.pid, signal.SIGKILL)
        desktop.wait()
        files = []  # the journal knows
    command = [sys.executable, "-c", DESKTOP, wire.url, str(journal)]
    with subprocess.Popen(command) as desktop:
        until(lambda: names(server) == [("field", "long.wav")], seconds=20)
        desktop.kill()
    assert wire.asked - SIZE <= 3 * TWICE_AT_MOST
    assert_arrived(server, long)


def test_a_pause_outlives_both_ends(
    server: ServerProcess, wire: Line, desk: Workplace, long: Path
) -> None:
    desk.queue.set_limit(24 * MEGABYTE)
    key = desk.queue.upload(long, "field")
    desk.until(lambda: desk[key].state is State.RUNNING and desk[key].done > 0.3 * SIZE)
    desk.queue.pause(key)
    desk.until(lambda: wire.open_connections <= 1)
    desk.quit()
    server.stop()
    server.start()
    stood = requests.get(f"{server.url}/healthz", timeout=10)
    assert stood.ok
    desk.open()
    paused = desk[key]
    assert paused.state is State.PAUSED
    assert 0.28 < paused.done / paused.total < 0.4
    sent = wire.asked
    desk.queue.set_limit(None)
    desk.queue.resume(key)
    desk.until_state(key, State.DONE)
    assert wire.asked - sent <= paused.total - paused.done + QUESTIONS
    assert_arrived(server, long)


def test_what_is_there_already_is_not_sent(
    server: ServerProcess, wire: Line, desk: Workplace, long: Path
) -> None:
    with long.open("rb") as body:
        requests.post(f"{server.url}/post?name=first.wav", data=body, timeout=30)
    key = desk.queue.upload(long, "field")
    assert desk.until_state(key, State.DONE).note == "already there as first.wav"
    assert wire.asked < QUESTIONS


def test_bytes_that_no_sound_has_any_more_become_one_without_sending(
    server: ServerProcess, wire: Line, desk: Workplace, long: Path
) -> None:
    with long.open("rb") as body:
        requests.put(f"{server.url}/data/main", data=body, timeout=30)
    key = desk.queue.upload(long, "field")
    assert desk.until_state(key, State.DONE).note == ""
    assert wire.asked < QUESTIONS
    assert names(server) == [("field", "long.wav")]
    assert_arrived(server, long)


def test_a_recording_that_still_grows_is_sent_as_it_is_in_the_end(
    server: ServerProcess, desk: Workplace, tmp_path: Path
) -> None:
    source = write_wav(tmp_path / "take.wav", frames=4 * MEGABYTE, seed=6)
    desk.queue.set_limit(8 * MEGABYTE)
    key = desk.queue.upload(source, "field")
    desk.until(lambda: desk[key].state is State.RUNNING and desk[key].done > 2 * MEGABYTE)
    write_wav(source, frames=5 * MEGABYTE, seed=7)
    desk.queue.set_limit(None)
    desk.until_state(key, State.DONE)
    assert_arrived(server, source)


def test_files_that_are_no_sounds_are_refused_in_words(
    server: ServerProcess, desk: Workplace, tmp_path: Path
) -> None:
    empty = write_broken(tmp_path / "empty.wav", "empty")
    text = write_broken(tmp_path / "text.wav", "text")
    keys = desk.queue.upload_all([(empty, ""), (text, "")])
    desk.until(lambda: not desk.queue.busy)
    assert [desk[key].state for key in keys] == [State.FAILED] * 2
    assert desk[keys[0]].note == "The file is empty"
    assert "it is text, not a WAV (at byte 0)" in desk[keys[1]].note
    assert names(server) == []


def test_a_full_server_is_waited_for(
    tmp_path: Path, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "SERVER_FULL_WAIT", 0.2)
    with server_process(tmp_path / "library", "--min-free-bytes", str(10**17)) as full:
        desk = Workplace(full.url, tmp_path)
        key = desk.queue.upload(long, "field")
        blocked = desk.until_state(key, State.BLOCKED)
        assert "disk is full" in blocked.note
        full.stop()
        full.start("--min-free-bytes", "1000000")
        desk.until_state(key, State.DONE)
        assert_arrived(full, long)
        desk.quit()


def test_two_hundred_files_arrive_as_one_drop(
    server: ServerProcess, desk: Workplace, tmp_path: Path
) -> None:
    files = [write_wav(tmp_path / f"{number:03}.wav", seed=number) for number in range(200)]
    keys = desk.queue.upload_all([(file, "drop") for file in files])
    desk.until(lambda: not desk.queue.busy, seconds=60)
    assert {desk[key].state for key in keys} == {State.DONE}
    assert {desk[key].note for key in keys} == {""}
    assert names(server) == [("drop", file.name) for file in files]
