"""Downloads that go on: after a pause, after a crash of either end, after both."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
import requests
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.transfers import Action
from sonoteca_desktop.transfers.queue import State
from tests.kit.desktop import ClientProcess, desktop, is_in, rows, transfer, wait_for
from tests.kit.http import server_process
from tests.kit.throttle import line
from tests.kit.wait import until
from tests.kit.wavs import write_wav

MIB = 1 << 20


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def upload(server: str, path: Path) -> None:
    with path.open("rb") as file:
        answer = requests.post(f"{server}/post?name={path.name}", data=file, timeout=60)
    assert answer.status_code == 201


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_download_survives_the_death_of_server_and_client(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav", seconds=720, channels=2, bits=24, seed=3)
    size = path.stat().st_size
    assert size >= 200_000_000
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with (
        server_process(tmp_path / "library") as server,
        line(server.url) as counted,
    ):
        upload(server.url, path)
        counted.limit(40 * MIB)
        client = ClientProcess(counted.url, tmp_path / "client", downloads)
        try:
            until(lambda: counted.sent > 60 * MIB, seconds=30)
            server.kill()
            counted.cut()
            server.start()
            until(lambda: counted.sent > 120 * MIB, seconds=30)
            client.kill()
            assert not (downloads / "long.wav").exists()
            counted.limit(None)
            client.start()
            until((downloads / "long.wav").exists, seconds=40)
        finally:
            client.kill()
        assert sha256(downloads / "long.wav") == sha256(path)
        assert counted.sent - size <= 16 * MIB
    assert [file.name for file in downloads.iterdir()] == ["long.wav"]


def click(qtbot: QtBot, client: Desktop, action: Action) -> None:
    """Click a button of the first transfer, when it can be seen."""
    transfers = client.window.transfers.list
    wait_for(qtbot, lambda: transfers.button_rect(0, action).isValid())
    place = transfers.button_rect(0, action).center()
    qtbot.mouseClick(transfers.viewport(), Qt.MouseButton.LeftButton, pos=place)


@pytest.mark.timeout(90)
def test_paused_stays_paused_over_a_restart_and_resumes_to_the_same_bytes(
    qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "rain.wav", seconds=60, channels=2, bits=24, seed=4)
    size = path.stat().st_size
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with server_process(tmp_path / "library") as server, line(server.url) as counted:
        upload(server.url, path)
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            client.queue.set_limit(4 * MIB)
            wait_for(qtbot, lambda: rows(client))
            client.window.library.table.select_row(0)
            client.player.stop()
            client.window.downloadRequested.emit([client.sounds.sound(0)], downloads)
            wait_for(
                qtbot,
                lambda: client.queue.snapshot() and transfer(client, "rain.wav").done > 0.3 * size,
                seconds=20,
            )
            click(qtbot, client, Action.PAUSE)
            wait_for(qtbot, lambda: is_in(client, "rain.wav", State.PAUSED))
            wait_for(qtbot, lambda: transfer(client, "rain.wav").speed == 0)
            stopped_at = transfer(client, "rain.wav").done
            assert 0.25 * size < stopped_at < 0.6 * size
            qtbot.wait(300)
            sent = counted.sent
            qtbot.wait(700)
            # The feed is still asked each second; of the sound not one byte comes.
            assert counted.sent - sent < 10_000
            client.window.close()
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            again = wait_for(qtbot, lambda: client.queue.snapshot())[0]
            assert again.state is State.PAUSED
            assert round(100 * again.done / size) == round(100 * stopped_at / size)
            assert not (downloads / "rain.wav").exists()
            client.queue.set_limit(None)
            click(qtbot, client, Action.RESUME)
            wait_for(qtbot, lambda: is_in(client, "rain.wav", State.DONE), seconds=30)
        assert sha256(downloads / "rain.wav") == sha256(path)
        assert counted.sent - size < 2 * MIB


def test_the_journal_tells_of_nothing_that_is_not_on_disk(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "rain.wav", seconds=20, channels=2, bits=24)
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with server_process(tmp_path / "library") as server:
        upload(server.url, path)
        with desktop(qtbot, server.url, tmp_path / "client") as client:
            client.queue.set_limit(2 * MIB)
            wait_for(qtbot, lambda: rows(client))
            client.window.downloadRequested.emit([client.sounds.sound(0)], downloads)
            wait_for(qtbot, lambda: list(downloads.glob("*.part")))
            part = next(downloads.glob("*.part"))
            wait_for(qtbot, lambda: transfer(client, "rain.wav").done > MIB)
        with sqlite3.connect(tmp_path / "client" / "journal.sqlite") as journal:
            journal.row_factory = sqlite3.Row
            durable = dict(journal.execute("SELECT * FROM transfers").fetchone())
        journal.close()
        assert part.read_bytes()[: durable["durable"]] == path.read_bytes()[: durable["durable"]]
