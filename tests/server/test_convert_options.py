"""What `/convert` makes of a sound when it is told how: rates, depths, regions, loudness, texts."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests

from sonoteca_shared.wav import describe, probe
from tests.kit.converting import convert, decoded, encoded, likeness, tone
from tests.kit.engines import require
from tests.kit.http import serve
from tests.kit.wavs import chunk

pytestmark = [pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("ffmpeg")
    with serve(tmp_path_factory.mktemp("convert")) as address:
        yield address


def converted(server: str, data: bytes, **options: str) -> bytes:
    answer = convert(server, data, **options)
    assert answer.status_code == 200, answer.text
    return answer.content


def facts_of(data: bytes) -> Any:
    return describe(lambda at, count: data[at : at + count], len(data))


@pytest.mark.parametrize(
    ("depth", "form", "bits"),
    [
        ("8", "pcm", 8),
        ("16", "pcm", 16),
        ("24", "pcm", 24),
        ("32", "pcm", 32),
        ("float", "float", 32),
    ],
)
def test_a_wav_has_the_depth_that_was_asked_for(
    server: str, depth: str, form: str, bits: int
) -> None:
    sent = tone(bits=24)
    made = converted(server, sent, format="wav", bitdepth=depth)
    facts = facts_of(made).facts
    assert (facts.format, facts.bitdepth, facts.frames) == (form, bits, 48_000)
    assert facts.findings == ()
    assert likeness(decoded(sent)[0], decoded(made)[0]) > 0.9999


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_samples_that_fit_stay_what_they_are(server: str, bits: int) -> None:
    sent = tone(bits=bits)
    made = converted(server, sent, format="wav")
    assert facts_of(made).facts.bitdepth == bits
    original = facts_of(sent).facts
    there = facts_of(made).facts
    first = sent[original.data_offset : original.data_offset + original.data_size]
    assert made[there.data_offset : there.data_offset + there.data_size] == first


@pytest.mark.parametrize(("depth", "shift"), [("8", 0.0), ("16", 0.0), ("24", -0.5)])
def test_reducing_dithers_by_one_step_and_no_more(server: str, depth: str, shift: float) -> None:
    # With 24 bits the encoder leaves out what lies below, where the others round.
    step = 2.0 ** (1 - int(depth))
    sent = tone(bits=32, floats=True, channels=1, seconds=2.0)
    made = converted(server, sent, format="wav", bitdepth=depth)
    error = (decoded(made)[0] - decoded(sent)[0]) / step
    # Noise of two dice and of rounding: 1/6 + 1/12 of a step squared, and no trend.
    assert abs(float(np.std(error)) - 0.5) < 0.05
    assert abs(float(np.mean(error)) - shift) < 0.05


@pytest.mark.parametrize("form", ["wav", "mp3", "ogg", "opus", "m4a", "aiff", "flac"])
def test_the_same_again_gives_the_same_bytes(server: str, form: str) -> None:
    sent = tone(samplerate=44_100)
    first, second = (converted(server, sent, format=form, samplerate="48000") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000, 192_000])
@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_sound_gets_another_rate(server: str, rate: int, form: str) -> None:
    sent = tone(samplerate=48_000, channels=1)
    samples, there = decoded(converted(server, sent, format=form, samplerate=str(rate)))
    assert (there, len(samples)) == (rate, rate)
    time = np.arange(rate) / rate
    # The tone of the first channel, whatever the rate: 220 Hz and ten for the seed.
    wanted = np.sin(2 * np.pi * 230 * time)[:, None]
    middle = slice(rate // 10, -rate // 10)
    assert likeness(samples[middle], wanted[middle]) > 0.999


@pytest.mark.parametrize(("sent", "asked"), [(2, 1), (1, 2), (6, 2)])
def test_channels_are_mixed_and_never_louder_than_full_scale(
    server: str, sent: int, asked: int
) -> None:
    made = converted(server, tone(channels=sent), format="wav", channels=str(asked))
    samples, _ = decoded(made)
    assert samples.shape == (48_000, asked)
    assert 0.1 < float(np.abs(samples).max()) <= 1


def test_more_channels_than_anybody_can_mix_are_told(server: str) -> None:
    answer = convert(server, tone(channels=12, seconds=0.1), format="mp3")
    assert (answer.status_code, answer.json()["code"]) == (422, "conversion-unfit")
    assert "12 channels" in answer.json()["detail"]
    answer = convert(server, tone(seconds=0.1), format="wav", channels="12")
    assert (answer.status_code, answer.json()["code"]) == (422, "conversion-unfit")
    kept = converted(server, tone(channels=12, seconds=0.1), format="wav")
    assert facts_of(kept).facts.channels == 12


def test_a_region_has_exactly_its_frames(server: str) -> None:
    sent = tone(seconds=2.0)
    made = converted(server, sent, format="wav", start="0.5", end="1.25")
    original, _ = decoded(sent)
    samples, _ = decoded(made)
    assert np.array_equal(samples, original[24_000:60_000])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": "9"}, "“start” is 9 seconds"),
        ({"end": "5"}, "“end” is 5 seconds"),
        ({"start": "0.5", "end": "0.5"}, "“end”"),
        ({"start": "-1"}, "negative"),
        ({"samplerate": "12345", "format": "mp3"}, "44100"),
        ({"samplerate": "fast"}, "whole number"),
        ({"channels": "3", "format": "mp3"}, "between 1 and 2"),
        ({"bitdepth": "20"}, "8, 16, 24, 32, float"),
        ({"bitdepth": "16", "format": "mp3"}, "bitrate"),
        ({"bitrate": "192k"}, "bitdepth"),
        ({"bitrate": "1", "format": "mp3"}, "8k and 320k"),
        ({"normalize_lufs": "loud"}, "LUFS"),
        ({"normalize_lufs": "3"}, "between -70 and 0"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    server: str, options: dict[str, str], words: str
) -> None:
    answer = convert(server, tone(), **({"format": "wav"} | options))
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_bitrate_is_kept(server: str) -> None:
    small, large = (
        converted(server, tone(), format="mp3", bitrate=rate) for rate in ("64k", "256000")
    )
    assert 3.5 < len(large) / len(small) < 4.5


def loudness(data: bytes) -> float:
    program = str(require("ffmpeg").with_name("ffmpeg"))
    command = [program, "-hide_banner", "-nostats", "-i", "-", "-af", "ebur128", "-f", "null", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return float(re.findall(rb"I:\s+(-?\d+\.\d) LUFS", done.stderr)[-1])


@pytest.mark.parametrize("form", ["wav", "mp3", "flac"])
@pytest.mark.parametrize("level", ["-23", "-35", "-14"])
def test_a_sound_becomes_as_loud_as_it_was_asked_to_be(server: str, form: str, level: str) -> None:
    sent = tone(seconds=3.0, bits=24)
    made = converted(server, sent, format=form, normalize_lufs=level)
    assert abs(loudness(made) - float(level)) <= 0.5


def test_peaks_are_held_below_full_scale(server: str) -> None:
    frames = np.random.default_rng(1).normal(0, 0.02, 144_000)
    frames[::7_000] = 0.9  # clicks far above the rest
    sent = encoded(frames, 48_000)
    made = converted(server, sent, format="wav", normalize_lufs="-18")
    samples, _ = decoded(made)
    assert abs(loudness(made) + 18) <= 0.5
    assert float(np.abs(samples).max()) < 0.95


def test_silence_is_not_made_loud(server: str) -> None:
    answer = convert(server, tone(sound="silence"), format="wav", normalize_lufs="-23")
    assert (answer.status_code, answer.json()["code"]) == (422, "conversion-unfit")


def bext(description: str = "Door slam", reference: int = 48_000) -> bytes:
    return struct.pack(
        "<256s32s32s10s8sQH254x",
        description.encode(), b"Recorder 7", b"REF1", b"2024-05-06", b"12:13:14", reference, 1,
    )  # fmt: skip


def info(**texts: str) -> bytes:
    return b"INFO" + b"".join(
        chunk(name.encode(), text.encode() + b"\0") for name, text in texts.items()
    )


def tags_in(data: bytes) -> dict[str, str]:
    program = str(require("ffmpeg"))
    command = [
        program,
        "-v",
        "error",
        "-show_entries",
        "format_tags:stream_tags",
        "-of",
        "flat",
        "-",
    ]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    pairs = re.findall(r'tags\.(\w+)="(.*)"', done.stdout.decode())
    return {name.lower(): text for name, text in pairs}


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "ogg", "opus", "m4a", "aiff"])
def test_texts_go_where_the_format_has_a_place(server: str, form: str) -> None:
    texts = info(INAM='Türe = "zu"; -y', IGNR="Foley")
    sent = tone(before=((b"bext", bext()), (b"LIST", texts)))
    tags = tags_in(converted(server, sent, format=form))
    assert tags["title"] == 'Türe = \\"zu\\"; -y'
    assert tags["comment"] == "Door slam"
    if form != "aiff":
        assert "2024-05-06" in tags["date"]
    if form not in ("wav", "m4a", "aiff"):
        assert tags["originator"] == "Recorder 7"


def test_a_part_tells_when_it_began(server: str) -> None:
    sent = tone(seconds=2.0, before=((b"bext", bext()),))
    made = converted(server, sent, format="wav", start="0.5", samplerate="96000")
    told = facts_of(made).metadata.embedded.bext
    assert (told.description, told.originator) == ("Door slam", "Recorder 7")
    # A second since midnight and half a second, in samples of the new rate.
    assert told.time_reference == 144_000


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_wav_beyond_four_gigabytes_is_an_rf64_of_its_true_size(server: str) -> None:
    seconds, rate, channels = 740, 192_000, 8
    sent = tone(bits=8, channels=1, samplerate=8_000, seconds=float(seconds))
    wanted = {"format": "wav", "samplerate": str(rate), "channels": str(channels)}
    with requests.post(
        f"{server}/convert", files={"file": sent}, data=wanted | {"bitdepth": "32"}, stream=True,
        timeout=500,
    ) as answer:  # fmt: skip
        assert answer.status_code == 200
        head, came = answer.raw.read(1_000), 1_000
        while piece := answer.raw.read(1 << 20):
            came += len(piece)
    facts = probe(lambda at, count: head[at : at + count], came)
    assert (facts.container, facts.frames, facts.findings) == ("RF64", seconds * rate, ())
    assert came - facts.data_offset == seconds * rate * channels * 4
