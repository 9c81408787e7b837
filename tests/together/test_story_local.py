"""What was downloaded plays, and can be found, with the server away."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Where
from sonoteca_desktop.transfers import queue
from sonoteca_desktop.transfers.queue import State
from tests.kit.audio import CapturingOutputs
from tests.kit.desktop import desktop, is_in, rows, wait_for
from tests.kit.http import serve, server_process
from tests.kit.wavs import write_wav


def test_the_first_start_says_what_to_do(qtbot: QtBot, tmp_path: Path) -> None:
    def title() -> str:
        picture = client.window.library.empty.picture
        return picture.title if picture is not None else ""

    with (
        server_process(tmp_path / "library") as server,
        desktop(qtbot, server.url, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        wait_for(qtbot, lambda: title() == "Drop WAV files or folders here")
        assert client.window.library.empty.isVisible()
        server.kill()
        wait_for(qtbot, lambda: "cannot be reached" in title())


def test_the_first_window_is_no_larger_than_the_screen(qtbot: QtBot, tmp_path: Path) -> None:
    with desktop(qtbot, "http://127.0.0.1:9", tmp_path, output=CapturingOutputs()) as client:
        room = client.window.screen().availableGeometry()
        assert client.window.height() < room.height()
        assert client.window.width() < max(room.width(), client.window.minimumWidth() + 1)


@pytest.mark.timeout(60)
def test_a_download_that_was_moved_away_is_on_the_server_again(
    qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_wav(tmp_path / "rain.wav", seconds=1)
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        requests.post(f"{server}/post?name=rain.wav", data=path.read_bytes(), timeout=10)
        wait_for(qtbot, lambda: rows(client))
        sound = client.sounds.sound(0)
        assert sound is not None
        (tmp_path / "downloads").mkdir()
        client.window.downloadRequested.emit([sound], tmp_path / "downloads")
        wait_for(qtbot, lambda: client.sounds.where(sound) is Where.LOCAL)
        (tmp_path / "downloads").rename(tmp_path / "elsewhere")
        client.window.library.table.select_row(0)  # it plays from the server
        wait_for(qtbot, lambda: client.sounds.where(sound) is Where.CLOUD)


@pytest.mark.timeout(60)
def test_transfers_go_on_at_once_when_the_server_is_back(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "back_off", lambda tries, chance: 600.0)  # noqa: ARG005
    path = write_wav(tmp_path / "rain.wav", seconds=0.2)
    with (
        server_process(tmp_path / "library") as server,
        desktop(qtbot, server.url, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        wait_for(qtbot, lambda: "connected" in client.window.top.server.toolTip())
        server.kill()
        client.upload([path])
        wait_for(qtbot, lambda: is_in(client, "rain.wav", State.WAITING))
        wait_for(qtbot, lambda: "cannot be reached" in client.window.top.server.toolTip())
        server.start()
        wait_for(qtbot, lambda: is_in(client, "rain.wav", State.DONE), seconds=20)


@pytest.mark.timeout(60)
def test_a_downloaded_sound_plays_and_the_library_can_be_searched_offline(
    qtbot: QtBot, tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    ears = CapturingOutputs()
    with server_process(tmp_path / "library") as server:
        for seed, name in enumerate(("rain.wav", "door.wav")):
            data = write_wav(tmp_path / name, seconds=3, seed=seed).read_bytes()
            requests.post(f"{server.url}/post?name={name}", data=data, timeout=10)
        with desktop(qtbot, server.url, tmp_path / "client", output=ears) as client:
            window = client.window
            wait_for(qtbot, lambda: len(rows(client)) == 2)
            row = rows(client).index(("", "rain.wav"))
            window.downloadRequested.emit([client.sounds.sound(row)], downloads)
            wait_for(qtbot, lambda: is_in(client, "rain.wav", State.DONE))
            server.kill()
            wait_for(qtbot, lambda: "cannot be reached" in window.top.server.toolTip())
            window.top.search.setText("rai")
            wait_for(qtbot, lambda: rows(client) == [("", "rain.wav")])
            window.library.table.select_row(0)
            wait_for(qtbot, lambda: ears.outputs and len(ears.last.captured) > 40_000)
            path = downloads / "rain.wav"
            assert ears.last.captured[:40_000] in path.read_bytes()
            assert path.read_bytes() == (tmp_path / "rain.wav").read_bytes()
        # And again after a start without the server.
        with desktop(qtbot, server.url, tmp_path / "client", output=ears) as client:
            wait_for(qtbot, lambda: len(rows(client)) == 2)
