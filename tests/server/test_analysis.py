"""Waveforms of every kind of sample, computed in a process that strangers' files may crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
import soundfile

from sonoteca_server.jobs.decoder import analyse
from sonoteca_shared import peaks
from sonoteca_shared.wav import probe
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import write_wav

KINDS: tuple[dict[str, Any], ...] = (
    {"bits": 8},
    {"bits": 16},
    {"bits": 24},
    {"bits": 32},
    {"bits": 32, "floats": True},
    {"bits": 64, "floats": True},
    {"bits": 24, "container": "RIFX"},
    {"bits": 24, "container": "RF64", "channels": 3},
    {"bits": 16, "extensible": True, "channels": 6},
)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_width_shows_the_extremes_that_are_there(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    path = write_wav(tmp_path / "a.wav", frames=1_000, sound="tone", seed=3, **kind)
    analyse(path, tmp_path / "a.dat")
    shown = peaks.parse((tmp_path / "a.dat").read_bytes())
    samples, _ = soundfile.read(str(path), dtype="float64", always_2d=True)
    assert (shown.length, shown.channels) == (4, samples.shape[1])
    for pixel in range(4):
        stretch = samples[pixel * 256 : (pixel + 1) * 256]
        for channel in range(shown.channels):
            low, high = shown.values[2 * (pixel * shown.channels + channel) :][:2]
            assert low / 32768 == pytest.approx(stretch[:, channel].min(), abs=0.01)
            assert high / 32768 == pytest.approx(stretch[:, channel].max(), abs=0.01)


@pytest.mark.parametrize("coding", ["ULAW", "ALAW", "IMA_ADPCM"])
def test_compressed_sound_is_decoded(tmp_path: Path, coding: str) -> None:
    plain = write_wav(tmp_path / "a.wav", frames=2_000, channels=1, sound="tone")
    samples, rate = soundfile.read(str(plain))
    path = tmp_path / "coded.wav"
    soundfile.write(str(path), samples, rate, subtype=coding)
    analyse(path, tmp_path / "coded.dat")
    shown = peaks.parse((tmp_path / "coded.dat").read_bytes())
    data = path.read_bytes()
    facts = probe(lambda at, count: data[at : at + count], len(data))
    assert shown.length == -(-facts.frames // 256)
    assert max(shown.values) / 32768 == pytest.approx(samples.max(), abs=0.05)


def test_an_empty_sound_has_an_empty_waveform(tmp_path: Path) -> None:
    analyse(write_wav(tmp_path / "a.wav", frames=0), tmp_path / "a.dat")
    assert peaks.parse((tmp_path / "a.dat").read_bytes()).length == 0


def test_a_sound_that_cannot_be_decoded_says_so_and_others_go_on(tmp_path: Path) -> None:
    codec = soundfile_refuses(tmp_path)
    with serve(tmp_path / "library") as server:
        requests.post(f"{server}/post?name=bad.wav", data=codec, timeout=10)
        good = write_wav(tmp_path / "good.wav", frames=500).read_bytes()
        requests.post(f"{server}/post?name=good.wav", data=good, timeout=10)

        def sound(name: str) -> dict[str, Any]:
            found: dict[str, Any] = requests.get(f"{server}/info?name={name}", timeout=10).json()[0]
            return found

        until(lambda: sound("good.wav")["links"]["peaks"])

        def given_up() -> bool:
            codes = [finding["code"] for finding in sound("bad.wav")["findings"]]
            return "analysis.failed" in codes

        until(given_up)
        answer = requests.get(f"{server}/api/v1/sounds/{sound('bad.wav')['id']}/peaks", timeout=10)
        assert answer.status_code == 404


def soundfile_refuses(folder: Path) -> bytes:
    """A WAV of a codec that we list, but that cannot be decoded here."""
    data = bytearray(write_wav(folder / "x.wav", frames=500, channels=1).read_bytes())
    at = data.index(b"fmt ") + 8
    data[at : at + 2] = (0x0055).to_bytes(2, "little")  # MP3, without a single frame of it
    return bytes(data)
