"""The player, with an output that keeps what it is given."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from sonoteca_desktop.client import Client
from sonoteca_desktop.playback.engine import Player
from sonoteca_desktop.playback.source import LocalFile, Source, probe_sound
from sonoteca_desktop.transfers import stream as streams
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_shared.models import Sound
from tests.kit import faults, wavs
from tests.kit.audio import CapturingOutputs
from tests.kit.faults import FaultyServer, faulty_server
from tests.kit.throttle import line

MakePlayer = Callable[..., Player]


class Heard(QObject):
    """What the player told, in order."""

    def __init__(self, player: Player) -> None:
        super().__init__()
        self.told: list[tuple[str, ...]] = []
        player.started.connect(self._on_started)
        player.stopped.connect(self._on_stopped)
        player.finished.connect(self._on_finished)
        player.failed.connect(self._on_failed)

    def _on_started(self, sound: str) -> None:
        self.told.append(("started", sound))

    def _on_stopped(self, sound: str) -> None:
        self.told.append(("stopped", sound))

    def _on_finished(self, sound: str) -> None:
        self.told.append(("finished", sound))

    def _on_failed(self, sound: str, sentence: str) -> None:
        self.told.append(("failed", sound, sentence))


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def outputs() -> CapturingOutputs:
    return CapturingOutputs()


@pytest.fixture
def player(
    qtbot: QtBot,  # noqa: ARG001  # signals need its application
    server: FaultyServer,
    outputs: CapturingOutputs,
    tmp_path: Path,
) -> Iterator[Player]:
    player = Player(Client(server.url), SoundCache(tmp_path / "cache"), outputs)
    yield player
    player.shutdown()


@pytest.fixture
def heard(player: Player) -> Heard:
    return Heard(player)


def sound_of(path: Path) -> Sound:
    return faults.make_sound(path.read_bytes(), path.name)


def samples_of(path: Path, start: int = 0, count: int = 1 << 40) -> bytes:
    """All frames of a file as the device has to get them; test_play_source says they are right."""
    file = LocalFile(path)
    return Source(probe_sound(file.read, file.size), file).read(start, count)


@pytest.mark.parametrize(
    "plan",
    [
        wavs.Plan(bits=24, samplerate=96_000, seconds=0.3, container="RF64"),
        wavs.Plan(bits=16, channels=1, seconds=0.3),
        wavs.Plan(bits=8, seconds=0.3),
        wavs.Plan(bits=32, floats=True, channels=6, seconds=0.05, samplerate=8000),
        wavs.Plan(bits=24, container="RIFX", seconds=0.2),
    ],
    ids=["24-bit RF64", "16-bit mono", "8-bit", "six floats", "RIFX"],
)
def test_every_sample_of_a_local_file_arrives(
    qtbot: QtBot,
    player: Player,
    outputs: CapturingOutputs,
    heard: Heard,
    tmp_path: Path,
    plan: wavs.Plan,
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wavs.build_wav(plan))
    sound = sound_of(path)
    with qtbot.waitSignal(player.finished, timeout=10_000):
        player.play(sound, local=path)
    expected = samples_of(path)
    given = outputs.last.captured
    assert given[: len(expected)] == expected
    assert set(given[len(expected) :]) <= {0, 0x80}
    assert (outputs.last.rate, outputs.last.channels) == (plan.samplerate, plan.channels)
    assert heard.told == [("started", sound.id), ("finished", sound.id)]
    assert (player.sound, player.playing, player.position()) == (None, False, 0.0)


def test_goes_on_without_a_gap_at_the_frame_of_a_seek(
    qtbot: QtBot, player: Player, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=24, samplerate=48_000, seconds=30)
    player.play(sound_of(path), local=path)
    qtbot.waitUntil(lambda: player.position() > 0.1)
    player.seek(20.5)
    assert player.position() == 20.5  # although the device still plays the old place
    qtbot.waitUntil(lambda: player.position() > 20.7)
    player.stop()

    given = outputs.last.captured
    jump = given.find(samples_of(path, 20 * 48_000 + 24_000, 16))
    assert jump % 8 == 0
    assert given[:jump] == samples_of(path, 0, jump // 8)
    after = (len(given) - jump) // 8
    assert after > 4800
    assert given[jump:] == samples_of(path, 984_000, after)


def test_a_pause_keeps_the_place_and_can_be_moved(
    qtbot: QtBot, player: Player, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=16, seconds=30)
    player.play(sound_of(path), local=path)
    qtbot.waitUntil(lambda: player.position() > 0.05)
    player.toggle()
    place = player.position()
    assert (player.playing, player.paused) == (False, True)
    assert outputs.last.stopped
    qtbot.wait(50)
    assert player.position() == place
    player.toggle()
    qtbot.waitUntil(lambda: len(outputs.last.captured) > 4000)
    again = outputs.last.captured
    assert again[:4000] == samples_of(path, round(place * 48_000), 1000)

    player.pause()
    player.seek(12)
    assert player.position() == 12
    player.resume()
    qtbot.waitUntil(lambda: len(outputs.last.captured) > 4000)
    assert outputs.last.captured[:4000] == samples_of(path, 12 * 48_000, 1000)
    assert len(outputs.outputs) == 3


def test_another_sound_takes_the_place_of_the_first(
    qtbot: QtBot, player: Player, outputs: CapturingOutputs, heard: Heard, tmp_path: Path
) -> None:
    paths = [wavs.write_wav(tmp_path / f"{nth}.wav", seed=nth, seconds=9) for nth in range(3)]
    first, skipped, last = (sound_of(path) for path in paths)
    with qtbot.waitSignal(player.started):
        player.play(first, local=paths[0])
    player.play(skipped, local=paths[1])
    player.play(last, local=paths[2])
    qtbot.waitUntil(lambda: len(outputs.outputs) == 2 and len(outputs.last.captured) > 4000)
    assert outputs.last.captured[:4000] == samples_of(paths[2], 0, 1000)
    assert outputs.outputs[0].stopped
    player.stop()
    assert heard.told == [
        ("started", first.id),
        ("stopped", first.id),
        ("stopped", skipped.id),
        ("started", last.id),
        ("stopped", last.id),
    ]


def test_a_sound_of_the_server_plays_before_it_is_downloaded(
    qtbot: QtBot, player: Player, server: FaultyServer, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(
        tmp_path / "a.wav", bits=24, seconds=0.3, after=[(b"LIST", b"INFO" * 5000)]
    )
    sound = server.add(path.read_bytes(), "a.wav")
    for _ in range(2):
        with qtbot.waitSignal(player.finished, timeout=10_000):
            player.play(sound, local=None)
        assert outputs.last.captured.startswith(samples_of(path))
    # The second time nothing was left to fetch.
    assert len(server.asked) == 1


def test_starts_where_it_is_told(
    qtbot: QtBot, player: Player, server: FaultyServer, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=16, seconds=40)
    player.play(server.add(path.read_bytes(), "a.wav"), local=None, start=30)
    assert player.buffering
    assert player.position() == 30
    qtbot.waitUntil(lambda: bool(outputs.outputs) and len(outputs.last.captured) > 4000)
    assert outputs.last.captured[:4000] == samples_of(path, 30 * 48_000, 1000)
    assert not player.buffering


def test_a_seek_before_the_sound_is_there_is_kept(
    qtbot: QtBot, player: Player, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=16, seconds=9)
    player.play(sound_of(path), local=path)
    player.seek(5)
    with qtbot.waitSignal(player.started):
        player.pause()
    assert not outputs.outputs
    player.resume()
    qtbot.waitUntil(lambda: bool(outputs.outputs) and len(outputs.last.captured) > 4000)
    assert outputs.last.captured[:4000] == samples_of(path, 5 * 48_000, 1000)


def test_a_local_file_that_is_gone_or_changed_is_replaced_by_the_servers(
    qtbot: QtBot, player: Player, server: FaultyServer, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", seconds=0.1)
    other = wavs.write_wav(tmp_path / "b.wav", seconds=0.2, seed=9)
    sound = server.add(path.read_bytes(), "a.wav")
    for local in (tmp_path / "nowhere.wav", other):
        with qtbot.waitSignal(player.finished, timeout=10_000):
            player.play(sound, local=local)
        assert outputs.last.captured.startswith(samples_of(path))


def test_waits_in_silence_while_the_line_hangs_and_goes_on_with_the_next_sample(
    qtbot: QtBot, server: FaultyServer, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=24, samplerate=96_000, seconds=20)
    sound = server.add(path.read_bytes(), "a.wav")
    with line(server.url, rate=2_000_000) as slow:
        player = Player(Client(slow.url), SoundCache(tmp_path / "cache"), outputs)
        try:
            player.play(sound, local=None, start=10)
            qtbot.waitUntil(lambda: player.position() > 10.05)
            slow.pause()
            qtbot.waitUntil(lambda: player.buffering, timeout=10_000)
            qtbot.wait(200)  # until what the device was given is heard
            stood = player.position()
            qtbot.wait(100)
            assert player.position() == stood
            slow.resume()
            qtbot.waitUntil(lambda: player.position() > stood + 0.3)
        finally:
            player.shutdown()
    # What arrived is the sound with silence in one place, and nothing else.
    given, expected = outputs.last.captured, samples_of(path, 960_000)
    gap = given.find(bytes(8000))
    gap -= gap % 8
    behind = gap + len(given[gap:]) - len(given[gap:].lstrip(b"\0"))
    behind -= behind % 8
    rest = len(given) - behind
    assert given[:gap] == expected[:gap]
    assert rest > 0.2 * 96_000 * 8
    assert given[behind:] == expected[gap : gap + rest]


def test_stop_drops_the_connection(
    qtbot: QtBot, server: FaultyServer, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", seconds=60)
    with line(server.url, rate=2_000_000) as slow:
        player = Player(Client(slow.url), SoundCache(tmp_path / "cache"), outputs)
        try:
            with qtbot.waitSignal(player.started):
                player.play(server.add(path.read_bytes(), "a.wav"), local=None)
            assert slow.open_connections == 1
            player.stop()
            qtbot.waitUntil(lambda: slow.open_connections == 0)
        finally:
            player.shutdown()
    assert slow.sent < 2_000_000


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (wavs.BROKEN["text"], "“a.wav” cannot be played. It is text, not a WAV (at byte 0)."),
        (
            wavs.riff(
                wavs.fmt_chunk(tag=0x11, bits=4, block_align=1024),
                wavs.chunk(b"data", bytes(4096)),
            ),
            "“a.wav” cannot be played. Sounds of the kind 'ima-adpcm' cannot be played here yet. "
            "Download it to hear it in another program.",
        ),
    ],
)
def test_says_why_a_sound_cannot_be_played(
    qtbot: QtBot,
    player: Player,
    server: FaultyServer,
    heard: Heard,
    payload: bytes,
    sentence: str,
) -> None:
    sound = server.add(payload, "a.wav")
    with qtbot.waitSignal(player.failed):
        player.play(sound, local=None)
    assert heard.told == [("failed", sound.id, sentence)]
    assert player.sound is None


def test_says_that_the_server_cannot_be_reached(
    qtbot: QtBot, outputs: CapturingOutputs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(streams, "PATIENCE_AT_START_S", 0.1)
    player = Player(Client("http://127.0.0.1:9"), SoundCache(tmp_path), outputs)
    heard = Heard(player)
    with qtbot.waitSignal(player.failed, timeout=10_000):
        player.play(faults.make_sound(wavs.build_wav(), "a.wav"), local=None)
    player.shutdown()
    ((kind, _, sentence),) = heard.told
    assert kind == "failed"
    assert "The server at http://127.0.0.1:9 cannot be reached" in sentence


def test_without_a_device_the_clock_runs_on_and_a_device_that_appears_takes_over(
    qtbot: QtBot, server: FaultyServer, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", bits=24, seconds=30)
    outputs = CapturingOutputs(present=False)
    player = Player(Client(server.url), SoundCache(tmp_path / "cache"), outputs)
    problems: list[str] = []
    player.deviceChanged.connect(problems.append)
    try:
        qtbot.waitUntil(lambda: problems == ["No audio device found."])
        player.play(sound_of(path), local=path)
        qtbot.waitUntil(lambda: player.position() > 0.2)
        assert not outputs.outputs
        before = player.position()
        outputs.plug_in()
        qtbot.waitUntil(lambda: len(outputs.last.captured) > 8000)
        begun = struct.unpack("<i", outputs.last.captured[:4])[0]
        whole = samples_of(path)
        frame = whole.find(outputs.last.captured[:8000]) / 8
        assert begun != 0
        assert frame / 48_000 == pytest.approx(before, abs=0.1)
        qtbot.waitUntil(lambda: player.position() > before)
        outputs.pull_out()
        place = player.position()
        qtbot.waitUntil(lambda: player.position() > place + 0.1)
        assert problems == ["No audio device found.", "", "No audio device found."]
    finally:
        player.shutdown()


def test_a_silent_sound_ends_too(qtbot: QtBot, server: FaultyServer, tmp_path: Path) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", seconds=0.2)
    player = Player(
        Client(server.url), SoundCache(tmp_path / "cache"), CapturingOutputs(present=False)
    )
    with qtbot.waitSignal(player.finished):
        player.play(sound_of(path), local=path)
    player.shutdown()


def test_the_volume_holds_for_this_sound_and_the_next(
    qtbot: QtBot, player: Player, outputs: CapturingOutputs, tmp_path: Path
) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", seconds=9)
    player.set_volume(0.5)
    with qtbot.waitSignal(player.started):
        player.play(sound_of(path), local=path)
    assert outputs.last.volume == 0.5
    player.set_volume(7)
    assert outputs.last.volume == 1.0
    with qtbot.waitSignal(player.started):
        player.play(sound_of(path), local=path)
    assert outputs.last.volume == 1.0


def test_what_was_heard_is_not_fetched_again_after_a_restart(
    qtbot: QtBot, server: FaultyServer, tmp_path: Path
) -> None:
    sound = server.add(wavs.build_wav(), "a.wav")
    for _ in range(2):
        outputs = CapturingOutputs()
        player = Player(Client(server.url), SoundCache(tmp_path / "cache"), outputs)
        with qtbot.waitSignal(player.finished):
            player.play(sound, local=None)
        player.shutdown()
    assert len(server.downloads()) == 1
