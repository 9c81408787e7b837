"""Playing and downloading share their bytes: none is fetched twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.sounds import Where
from sonoteca_desktop.transfers.queue import State
from sonoteca_shared.models import Sound
from tests.kit.audio import CapturingOutputs
from tests.kit.desktop import desktop, is_in, rows, transfer, wait_for
from tests.kit.fetching import share_small_files
from tests.kit.http import server_process
from tests.kit.throttle import Line, line
from tests.kit.wavs import write_wav

MB = 1_000_000
FRAME = 4  # 16 bits, two channels
SECONDS = 120

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@dataclass
class Scene:
    """A long sound on a server, a slow line to it, and a client that listens."""

    client: Desktop
    line: Line
    ears: CapturingOutputs
    path: Path
    downloads: Path
    folder: Path

    @property
    def sound(self) -> Sound:
        sound = self.client.sounds.sound(0)
        assert sound is not None
        return sound

    def samples(self, second: float, count: int) -> bytes:
        """Frames of the file, whose samples a device takes as they are."""
        start = self.path.stat().st_size - SECONDS * 48_000 * FRAME + int(second * 48_000) * FRAME
        return self.path.read_bytes()[start : start + count * FRAME]

    def hears(self, qtbot: QtBot, second: float, *, since: int = 0) -> None:
        """Wait until a twentieth of a second from there on has come out of the device."""
        wanted = self.samples(second, 2_400)
        ears = self.ears
        wait_for(qtbot, lambda: ears.outputs and wanted in ears.last.captured[since:], seconds=20)

    def fetches(self, qtbot: QtBot, count: float) -> None:
        """Wait until so many bytes have come over the line."""
        wait_for(qtbot, lambda: self.line.sent > count, seconds=20)

    def download(self) -> None:
        self.client.window.downloadRequested.emit([self.sound], self.downloads)


@contextmanager
def scene(qtbot: QtBot, folder: Path, *, rate: float) -> Iterator[Scene]:
    path = write_wav(folder / "forest.wav", channels=2, samplerate=48_000, seconds=SECONDS)
    downloads = folder / "downloads"
    downloads.mkdir()
    ears = CapturingOutputs()
    with server_process(folder / "library") as server:
        with path.open("rb") as file:
            requests.post(f"{server.url}/post?name=forest.wav", data=file, timeout=60)
        with (
            line(server.url, rate=rate) as slow,
            desktop(qtbot, slow.url, folder / "client", output=ears) as client,
        ):
            wait_for(qtbot, lambda: rows(client))
            yield Scene(client, slow, ears, path, downloads, folder)


def test_what_was_heard_is_not_downloaded_again(qtbot: QtBot, tmp_path: Path) -> None:
    with scene(qtbot, tmp_path, rate=20 * MB) as here:
        size = here.path.stat().st_size
        before = here.line.sent
        here.client.window.library.table.select_row(0)
        for number in range(3):
            here.client.player.seek(30 * number)
            here.hears(qtbot, 30 * number + 0.1)
            # Half a minute is read ahead.
            here.fetches(qtbot, before + (number + 1) * size / 5)
        here.download()
        wait_for(qtbot, lambda: is_in(here.client, "forest.wav", State.DONE), seconds=20)
        assert here.line.sent - before < 1.1 * size
        assert (here.downloads / "forest.wav").read_bytes() == here.path.read_bytes()
        wait_for(qtbot, lambda: here.client.sounds.where(here.sound) is Where.LOCAL)
        assert not list(here.client.places.sounds.glob("*"))  # and it does not lie here twice
        since = len(here.ears.last.captured)
        here.client.player.seek(45)
        here.hears(qtbot, 45.1, since=since)


@pytest.fixture(params=[False, True], ids=["one", "several"])
def several(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a download comes over several connections."""
    share_small_files(monkeypatch, 8 * MB)
    return bool(request.param)


def test_a_sound_plays_and_seeks_while_it_is_downloaded(
    qtbot: QtBot, tmp_path: Path, several: bool
) -> None:
    with scene(qtbot, tmp_path, rate=4 * MB) as here:
        size = here.path.stat().st_size
        before = here.line.sent
        here.client.queue.arrangement.set_several(several=several)
        here.download()
        wait_for(qtbot, lambda: transfer(here.client, "forest.wav").done > MB)
        here.client.window.library.table.select_row(0)
        here.hears(qtbot, 0.1)
        since = len(here.ears.last.captured)
        here.client.player.seek(100)  # far beyond what was downloaded
        here.hears(qtbot, 100.1, since=since)
        assert not is_in(here.client, "forest.wav", State.DONE)
        since = len(here.ears.last.captured)
        here.client.player.seek(1)
        here.hears(qtbot, 1.1, since=since)
        wait_for(qtbot, lambda: is_in(here.client, "forest.wav", State.DONE), seconds=30)
        assert (here.downloads / "forest.wav").read_bytes() == here.path.read_bytes()
        assert here.line.sent - before < (1.1 + 0.2 * several) * size


def test_who_listens_is_not_held_up_by_the_limit_of_downloads(
    qtbot: QtBot, tmp_path: Path, several: bool
) -> None:
    with scene(qtbot, tmp_path, rate=4 * MB) as here:
        here.client.queue.arrangement.set_several(several=several)
        here.client.queue.set_limit(20_000)  # a tenth of what the sound needs
        here.download()
        wait_for(qtbot, lambda: transfer(here.client, "forest.wav").done > 0)
        here.client.window.library.table.select_row(0)
        here.hears(qtbot, 1.5)


def test_a_download_that_was_paused_before_a_restart_is_heard_from_here(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with scene(qtbot, tmp_path, rate=4 * MB) as here:
        here.download()
        wait_for(qtbot, lambda: transfer(here.client, "forest.wav").done > 6 * MB)
        here.client.queue.pause_all()
        wait_for(qtbot, lambda: is_in(here.client, "forest.wav", State.PAUSED))
        here.client.close()
        ears = CapturingOutputs()
        with desktop(qtbot, here.line.url, here.folder / "client", output=ears) as client:
            wait_for(qtbot, lambda: rows(client))
            wait_for(qtbot, lambda: client.sounds.sound(0))
            here.ears = ears
            before = here.line.sent
            client.window.library.table.select_row(0)
            here.hears(qtbot, 0.5)
            assert here.line.sent - before < MB  # the read-ahead alone, behind what is here
