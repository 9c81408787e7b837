"""A long sound that is not on this computer is heard at once, over a slow line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests
from pytestqt.qtbot import QtBot

from sonoteca_shared.wav import probe
from tests.kit.audio import CapturingOutputs
from tests.kit.desktop import desktop, rows, wait_for
from tests.kit.http import server_process
from tests.kit.throttle import line
from tests.kit.wavs import write_wav

RATE = 96_000
FRAME = 6  # bytes of a frame: 24 bits, two channels
MB = 1_000_000


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_remote_sound_plays_within_a_second_and_seeks_within_another(
    qtbot: QtBot, tmp_path: Path
) -> None:
    path = write_wav(
        tmp_path / "forest.wav",
        samplerate=RATE,
        channels=2,
        bits=24,
        frames=35_000_000,
        container="RF64",
    )
    size = path.stat().st_size
    assert size >= 200 * MB
    ears = CapturingOutputs()
    with server_process(tmp_path / "library") as server:
        with path.open("rb") as file:
            requests.post(f"{server.url}/post?name=forest.wav", data=file, timeout=60)
        with (
            line(server.url, rate=2 * MB) as slow,
            desktop(qtbot, slow.url, tmp_path / "client", output=ears) as client,
        ):
            wait_for(qtbot, lambda: rows(client))
            sound = client.sounds.sound(0)
            assert sound is not None

            asked = time.monotonic()
            client.window.library.table.select_row(0)
            wait_for(qtbot, lambda: ears.outputs and heard(ears))
            assert time.monotonic() - asked < 1
            qtbot.wait(1000)  # a second of sound to compare

            before = len(ears.last.captured)
            target = 0.9 * sound.duration
            asked = time.monotonic()
            client.window.player_bar.seekRequested.emit(target)
            first = int(0.9 * sound.frames)
            wanted = samples(path, first, 4_800)
            wait_for(qtbot, lambda: wanted[:960] in ears.last.captured[before:])
            assert time.monotonic() - asked < 1
            wait_for(qtbot, lambda: wanted in ears.last.captured[before:])
            assert abs(client.player.position() - target) < 2
            assert slow.sent < size / 4

        start = ears.outputs[0].captured.lstrip(b"\0")
        length = len(start[: before // 2]) // 8 * 8
        assert start[:length] in samples(path, 0, length // 8 + 1_000)


def heard(ears: CapturingOutputs) -> bool:
    """Whether anything but silence has come."""
    return bool(ears.last.captured.strip(b"\0"))


def samples(path: Path, first: int, count: int) -> bytes:
    """Frames of the file as the device gets them: 24 bits widened to 32, exactly."""
    with path.open("rb") as file:

        def read(at: int, number: int) -> bytes:
            file.seek(at)
            return file.read(number)

        facts = probe(read, path.stat().st_size)
        data = read(facts.data_offset + first * FRAME, count * FRAME)
    wide = bytearray(len(data) // 3 * 4)
    wide[1::4], wide[2::4], wide[3::4] = data[0::3], data[1::3], data[2::3]
    return bytes(wide)
