"""Sounds of many channels: each stays what it is and where it is, whatever it is for."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from sonoteca_server.jobs.conversion import UnfitError
from sonoteca_server.jobs.loudness import Meter
from sonoteca_server.jobs.speakers import Places, places_of
from sonoteca_shared.wav import probe
from tests.kit.converting import Samples, decoded, encoded, tone

pytestmark = [pytest.mark.timeout(120)]

Made = Callable[..., bytes]
_RATE = 48_000
_STEP = 1 / 32_768


def tones(channels: int, seconds: float = 0.5) -> Samples:
    """A tone of its own in each channel, 150 Hz above its neighbour's."""
    times = np.arange(round(seconds * _RATE)) / _RATE
    samples: Samples = 0.2 * np.sin(math.tau * np.outer(times, pitches(channels)))
    return samples


def pitches(channels: int) -> Samples:
    return np.arange(channels, dtype=np.float64) * 150 + 200


def heard(samples: Samples, rate: int) -> Samples:
    """The pitch of each channel, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))[:, None], axis=0))
    return np.asarray(spectrum.argmax(axis=0) * rate / len(samples))


def mask(data: bytes) -> int:
    return probe(lambda at, count: data[at : at + count], len(data)).channel_mask


@pytest.mark.parametrize("channels", [9, 10, 12, 14, 16, 24, 32, 46, 47, 64])
def test_bits_are_taken_from_each_channel_by_itself(made: Made, channels: int) -> None:
    sent = tones(channels)
    for form in ("wav", "aiff"):
        result = made(encoded(sent, _RATE), format=form, bitdepth="16")
        samples, rate = decoded(result)
        assert (rate, samples.shape) == (_RATE, sent.shape)
        # Noise of one step to each side, and half a step of rounding: nothing of a neighbour.
        assert np.abs(samples - sent).max() < 2 * _STEP
        # For which speakers they are, nobody says afterwards either.
        assert (mask(result) == 0) if form == "wav" else (b"CHAN" not in result[:512])


@pytest.mark.parametrize("form", ["wav", "aiff"])
@pytest.mark.parametrize("channels", [9, 12, 14, 32, 64])
def test_another_rate_leaves_each_channel_in_its_place(
    made: Made, channels: int, form: str
) -> None:
    for depth in ("16", "24", "float"):
        options = {"format": form, "samplerate": "44100", "bitdepth": depth}
        samples, rate = decoded(made(encoded(tones(channels), _RATE), **options))
        assert (rate, samples.shape) == (44_100, (22_050, channels))
        assert np.abs(heard(samples, rate) - pitches(channels)).max() < 2


@pytest.mark.parametrize("channels", [9, 64])
def test_a_part_of_many_channels_has_exactly_its_frames(made: Made, channels: int) -> None:
    sent = tones(channels)
    options = {"format": "wav", "bitdepth": "16", "start": "0.125", "end": "0.375"}
    samples, _ = decoded(made(encoded(sent, _RATE), **options))
    assert samples.shape == (12_000, channels)
    assert np.abs(samples - sent[6_000:18_000]).max() < 2 * _STEP


def test_what_became_an_aiff_becomes_a_wav_again(made: Made) -> None:
    there = made(encoded(tones(16), _RATE), format="aiff")
    back = made(there, format="wav", bitdepth="16")
    samples, rate = decoded(back)
    assert np.abs(heard(samples, rate) - pitches(16)).max() < 2
    assert mask(back) == 0


@pytest.mark.parametrize("channels", [9, 12, 16, 24, 46])
def test_channels_of_unknown_place_are_all_as_loud(made: Made, channels: int) -> None:
    sent = tones(channels, seconds=2.0)
    for level in (-30.0, -20.0):
        options = {"format": "wav", "bitdepth": "16", "normalize_lufs": f"{level:g}"}
        samples, rate = decoded(made(encoded(sent, _RATE), **options))
        meter = Meter(rate, channels)
        meter.add(np.ascontiguousarray(samples.T, dtype=np.float32))
        assert meter.loudness().integrated == pytest.approx(level, abs=0.25)
        assert np.abs(heard(samples, rate) - pitches(channels)).max() < 2


@pytest.mark.parametrize(
    ("channels", "options", "words"),
    [
        (12, {"format": "flac"}, "12 channels, which cannot be mixed to 8: convert it to wav"),
        (64, {"format": "wav", "channels": "2"}, "64 channels, which cannot be mixed to 2"),
        (65, {"format": "wav"}, "65 channels, and 64 is the most"),
        (64, {"format": "wav", "normalize_lufs": "-20"}, "leave “normalize_lufs” out"),
    ],
)
def test_what_many_channels_cannot_become_is_told(
    made: Made, channels: int, options: dict[str, str], words: str
) -> None:
    with pytest.raises(UnfitError, match=words):
        made(encoded(tones(channels, seconds=0.1), _RATE), **options)


# A left speaker alone, half a pair behind, the back without a front, none that has a name.
ODD = [(1, 0x1), (2, 0x30), (3, 0x15), (5, 0x1F), (4, 0x3C0000)]


@pytest.mark.parametrize(("channels", "speakers"), ODD)
def test_odd_speakers_stay_the_same(made: Made, channels: int, speakers: int) -> None:
    sent = tone(channels=channels, bits=24, extensible=True, channel_mask=speakers)
    there = decoded(sent)[0]
    for form in ("wav", "aiff", "flac"):
        result = made(sent, format=form, bitdepth="16")
        assert np.abs(decoded(result)[0] - there).max() < 2 * _STEP
        # The head of one or two channels of 16 bits has no room for speakers.
        assert form != "wav" or mask(result) == (speakers if channels > 2 else 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "mp3"}, "its 3 channels .* mp3 has no place: convert it to wav"),
        ({"format": "m4a"}, "its 3 channels .* m4a has no place: convert it to wav"),
        (
            {"format": "wav", "channels": "2"},
            "its 3 channels .* mixed to 2 .* leave “channels” out",
        ),
    ],
)
def test_odd_speakers_are_not_mixed(made: Made, options: dict[str, str], words: str) -> None:
    sent = tone(channels=3, extensible=True, channel_mask=0x15)
    with pytest.raises(UnfitError, match=words):
        made(sent, **options)


@pytest.mark.parametrize(
    ("channels", "speakers"),
    [(3, 0), (4, 0), (4, 0x603), (5, 0), (5, 0x607), (6, 0x60F), (7, 0), (3, 0x15)],
)
def test_opus_takes_channels_as_they_stand(made: Made, channels: int, speakers: int) -> None:
    sent = tone(channels=channels, extensible=bool(speakers), channel_mask=speakers)
    result, rate = decoded(made(made(sent, format="opus"), format="wav"))
    away = np.abs(heard(result, rate) - heard(*decoded(sent)))
    elsewhere = [place for place in range(channels) if away[place] > 3]
    # The fourth of seven is for low frequencies alone.
    assert elsewhere == ([3] if channels == 7 else [])


@pytest.mark.parametrize(
    ("channels", "speakers", "places"),
    [
        (2, 0, Places.USUAL),
        (2, 0x3, Places.USUAL),
        (6, 0x60F, Places.USUAL),
        (12, 0x2D63F, Places.USUAL),
        (3, 0x15, Places.ODD),
        (2, 0x30, Places.ODD),
        (12, 0, Places.UNKNOWN),
        (12, 0x3F, Places.UNKNOWN),
    ],
)
def test_speakers_are_known_odd_or_unknown(channels: int, speakers: int, places: Places) -> None:
    assert places_of(channels, speakers) is places
