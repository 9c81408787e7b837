"""`sonoteca sync`: what the window would do by itself, done from a shell while it is closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_desktop.client import Client
from sonoteca_desktop.settings import Places
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.transfers.journal import Journal, Pin
from sonoteca_desktop.transfers.queue import State, TransferQueue
from tests.kit.http import ServerProcess, server_process
from tests.kit.shell import Shell
from tests.kit.wavs import Plan, build_wav, write_wav

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with server_process(tmp_path / "library") as server:
        yield server


@pytest.fixture
def places(server: ServerProcess, tmp_path: Path) -> Places:
    return Places(tmp_path / "home", server.url)


@pytest.fixture
def shell(server: ServerProcess, places: Places) -> Shell:
    return Shell(server.url, places.folder)


def post(server: ServerProcess, name: str, seed: int) -> bytes:
    data = build_wav(Plan(frames=5_000, seed=seed))
    requests.post(f"{server.url}/post?name={name}", data=data, timeout=10).raise_for_status()
    return data


def window(places: Places) -> tuple[Journal, TransferQueue]:
    """The list of transfers as the window has it open."""
    places.folder.mkdir(exist_ok=True)
    journal = Journal(places.journal)
    return journal, TransferQueue(journal, Client(places.server), changed=lambda: None)


def keep(places: Places, query: str) -> None:
    journal, queue = window(places)
    journal.pin(queue.server, [Pin("search", query)])
    journal.close()


def kept(places: Places) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in places.kept.glob("**/*.wav")}


def test_the_copy_follows_and_what_is_kept_is_here(
    server: ServerProcess, shell: Shell, places: Places
) -> None:
    rain = post(server, "rain.wav", 1)
    post(server, "door.wav", 2)
    first = shell.run("sync")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "2 sounds in the copy of the library, 0 kept here\n"
    keep(places, "rain OR wind")
    second = shell.run("sync")
    assert second.returncode == 0, second.stderr
    assert "1 kept here" in second.stdout
    assert list(kept(places).values()) == [rain]
    wind = post(server, "wind.wav", 3)
    third = shell.run("sync", "--json")
    assert [json.loads(line)["name"] for line in third.stdout.splitlines()] == ["wind.wav"]
    assert sorted(kept(places).values()) == sorted([rain, wind])
    mirror = Mirror(places.mirror)
    assert mirror.count() == 3
    mirror.close()


def test_what_the_user_put_into_the_window_is_left_as_it_is(
    server: ServerProcess, shell: Shell, places: Places, tmp_path: Path
) -> None:
    post(server, "rain.wav", 1)
    journal, queue = window(places)
    key = queue.upload(write_wav(tmp_path / "mine.wav"), "")
    journal.close()
    keep(places, "rain")
    assert shell.run("sync").returncode == 0
    journal, queue = window(places)
    [mine] = [each for each in queue.snapshot() if each.key == key]
    assert mine.state is State.QUEUED
    journal.close()
    assert requests.get(f"{server.url}/list", timeout=10).json() == ["rain.wav"]


def test_with_the_window_open_or_the_server_away_it_says_so(
    server: ServerProcess, shell: Shell, places: Places
) -> None:
    journal, _ = window(places)
    refused = shell.run("sync")
    assert refused.returncode == 1
    assert "Another Sonoteca is using the list of transfers" in refused.stderr
    assert refused.stderr.count("\n") == 1
    journal.close()
    server.kill()
    away = shell.run("sync")
    assert away.returncode == 1
    assert "cannot be reached" in away.stderr


def test_a_file_that_cannot_be_fetched_is_told_and_ends_with_1(
    server: ServerProcess, shell: Shell, places: Places
) -> None:
    post(server, "rain.wav", 1)
    assert shell.run("sync").returncode == 0
    keep(places, "rain")
    places.kept.write_text("no folder")  # where a folder should be
    told = shell.run("sync")
    assert told.returncode == 1
    assert str(places.kept) in told.stderr
    places.kept.unlink()
    assert shell.run("sync").returncode == 0
    assert len(kept(places)) == 1
