"""Loudness by EBU R 128: the same as ffmpeg's meter, whatever is in the file."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from sonoteca_server.jobs.decoder import analyse
from sonoteca_server.jobs.loudness import Meter
from sonoteca_shared.models import Loudness
from tests.kit import ebur128
from tests.kit.wavs import write_wav

CLOSE = 0.1
# It tells one digit.
TOLD = CLOSE + 0.05
# It looks at 192,000 places a second, we at a multiple of the rate: at others where that differs.
OTHER_PLACES = 0.3


def programme(rate: int, channels: int, seconds: float = 8.0) -> npt.NDArray[np.float64]:
    """Noise and a low tone, loud and quiet by turns; each channel has its own."""
    frames = round(rate * seconds)
    noise = np.random.default_rng(rate + channels).standard_normal((frames, channels))
    time = np.arange(frames)[:, None] / rate
    swell = 0.02 + np.abs(np.sin(0.7 * time))
    tone = np.sin(math.tau * 110 * (1 + np.arange(channels)) * time)
    return swell * (0.05 * noise + 0.1 * tone)


def assert_same(path: Path, ours: Loudness, *, peak: float = TOLD) -> None:
    """Ours is what ffmpeg says; the true peak as close as that."""
    theirs = ebur128.measure(path)
    heard = ebur128.NOTHING if ours.integrated is None else ours.integrated
    assert heard == pytest.approx(theirs.integrated, abs=TOLD)
    assert (ours.range or 0) == pytest.approx(theirs.range, abs=TOLD)
    if ours.true_peak is None:
        assert theirs.true_peak == -math.inf
    else:
        assert ours.true_peak == pytest.approx(theirs.true_peak, abs=peak)


RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)


@pytest.mark.parametrize("rate", RATES)
def test_any_sample_rate_is_as_loud_as_ffmpeg_says(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(str(path), programme(rate, 2), rate, subtype="PCM_24")
    assert_same(path, analyse(path, None), peak=OTHER_PLACES if 192_000 % rate else TOLD)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8])
def test_any_number_of_channels_is_as_loud_as_ffmpeg_says(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(str(path), programme(48_000, channels), 48_000, subtype="PCM_16")
    assert_same(path, analyse(path, None))


MASKS = {"5.1": 0x3F, "5.1 at the sides": 0x60F, "quadro": 0x33, "7.1": 0x63F, "3 in front": 0x7}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_speakers_count_as_ffmpeg_counts_them(tmp_path: Path, mask: int) -> None:
    count = mask.bit_count()
    path = write_wav(
        tmp_path / "a.wav", channels=count, frames=40_000, extensible=True, channel_mask=mask
    )
    assert_same(path, analyse(path, None))


KINDS: tuple[dict[str, Any], ...] = (
    {"bits": 8},
    {"bits": 24, "container": "RF64"},
    {"bits": 20, "extensible": True},
    {"bits": 32},
    {"bits": 32, "floats": True},
    {"bits": 64, "floats": True},
)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_of_sample_is_as_loud_as_ffmpeg_says(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    path = write_wav(tmp_path / "a.wav", seconds=1.0, sound="tone", **kind)
    assert_same(path, analyse(path, None))


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_the_order_of_bytes_does_not_matter(tmp_path: Path, bits: int) -> None:
    # ffmpeg reads RIFX the wrong way round.
    one, other = (
        write_wav(tmp_path / f"{name}.wav", seconds=0.5, sound="tone", bits=bits, container=name)
        for name in ("RIFF", "RIFX")
    )
    assert analyse(one, None) == analyse(other, None)


def test_three_bytes_are_not_mixed_with_their_neighbours(tmp_path: Path) -> None:
    smallest = np.tile(np.array([1, 1, -1, -1], np.int32) << 8, 500)
    kinds = ("PCM_24", "PCM_32")
    for kind in kinds:
        soundfile.write(str(tmp_path / f"{kind}.wav"), smallest, 48_000, kind)
    assert analyse(tmp_path / "PCM_24.wav", None) == analyse(tmp_path / "PCM_32.wav", None)


def test_real_recordings_are_as_loud_as_ffmpeg_says(real_wavs: Path) -> None:
    recordings = [path for path in sorted(real_wavs.iterdir()) if path.suffix.lower() == ".wav"]
    compared = 0
    for path in recordings:
        ours = analyse(path, None)
        # It knows no loudness of 14 channels, and takes the range of one window of three seconds
        # and no other for 20 LU.
        if ours.range != 0 and soundfile.info(str(path)).channels <= 8:
            assert_same(path, ours)
            compared += 1
    assert compared > 15


@pytest.mark.parametrize(
    ("plan", "has_peak"),
    [
        ({"frames": 0}, False),
        ({"frames": 1, "sound": "silence"}, False),
        ({"seconds": 5.0, "sound": "silence"}, False),
        ({"seconds": 0.399, "sound": "tone"}, True),
        ({"frames": 1}, True),
    ],
)
def test_what_nobody_can_hear_has_no_loudness(
    tmp_path: Path, plan: dict[str, Any], *, has_peak: bool
) -> None:
    ours = analyse(write_wav(tmp_path / "a.wav", bits=24, **plan), None)
    assert ours == Loudness(true_peak=ours.true_peak)
    assert (ours.true_peak is not None) == has_peak


def test_the_reference_tone_is_as_loud_as_its_level(tmp_path: Path) -> None:
    """EBU Tech 3341, cases 1 and 2: 1 kHz on both channels at -23 and -33 dBFS."""
    time = np.arange(20 * 48_000) / 48_000
    for level in (-23.0, -33.0):
        tone = 10 ** (level / 20) * np.sin(math.tau * 1_000 * time)
        soundfile.write(str(tmp_path / "a.wav"), np.stack([tone, tone], 1), 48_000, "PCM_24")
        ours = analyse(tmp_path / "a.wav", None)
        for measured in (ours.integrated, ours.momentary, ours.short_term, ours.true_peak):
            assert measured == pytest.approx(level, abs=CLOSE)


def test_the_gates_leave_out_pauses(tmp_path: Path) -> None:
    """EBU Tech 3341, cases 3 to 5, and Tech 3342, case 1: loud and quiet in turns."""

    def measured(*parts: tuple[float, float]) -> Loudness:
        tone = np.sin(math.tau * 1_000 * np.arange(60 * 16_000) / 16_000)
        sound = [10 ** (level / 20) * tone[: round(long * 16_000)] for level, long in parts]
        both = np.stack([np.concatenate(sound)] * 2, 1)
        soundfile.write(str(tmp_path / "a.wav"), both, 16_000, "PCM_24")
        return analyse(tmp_path / "a.wav", None)

    third = measured((-36, 10), (-23, 60), (-36, 10))
    fourth = measured((-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10))
    fifth = measured((-26, 20), (-20, 20.1), (-26, 20))
    assert [one.integrated for one in (third, fourth, fifth)] == [pytest.approx(-23, abs=CLOSE)] * 3
    assert measured((-20, 20), (-30, 20)).range == pytest.approx(10, abs=0.3)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_the_peak_between_samples_is_found(tmp_path: Path, rate: int) -> None:
    """A quarter of the rate, an eighth of a turn off: no sample comes near the peak."""
    turns = np.arange(rate) / 4 + 1 / 8
    tone = np.hanning(rate) ** 0.1 * np.sin(math.tau * turns) / 2
    path = tmp_path / "a.wav"
    soundfile.write(str(path), tone, rate, subtype="PCM_24")
    assert 20 * math.log10(np.abs(tone).max()) < -9
    ours = analyse(path, None)
    assert ours.true_peak == pytest.approx(-6.02, abs=0.2)
    assert_same(path, ours)


def test_pieces_of_any_length_are_heard_as_one_sound() -> None:
    """What lies across the borders of pieces counts, peaks between samples too."""
    sound = programme(44_100, 2, 4.0).T.astype(np.float32)
    sound[:, 64 * 700 - 1 : 64 * 700 + 1] = 0.9  # the highest peak, half in each piece
    whole, cut = (Meter(44_100, 2) for _ in range(2))
    whole.add(sound)
    for start, end in itertools.pairwise((0, 64, 64 * 700, 64 * 701, 64 * 2_000, sound.shape[1])):
        cut.add(sound[:, start:end])
    assert cut.loudness() == whole.loudness()
    assert (whole.loudness().true_peak or -99) > 20 * math.log10(0.9) + 0.5


def test_floats_that_are_no_numbers_are_no_sound(tmp_path: Path) -> None:
    sound = programme(48_000, 1, 2.0)
    sound[100:200] = math.nan
    sound[300] = math.inf
    path = tmp_path / "a.wav"
    soundfile.write(str(path), sound, 48_000, subtype="FLOAT")
    sound[100:200], sound[300] = 0, 1
    clean = tmp_path / "clean.wav"
    soundfile.write(str(clean), sound, 48_000, subtype="FLOAT")
    assert analyse(path, None) == analyse(clean, None)


@pytest.mark.parametrize("rate", [1, 3_000, 2_000_000, 0x7FFFFFFF])
def test_a_rate_that_nobody_hears_leaves_the_peak_alone(tmp_path: Path, rate: int) -> None:
    path = write_wav(tmp_path / "a.wav", samplerate=rate, frames=5_000, channels=1, bits=16)
    ours = analyse(path, None)
    assert (ours.integrated, ours.range) == (None, None)
    assert ours.true_peak is not None
