"""The player on a real audio device: one of PulseAudio that nobody hears.

It runs in a process of its own, since Qt asks for the sound server once, when it is first used.
"""

from __future__ import annotations

import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QTimer

from sonoteca_desktop.client import Client
from sonoteca_desktop.playback.engine import Player
from sonoteca_desktop.transfers.soundcache import SoundCache
from tests.kit import wavs
from tests.kit.audio import NullSink, null_sink
from tests.kit.faults import make_sound
from tests.kit.wait import until

pytestmark = [pytest.mark.audio, pytest.mark.timeout(60)]

RATE = 48_000


def play(path: Path, cache: Path) -> None:
    """What the other process does: play a file, tell what happens, and end with it.

    A restless one pauses for a moment each second, and asks for an output anew each time.
    """
    app = QCoreApplication(sys.argv)
    player = Player(Client("http://127.0.0.1:9"), SoundCache(cache))
    ticker = QTimer(interval=50)

    def tell(*what: object) -> None:
        sys.stdout.write(" ".join(map(str, what)) + "\n")
        sys.stdout.flush()

    def end(*what: object) -> None:
        tell("over", *what[1:])
        app.quit()

    def tick() -> None:
        tell("at", f"{player.position():.3f}")

    def again() -> None:
        player.pause()
        player.resume()

    ticker.timeout.connect(tick)
    ticker.start()
    pauses = QTimer(interval=1000)
    pauses.timeout.connect(again)
    if path.name.startswith("restless"):
        pauses.start()
    player.deviceChanged.connect(lambda sentence: tell("device", sentence))
    player.finished.connect(end)
    player.failed.connect(end)
    player.play(make_sound(path.read_bytes(), path.name), local=path)
    app.exec()
    player.shutdown()


@pytest.fixture
def sink() -> Iterator[NullSink]:
    with null_sink(rate=RATE) as sink:
        yield sink


class Playing:
    """The other process."""

    def __init__(self, path: Path, cache: Path, sink: NullSink) -> None:
        command = [sys.executable, "-c", "from tests.desktop.test_play_device import *; main()"]
        command += [str(path), str(cache)]
        self.log = cache.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=sink.env, stdout=log)

    @property
    def told(self) -> list[str]:
        return self.log.read_text(encoding="utf-8").splitlines()

    @property
    def position(self) -> float:
        places = [float(line.split()[1]) for line in self.told if line.startswith("at ")]
        return places[-1] if places else 0.0

    @property
    def devices(self) -> list[str]:
        return [line[7:] for line in self.told if line.startswith("device")]


def main() -> None:
    play(Path(sys.argv[1]), Path(sys.argv[2]))


PIECE = 512  # bytes of noise, which are nowhere twice


def test_a_sound_arrives_at_the_device_as_it_is(sink: NullSink, tmp_path: Path) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=16, samplerate=RATE, seconds=2)
    sink.record(tmp_path / "monitor.raw")
    playing = Playing(path, tmp_path / "cache", sink)
    assert playing.process.wait(30) == 0
    until(lambda: bytes(4096) == (tmp_path / "monitor.raw").read_bytes()[-4096:])
    sink.stop_recording()

    assert playing.told[-1] == "over"
    assert playing.devices == [""]
    recorded = array("f", (tmp_path / "monitor.raw").read_bytes()[: -4096 // 4 * 4])
    expected = array("h", path.read_bytes()[44:])
    samples = array("h", (min(32767, round(value * 32768)) for value in recorded)).tobytes()
    assert heard(samples, expected.tobytes()) > 0.5


def heard(recorded: bytes, sound: bytes) -> float:
    """The share of the sound that arrived, to the bit; a busy machine drops some in between."""
    pieces = range(0, len(sound), PIECE)
    return sum(sound[start : start + PIECE] in recorded for start in pieces) / len(pieces)


def test_goes_on_silently_when_the_device_goes_and_on_the_next_one_that_comes(
    sink: NullSink, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=24, samplerate=RATE, seconds=60)
    playing = Playing(path, tmp_path / "cache", sink)
    try:
        until(lambda: playing.position > 0.3)
        sink.control("unload-module", "module-null-sink")
        until(lambda: any("silently until one" in each for each in playing.devices))
        stood = playing.position
        until(lambda: playing.position > stood + 0.3)
        sink.control("load-module", "module-null-sink", "sink_name=null", f"rate={RATE}")
        until(lambda: playing.devices[-1] == "")
        until(lambda: sink.control("list", "short", "sink-inputs").strip())
        place = playing.position
        until(lambda: playing.position > place + 0.3)
    finally:
        playing.process.terminate()
        playing.process.wait(10)


def test_without_a_sound_server_at_the_start_it_says_what_helps(
    sink: NullSink, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", samplerate=RATE, seconds=60)
    sink.stop()
    playing = Playing(path, tmp_path / "cache", sink)
    try:
        until(lambda: playing.position > 0.3)
        [said] = playing.devices
        assert said.endswith("start Sonoteca again once there is one.")
        sink.start()
        place = playing.position
        until(lambda: playing.position > place + 2)
        assert playing.devices == [said]  # that is why: nobody looks again
    finally:
        playing.process.terminate()
        playing.process.wait(10)


def test_the_program_outlives_the_sound_server(sink: NullSink, tmp_path: Path) -> None:
    path = wavs.write_wav(tmp_path / "restless.wav", samplerate=RATE, seconds=60)
    playing = Playing(path, tmp_path / "cache", sink)
    try:
        until(lambda: playing.position > 0.3)
        sink.stop()
        until(lambda: any("has stopped" in each for each in playing.devices))
        stood = playing.position
        # Qt tries for three seconds to reach it; a sink that is started after that ends everything.
        until(
            lambda: playing.position > stood + 7 or playing.process.poll() is not None, seconds=20
        )
        assert playing.process.poll() is None
    finally:
        playing.process.terminate()
        playing.process.wait(10)


def test_a_sound_server_that_comes_back_at_once_is_used_again(
    sink: NullSink, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", samplerate=RATE, seconds=60)
    playing = Playing(path, tmp_path / "cache", sink)
    try:
        until(lambda: playing.position > 0.3)
        sink.stop()
        sink.start()
        until(lambda: sink.control("list", "short", "sink-inputs").strip(), seconds=20)
        until(lambda: playing.devices[-1] == "")
    finally:
        playing.process.terminate()
        playing.process.wait(10)
