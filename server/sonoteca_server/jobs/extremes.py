"""Writes the waveform overviews of a sound: the least and the greatest of every 256 samples …"""

from __future__ import annotations

import itertools
import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sonoteca_server.jobs.samples import Native
from sonoteca_server.library.peaks import SAMPLES_PER_PIXEL, ZOOM, zooms
from sonoteca_shared.peaks import Head
from sonoteca_shared.wav import WavFacts

_PIXELS_AT_ONCE = 1 << 16

Pixels = npt.NDArray[np.int16]
"""(pixels, channels, 2): minima and maxima."""


class Extremes:
    """Takes a sound piece by piece; all but the last are whole pixels. `out` can be read too."""

    def __init__(self, out: BinaryIO, facts: WavFacts) -> None:
        self._out = out
        self._facts = facts
        self._length = 0
        out.write(self._head().to_bytes())

    def add(self, piece: Native) -> None:
        """Write the pixels of these frames."""
        pixels = _pixels(piece)
        self._out.write(pixels.tobytes())
        self._length += len(pixels)

    def finish(self) -> None:
        """Write the coarser overviews behind the first, and make it all certain to be on disk."""
        # The length is only known now: headers of strangers promise more than there is.
        self._out.seek(0)
        self._out.write(self._head().to_bytes())
        start = 0
        for finer, coarser in itertools.pairwise(zooms(self._head())):
            self._reduce(finer, start)
            start += finer.size
            assert self._out.tell() == start + coarser.size
        self._out.flush()
        os.fsync(self._out.fileno())

    def _reduce(self, finer: Head, start: int) -> None:
        """Write a coarser overview to the end, of the one that begins at `start`."""
        at, end = start + Head.SIZE, start + finer.size
        self._out.seek(0, os.SEEK_END)
        self._out.write(finer.coarser(ZOOM).to_bytes())
        pixel = 4 * finer.channels
        while at < end:
            self._out.flush()
            data = os.pread(self._out.fileno(), min(_PIXELS_AT_ONCE * pixel, end - at), at)
            pixels = np.frombuffer(data, "<i2").reshape(-1, finer.channels, 2)
            starts = np.arange(0, len(pixels), ZOOM)
            low = np.minimum.reduceat(pixels[:, :, 0], starts)
            high = np.maximum.reduceat(pixels[:, :, 1], starts)
            self._out.write(np.stack([low, high], axis=2).tobytes())
            at += len(data)

    def _head(self) -> Head:
        return Head(
            samplerate=self._facts.samplerate,
            samples_per_pixel=SAMPLES_PER_PIXEL,
            length=self._length,
            channels=self._facts.channels,
        )


def _pixels(piece: Native) -> Pixels:
    channels, frames = piece.shape
    whole = frames // SAMPLES_PER_PIXEL * SAMPLES_PER_PIXEL
    lined_up = piece[:, :whole].reshape(channels, -1, SAMPLES_PER_PIXEL)
    pixels = np.stack([lined_up.min(2), lined_up.max(2)], axis=2).transpose(1, 0, 2)
    if whole < frames:
        rest = piece[:, whole:]
        pixels = np.concatenate([pixels, np.stack([rest.min(1), rest.max(1)], axis=1)[None]])
    written: Pixels = _in_16_bits(pixels).astype("<i2")
    return written


def _in_16_bits(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind == "f":
        clipped: npt.NDArray[Any] = np.clip(values, -1, 1) * 32767
        return clipped
    return values >> 16 if values.itemsize == 4 else values
