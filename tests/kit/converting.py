"""What tests of conversion share: sounds sent to `/convert`, and ears for what comes back."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt
import requests
import soundfile

from sonoteca_server.jobs.conversion import Conversions
from sonoteca_server.jobs.sources import examine
from sonoteca_shared.recipes import parse_recipe
from tests.kit.engines import require
from tests.kit.wavs import Plan, build_wav

Samples = npt.NDArray[np.float64]


def tone(**plan: Any) -> bytes:
    """A WAV of tones, one for each channel."""
    given: dict[str, Any] = {"sound": "tone", "seconds": 1.0} | plan
    return build_wav(Plan(**given))


def convert(
    server: str, data: bytes, *, name: str = "take.wav", query: str = "", **options: str
) -> requests.Response:
    """What `/convert` answers to a form with this file, and these options before it."""
    return requests.post(
        f"{server}/convert{query}", files={"file": (name, data)}, data=options, timeout=60
    )


async def convert_here(data: bytes, options: dict[str, str]) -> bytes:
    """What the server's converter makes of this file, without a server around it."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(data)
        source.flush()
        found = examine(source.fileno())
        conversions = Conversions(lambda: 1 << 30)
        await conversions.convert(found, parse_recipe(options), target.fileno())
        return os.pread(target.fileno(), 1 << 30, 0)


def decoded(data: bytes) -> tuple[Samples, int]:
    """The samples of a sound as (frames, channels), and its rate; by ffmpeg or libsndfile."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float64", always_2d=True)
    except soundfile.SoundFileError:
        program = require("ffmpeg").with_name("ffmpeg")
        command = [str(program), "-v", "error", "-i", "-", "-f", "wav", "-c:a", "pcm_f64le", "-"]
        done = subprocess.run(command, input=data, capture_output=True, check=True)
        samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float64", always_2d=True)
    return samples, rate


def likeness(first: Samples, second: Samples) -> float:
    """How alike two sounds of the same frames are: 1 when one is the other, louder or not."""
    a, b = (each.ravel() for each in (first, second))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def encoded(samples: Samples, samplerate: int) -> bytes:
    """A WAV of 24 bits with these samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, samplerate, format="WAV", subtype="PCM_24")
    return file.getvalue()
