"""What it costs to see and to measure a sound: seconds of one core for each byte, beside others.

    .venv/bin/python -m tests.bench.analysis [--seconds N] [--peer PYTHON]

Waveforms, and waveforms with loudness, of a sound in memory (`/dev/shm`), beside a plain read of
the file, libsndfile's decoding to 16 bits, and ffmpeg's `ebur128` with and without true peak.
`--peer` names a Python that has pyebur128 (libebur128) and soundfile.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

ROUNDS = 5
Command = Callable[[Path], list[str]]
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
KINDS = (("PCM_16", 2, 48_000), ("PCM_24", 2, 48_000), ("PCM_24", 1, 96_000), ("FLOAT", 2, 48_000))
OURS = """
import contextlib, os, sys
from sonoteca_server.jobs import decoder, extremes, loudness, samples
from sonoteca_shared.wav import probe
source, target, what = sys.argv[1:]
with open(source, "rb") as file, open(target, "w+b") as out:
    facts = probe(lambda at, count: os.pread(file.fileno(), count, at), os.stat(source).st_size)
    pixels = extremes.Extremes(out, facts)
    meter = loudness.Meter(facts.samplerate, facts.channels, facts.channel_mask)
    for piece in samples.pieces(file, facts, 256):
        if "waveform" in what:
            pixels.add(piece)
        if "loudness" in what:
            meter.add(piece)
    pixels.finish()
    meter.loudness()
"""
READ = """
import sys
with open(sys.argv[1], "rb", buffering=0) as file:
    room = bytearray(1 << 20)
    while file.readinto(room):
        pass
"""
DECODE = """
import sys, numpy, soundfile
with soundfile.SoundFile(sys.argv[1]) as sound:
    room = numpy.empty((1 << 17, sound.channels), "int16")
    while len(sound.read(out=room)):
        pass
"""
LIBRARY = """
import sys, soundfile
from pyebur128.pyebur128 import MeasurementMode as Mode, R128State
from pyebur128.pyebur128 import get_loudness_global, get_loudness_range, get_true_peak
modes = Mode.MODE_I | Mode.MODE_LRA
if sys.argv[2] == "peak":
    modes |= Mode.MODE_TRUE_PEAK
with soundfile.SoundFile(sys.argv[1]) as sound:
    state = R128State(sound.channels, sound.samplerate, modes)
    for block in sound.blocks(1 << 17, dtype="float32", always_2d=True):
        state.add_frames(block.ravel(), len(block))
    get_loudness_global(state), get_loudness_range(state)
"""


def write_sound(path: Path, subtype: str, channels: int, rate: int, seconds: int) -> None:
    """Noise whose level wanders, with much less of it above than below, as most sound is."""
    chance = np.random.default_rng(1)
    with soundfile.SoundFile(str(path), "w", rate, channels, subtype) as file:
        for second in range(seconds):
            white = chance.standard_normal((rate, channels))
            brown = np.cumsum(white, axis=0)
            brown = brown - brown.mean(axis=0)
            level = 0.05 * (1.2 + np.sin(second / 7))
            file.write(np.clip(level * (0.02 * brown + 0.3 * white), -0.99, 0.99))


def seconds_of(command: list[str]) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env=os.environ | ONE_THREAD)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(name: str, size: int, make: Command, sound: Path, tiny: Path) -> None:
    """Megabytes a second of one core; what the program costs before it begins does not count."""
    rates = []
    for _ in range(ROUNDS):
        spent = seconds_of(make(sound)) - seconds_of(make(tiny))
        rates.append(size / max(spent, 1e-3) / 1e6)
    middle, least, most = statistics.median(rates), min(rates), max(rates)
    print(f"  {name:34}{middle:8,.0f} MB/s [{least:,.0f} .. {most:,.0f}]", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Processor time of waveforms and loudness.")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--peer", help="a Python with pyebur128, numpy and soundfile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:
        for subtype, channels, rate in KINDS:
            sound, tiny, target = (Path(temporary) / name for name in ("a.wav", "b.wav", "c.dat"))
            write_sound(sound, subtype, channels, rate, given.seconds)
            write_sound(tiny, subtype, channels, rate, 1)
            size = sound.stat().st_size - tiny.stat().st_size
            print(f"{subtype}, {channels} channels, {rate:,} Hz, {size / 1e6:,.0f} MB")
            for name, make in candidates(target, given.peer).items():
                report(name, size, make, sound, tiny)


def candidates(target: Path, peer: str | None) -> dict[str, Command]:
    """The commands that are compared."""

    def python(code: str, *words: str, program: str = sys.executable) -> Command:
        return lambda sound: [program, "-c", code, str(sound), *words]

    def ffmpeg(measure: str) -> Command:
        command = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i"]
        return lambda sound: [*command, str(sound), "-af", measure, "-f", "null", "-"]

    made = {
        "plain read": python(READ),
        "libsndfile to 16 bits": python(DECODE),
        "waveform": python(OURS, str(target), "waveform"),
        "loudness": python(OURS, str(target), "loudness"),
        "waveform and loudness": python(OURS, str(target), "waveform loudness"),
        "ffmpeg ebur128": ffmpeg("ebur128"),
        "ffmpeg ebur128 with true peak": ffmpeg("ebur128=peak=true"),
    }
    if peer:
        made["libebur128"] = python(LIBRARY, "-", program=peer)
        made["libebur128 with true peak"] = python(LIBRARY, "peak", program=peer)
    return made


if __name__ == "__main__":
    main()
