"""Transfers that are killed at either end, again and again: they arrive, and little goes twice."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.plan import Kind, State
from sonoteca_desktop.transfers.queue import TransferQueue
from tests.faults.transfers import Run, Scene, again, kill_again_and_again
from tests.kit.http import serve
from tests.kit.proxy import Passed
from tests.kit.throttle import line
from tests.kit.wait import until
from tests.kit.wavs import write_wav


def run(folder: Path, kills: int, *, several: bool = False) -> None:
    seed = random.SystemRandom().getrandbits(32)
    done = kill_again_and_again(folder, kills=kills, seed=seed, several=several)
    assert done.faults == [], done.table()
    assert done.killed == kills
    assert done.arrived >= 2, done.table()  # one each way at least


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_kills_of_either_end_cost_little(tmp_path: Path) -> None:
    run(tmp_path, 10)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_kills_of_a_download_in_segments_cost_little(tmp_path: Path) -> None:
    run(tmp_path, 10, several=True)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_a_hundred_kills_of_downloads_in_segments_cost_little(tmp_path: Path) -> None:
    run(tmp_path, 100, several=True)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_two_hundred_kills_of_either_end_cost_little(tmp_path: Path) -> None:
    run(tmp_path, 200)


def test_bytes_that_go_twice_are_seen() -> None:
    down = [
        Passed("GET", "/data/main/1", {}, received=100),
        Passed("GET", "/api/v1/changes", {}, received=9),
        Passed("GET", "/data/main/1", {"Range": "bytes=60-"}, received=40),
        Passed("GET", "/data/main/1", {"Range": "bytes=100-"}, received=40),
    ]
    up = [
        Passed("PATCH", "/files/1", {"Upload-Offset": "0"}, sent=100),
        Passed("PATCH", "/files/1", {"Upload-Offset": "0"}, sent=100),
    ]
    assert again(Kind.DOWNLOAD, [[each] for each in down]) == [0, 0, 40, 0]
    assert again(Kind.DOWNLOAD, [down[:1], down[1:]]) == [0, 40]
    assert again(Kind.UPLOAD, [[each] for each in up]) == [0, 100]


@pytest.mark.slow
def test_a_journal_that_says_too_much_is_seen(tmp_path: Path) -> None:
    seen = Run(seed=1)
    scene = Scene(tmp_path, seen)
    try:
        scene.order(Kind.DOWNLOAD, 1)
        scene.look()
        assert seen.faults == []
        journal = Journal(scene.journal)
        rows = journal.rows("this computer")
        rows[0].durable, rows[1].state = 1000, State.QUEUED
        journal.save(rows)
        journal.close()
        scene.look()
    finally:
        scene.close()
    assert [fault.partition(" ")[0] for fault in seen.faults] == ["the", "1000"]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_seven_kills_of_the_desktop_cost_next_to_nothing(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "take.wav", frames=3_000_000, seed=9)
    size = source.stat().st_size
    folder, journal = tmp_path / "sounds", tmp_path / "journal.sqlite"
    folder.mkdir()
    with serve(tmp_path / "library") as server, line(server, rate=size / 2) as counted:
        requests.post(f"{server}/post?name=take.wav", data=source.read_bytes(), timeout=30)
        client, known = Client(server), Journal(journal)
        [change] = [each for each in client.changes(None).results if each.sound]
        assert change.sound is not None
        TransferQueue(known, client, changed=lambda: None).download(change.sound, folder)
        known.close()
        client.close()
        command = [sys.executable, "-m", "tests.faults.desktop", counted.url, str(journal), "0"]
        for eighth in range(1, 8):
            with subprocess.Popen(command) as desktop:
                until(lambda many=eighth: counted.sent > many * size / 8)  # type: ignore[misc]
                desktop.kill()
        assert subprocess.run(command, timeout=30, check=True).returncode == 0
        assert (folder / "take.wav").read_bytes() == source.read_bytes()
        assert counted.sent <= 1.1 * size
