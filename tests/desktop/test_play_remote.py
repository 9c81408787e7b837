"""A big sound on our own server, over a slow line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import requests
from pytestqt.qtbot import QtBot

from sonoteca_desktop.client import Client
from sonoteca_desktop.playback.engine import Player
from sonoteca_desktop.playback.source import LocalFile, Source, probe_sound
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_shared.models import Sound
from tests.kit import wavs
from tests.kit.audio import CapturingOutputs
from tests.kit.http import ServerProcess, server_process
from tests.kit.throttle import line

RATE = 96_000
FRAME = 8  # bytes of a 24-bit stereo frame, as a device takes it
MEGABYTE = 1 << 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with server_process(tmp_path / "library") as server:
        yield server


def test_a_sound_of_200_mb_plays_within_a_second_and_seeks_within_another(
    qtbot: QtBot, server: ServerProcess, tmp_path: Path
) -> None:
    path = wavs.write_wav(
        tmp_path / "long.wav", bits=24, samplerate=RATE, frames=36_000_000, container="RF64"
    )
    with path.open("rb") as body:
        posted = requests.post(f"{server.url}/post?name=long.wav", data=body, timeout=60)
    sound = msgspec.json.decode(posted.content, type=Sound)
    assert sound.size > 200_000_000
    outputs = CapturingOutputs()
    with line(server.url, rate=2_000_000) as slow:
        player = Player(Client(slow.url), SoundCache(tmp_path / "cache"), outputs)
        try:
            pressed = time.monotonic()
            player.play(sound, local=None)
            qtbot.waitUntil(lambda: player.position() > 0, timeout=10_000)
            assert time.monotonic() - pressed < 1
            qtbot.waitUntil(lambda: player.position() > 0.5, timeout=10_000)

            target = 0.9 * sound.duration
            frame = round(target * RATE)
            given_before = len(outputs.last.captured)
            clicked = time.monotonic()
            player.seek(target)
            qtbot.waitUntil(lambda: player.position() > target, timeout=10_000)
            assert time.monotonic() - clicked < 1
            qtbot.waitUntil(lambda: player.position() > target + 2, timeout=10_000)
        finally:
            player.shutdown()
        fetched = slow.sent

    file = LocalFile(path)
    source = Source(probe_sound(file.read, file.size), file)
    given = outputs.last.captured
    jump = given.index(source.read(frame, 64))
    from_start = given[:given_before]
    assert from_start == source.read(0, len(from_start) // FRAME)
    # Silence may stand between the two places, but nothing else, and no sample is missing.
    assert len(given) - jump > 1.9 * RATE * FRAME
    assert given[jump:] == source.read(frame, (len(given) - jump) // FRAME)
    # Two read-aheads at the most, and what was under way.
    assert fetched < 20 * MEGABYTE
