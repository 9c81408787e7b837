"""The process in which strangers' audio is decoded: never the one that serves.

Reads one JSON line a task from standard input, `{"source": path, "target": path}`, writes the
peaks to the target and answers with one JSON line, `{"error": null or a sentence}`. It may crash;
its parent starts another.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from sonoteca_shared import peaks

SAMPLES_PER_PIXEL = 256
_PIXELS_AT_ONCE = 512
_MEMORY = 2 << 30


def main() -> None:
    """Answer tasks until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.nice(10)
    for line in sys.stdin.buffer:
        task = msgspec.json.decode(line)
        try:
            write_peaks(Path(task["source"]), Path(task["target"]))
            error = None
        except (soundfile.SoundFileError, OSError, ValueError, MemoryError) as failure:
            error = str(failure) or type(failure).__name__
        sys.stdout.buffer.write(msgspec.json.encode({"error": error}) + b"\n")
        sys.stdout.buffer.flush()


def write_peaks(source: Path, target: Path) -> None:
    """Compute the minima and maxima of `source` and write them to `target`, durably."""
    with soundfile.SoundFile(str(source)) as sound, target.open("wb") as out:
        buffer = np.empty((SAMPLES_PER_PIXEL * _PIXELS_AT_ONCE, sound.channels), "int16")
        out.write(_header(sound, 0))
        length = 0
        while len(block := sound.read(out=buffer)):
            pixels = _extremes(block)
            out.write(pixels.tobytes())
            length += len(pixels)
        # The length is only known now: headers of strangers promise more than there is.
        out.seek(0)
        out.write(_header(sound, length))
        out.flush()
        os.fsync(out.fileno())


def _header(sound: soundfile.SoundFile, length: int) -> bytes:
    return peaks.header(
        samplerate=sound.samplerate,
        samples_per_pixel=SAMPLES_PER_PIXEL,
        length=length,
        channels=sound.channels,
    )


def _extremes(block: np.ndarray) -> np.ndarray:
    """Minimum and maximum per pixel and channel, as (pixels, channels, 2)."""
    whole = len(block) // SAMPLES_PER_PIXEL * SAMPLES_PER_PIXEL
    # One channel after the other in memory: five times as fast as reducing interleaved samples.
    planar = np.ascontiguousarray(block[:whole].T)
    planar = planar.reshape(block.shape[1], -1, SAMPLES_PER_PIXEL)
    pixels = np.stack([planar.min(2, initial=32767), planar.max(2, initial=-32768)], axis=2)
    pixels = pixels.transpose(1, 0, 2)
    if whole < len(block):
        rest = block[whole:]
        pixels = np.concatenate([pixels, np.stack([rest.min(0), rest.max(0)], axis=1)[None]])
    return pixels.astype("<i2")


if __name__ == "__main__":
    main()
