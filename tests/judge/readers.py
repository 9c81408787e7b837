"""What libsndfile, ffmpeg and we read in the head of a WAV, in the same words."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.wav import probe
from tests.kit import engines, wavs

LINEAR = ("pcm", "float", "alaw", "mulaw")
_SNDFILE_BITS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "FLOAT": 32, "DOUBLE": 64}
_SNDFILE_BITS |= {"ALAW": 8, "ULAW": 8}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a reader says of a file; bits only where each sample has some of its own."""

    frames: int
    samplerate: int
    channels: int
    bits: int | None = None

    def against(self, other: Opinion) -> list[str]:
        """The fields in which two readers differ."""
        fields = ["frames", "samplerate", "channels"]
        if self.bits is not None and other.bits is not None:
            fields.append("bits")
        return [name for name in fields if getattr(self, name) != getattr(other, name)]


Reader = Callable[[Path], Opinion | None]
"""A reader's opinion of a file; None when it refuses it."""


def ours(path: Path) -> Opinion | None:
    try:
        with path.open("rb") as file:
            facts = probe(wavs.Reader(file), path.stat().st_size)
    except NotAWavError:
        return None
    bits = facts.bitdepth if facts.format in LINEAR else None
    return Opinion(facts.frames, facts.samplerate, facts.channels, bits)


def libsndfile(path: Path) -> Opinion | None:
    try:
        told = soundfile.info(path)
    except soundfile.LibsndfileError:
        return None
    if told.format not in ("WAV", "WAVEX", "RF64"):
        return None  # it goes by the content too: an AIFF called .wav is no WAV
    return Opinion(told.frames, told.samplerate, told.channels, _SNDFILE_BITS.get(told.subtype))


def ffmpeg(path: Path) -> Opinion | None:
    program = str(engines.require("ffmpeg"))
    command = [program, "-v", "error", "-of", "json"]
    shown = "stream=codec_name,sample_rate,channels,bits_per_sample,bits_per_raw_sample,duration_ts"
    command += ["-f", "wav", "-show_entries", shown, str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        return None  # what it writes then is no JSON
    told: dict[str, Any] = next(iter(json.loads(done.stdout).get("streams", [])), {})
    if "sample_rate" not in told or "codec_name" not in told:
        return None  # without the name of a codec there is no decoder either
    linear = told["codec_name"].startswith("pcm_")
    raw = int(told.get("bits_per_raw_sample", 0))
    return Opinion(
        int(told.get("duration_ts", 0)),
        int(told["sample_rate"]),
        int(told["channels"]),
        (raw or int(told["bits_per_sample"])) if linear else None,
    )


READERS: dict[str, Reader] = {"libsndfile": libsndfile, "ffmpeg": ffmpeg}
