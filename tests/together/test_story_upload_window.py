"""An upload as it stands in the window: checked, sent, paused, resumed, cancelled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import requests
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.transfers import Action, LineRole
from sonoteca_desktop.transfers.queue import State
from tests.kit.desktop import desktop, drop, is_in, rows, transfer, wait_for
from tests.kit.http import server_process
from tests.kit.throttle import line
from tests.kit.wavs import write_wav

MIB = 1 << 20


def words(client: Desktop) -> str:
    """The second line of the first transfer, as it stands in the window."""
    return str(client.transfers.index(0).data(LineRole) or "")


def click(qtbot: QtBot, client: Desktop, action: Action) -> None:
    """Click a button of the first transfer, when it can be seen."""
    transfers = client.window.transfers.list
    wait_for(qtbot, lambda: transfers.button_rect(0, action).isValid())
    place = transfers.button_rect(0, action).center()
    qtbot.mouseClick(transfers.viewport(), Qt.MouseButton.LeftButton, pos=place)


@pytest.mark.timeout(90)
def test_an_upload_is_paused_over_a_restart_of_the_window_and_goes_on(
    qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "rain.wav", frames=24 * MIB // 4, seed=4)
    size = path.stat().st_size
    with server_process(tmp_path / "library") as server, line(server.url) as counted:
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            client.queue.set_limit(4 * MIB)
            drop(client, path)
            wait_for(qtbot, lambda: client.queue.snapshot())
            wait_for(
                qtbot,
                lambda: (
                    is_in(client, "rain.wav", State.RUNNING)
                    and transfer(client, "rain.wav").done > 0.3 * size
                ),
                seconds=20,
            )
            wait_for(qtbot, lambda: " of 25 MB · " in words(client))
            click(qtbot, client, Action.PAUSE)
            wait_for(qtbot, lambda: is_in(client, "rain.wav", State.PAUSED))
            wait_for(qtbot, lambda: words(client).startswith("Paused at "))
            client.window.close()
        server.stop()
        server.start()
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            again = wait_for(qtbot, lambda: client.queue.snapshot())[0]
            assert (again.state, round(10 * again.done / size)) == (State.PAUSED, 3)
            assert words(client).startswith("Paused at ")
            client.queue.set_limit(None)
            click(qtbot, client, Action.RESUME)
            wait_for(qtbot, lambda: is_in(client, "rain.wav", State.DONE), seconds=30)
            wait_for(qtbot, lambda: words(client) == "25 MB · uploaded")
            wait_for(qtbot, lambda: rows(client) == [("", "rain.wav")])
        assert counted.asked - size < 2 * MIB
        [sound] = requests.get(f"{server.url}/info", timeout=10).json()
        kept = requests.get(server.url + sound["links"]["file"], timeout=30).content
        assert kept == path.read_bytes()


@pytest.mark.timeout(60)
def test_a_file_that_is_checked_says_so_and_can_be_stopped(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "long.wav")
    os.truncate(path, 20_000_000_000)  # nothing on the disk, and half a minute to read
    with (
        server_process(tmp_path / "library") as server,
        desktop(qtbot, server.url, tmp_path / "client") as client,
    ):
        drop(client, path)
        wait_for(qtbot, lambda: words(client).startswith("Checking "))
        wait_for(qtbot, lambda: transfer(client, "long.wav").done > 0)
        click(qtbot, client, Action.PAUSE)
        wait_for(qtbot, lambda: words(client).startswith("Paused at 0 of 20"))
        click(qtbot, client, Action.RESUME)
        wait_for(qtbot, lambda: words(client).startswith("Checking "))
        click(qtbot, client, Action.CANCEL)
        wait_for(qtbot, lambda: not client.queue.snapshot())
        assert path.stat().st_size == 20_000_000_000
