"""What was downloaded plays, and can be found, with the server away."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from pytestqt.qtbot import QtBot

from sonoteca_desktop.transfers.queue import State
from tests.kit.audio import CapturingOutputs
from tests.kit.desktop import desktop, is_in, rows, wait_for
from tests.kit.http import server_process
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
