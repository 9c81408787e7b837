"""The process in which strangers' audio is decoded: never the one that serves.

Reads one JSON line a task from standard input, `{"source": path, "target": path}`, writes the
peaks to the target and answers with one JSON line, `{"error": null or a sentence, "full": whether
the disk is}`. It may crash; its parent starts another.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile

from sonoteca_server.library.peaks import SAMPLES_PER_PIXEL
from sonoteca_shared import peaks
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.wav import WavFacts, probe

_PIXELS_AT_ONCE = 512
_BYTES_AT_ONCE = 16 << 20
_MEMORY = 2 << 30
_FAILURES = (SonotecaError, soundfile.SoundFileError, OSError, ValueError, MemoryError)

Samples = npt.NDArray[np.int16]


def main() -> None:
    """Answer tasks until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.nice(10)
    # Ctrl+C in a terminal reaches every process there; this one ends when its parent does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        task = msgspec.json.decode(line)
        error, full = None, False
        try:
            write_peaks(Path(task["source"]), Path(task["target"]))
        except _FAILURES as failure:
            error = str(failure) or type(failure).__name__
            full = getattr(failure, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        try:
            sys.stdout.buffer.write(msgspec.json.encode({"error": error, "full": full}) + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os._exit(0)  # the server is gone; there is nobody to tell, and nothing to flush


def write_peaks(source: Path, target: Path) -> None:
    """Compute the minima and maxima of `source` and write them to `target`, durably."""
    with source.open("rb") as file, target.open("wb") as out:
        facts = probe(lambda at, count: os.pread(file.fileno(), count, at), source.stat().st_size)
        out.write(_header(facts, 0))
        length = 0
        for block in _blocks(file, facts):
            pixels = _extremes(block)
            out.write(pixels.tobytes())
            length += len(pixels)
        # The length is only known now: headers of strangers promise more than there is.
        out.seek(0)
        out.write(_header(facts, length))
        out.flush()
        os.fsync(out.fileno())


def _header(facts: WavFacts, length: int) -> bytes:
    return peaks.header(
        samplerate=facts.samplerate,
        samples_per_pixel=SAMPLES_PER_PIXEL,
        length=length,
        channels=facts.channels,
    )


def _blocks(file: BinaryIO, facts: WavFacts) -> Iterator[Samples]:
    """The sound as blocks of (frames, channels), 16 bits a sample."""
    if facts.sample_bytes and facts.format in ("pcm", "float"):
        return _linear(file, facts)
    return _coded(file, facts.frames)


def _frames_at_once(frame_bytes: int) -> int:
    """How many frames a block has: whole pixels, and little memory however many channels."""
    pixels = min(_PIXELS_AT_ONCE, _BYTES_AT_ONCE // (frame_bytes * SAMPLES_PER_PIXEL))
    return SAMPLES_PER_PIXEL * max(1, pixels)


def _linear(file: BinaryIO, facts: WavFacts) -> Iterator[Samples]:
    """Linear samples, read by us: what libsndfile makes of odd widths is not what they are."""
    frames = _frames_at_once(facts.block_align)
    at, end = facts.data_offset, facts.data_offset + facts.frames * facts.block_align
    width = facts.sample_bytes
    while at < end:
        data = os.pread(file.fileno(), min(frames * facts.block_align, end - at), at)
        whole = len(data) // facts.block_align
        if not whole:
            return
        raw = np.frombuffer(data, np.uint8, whole * facts.block_align)
        samples = _to_16_bits(raw.reshape(-1, width), facts)
        yield samples.reshape(whole, facts.channels)
        at += whole * facts.block_align


def _to_16_bits(raw: npt.NDArray[np.uint8], facts: WavFacts) -> Samples:
    """Samples as rows of bytes → the 16 bits that a waveform shows."""
    order = ">" if facts.big_endian else "<"
    if facts.format == "float":
        floats = np.ascontiguousarray(raw).view(f"{order}f{facts.sample_bytes}")
        finite = np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0)
        samples: Samples = (np.clip(finite, -1, 1) * 32767).astype(np.int16)
        return samples
    if facts.sample_bytes == 1:
        return ((raw.astype(np.int16) - 128) * 256).astype(np.int16)
    top = raw[:, :2] if facts.big_endian else raw[:, -2:]
    return np.ascontiguousarray(top).view(f"{order}i2").astype(np.int16)


def _coded(file: BinaryIO, frames: int) -> Iterator[Samples]:
    """Everything else, decoded by libsndfile, which also gives the padding of a last block."""
    with soundfile.SoundFile(file) as sound:
        buffer = np.empty((_frames_at_once(2 * sound.channels), sound.channels), np.int16)
        while frames and len(block := sound.read(out=buffer)[:frames]):
            yield block
            frames -= len(block)


def _extremes(block: Samples) -> npt.NDArray[Any]:
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
