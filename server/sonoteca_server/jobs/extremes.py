"""Writes the waveform overview of a sound: the least and the greatest of every 256 samples."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sonoteca_server.jobs.samples import Native
from sonoteca_server.library.peaks import SAMPLES_PER_PIXEL
from sonoteca_shared import peaks
from sonoteca_shared.wav import WavFacts


class Extremes:
    """Takes a sound piece by piece; all but the last are whole pixels."""

    def __init__(self, out: BinaryIO, facts: WavFacts) -> None:
        self._out = out
        self._facts = facts
        self._length = 0
        out.write(self._header())

    def add(self, piece: Native) -> None:
        """Write the pixels of these frames."""
        pixels = _pixels(piece)
        self._out.write(pixels.tobytes())
        self._length += len(pixels)

    def finish(self) -> None:
        """Make the file whole, and certain to be on the disk."""
        # The length is only known now: headers of strangers promise more than there is.
        self._out.seek(0)
        self._out.write(self._header())
        self._out.flush()
        os.fsync(self._out.fileno())

    def _header(self) -> bytes:
        return peaks.header(
            samplerate=self._facts.samplerate,
            samples_per_pixel=SAMPLES_PER_PIXEL,
            length=self._length,
            channels=self._facts.channels,
        )


def _pixels(piece: Native) -> npt.NDArray[Any]:
    """Minimum and maximum per pixel and channel, as (pixels, channels, 2) of 16 bits."""
    channels, frames = piece.shape
    whole = frames // SAMPLES_PER_PIXEL * SAMPLES_PER_PIXEL
    lined_up = piece[:, :whole].reshape(channels, -1, SAMPLES_PER_PIXEL)
    pixels = np.stack([lined_up.min(2), lined_up.max(2)], axis=2).transpose(1, 0, 2)
    if whole < frames:
        rest = piece[:, whole:]
        pixels = np.concatenate([pixels, np.stack([rest.min(1), rest.max(1)], axis=1)[None]])
    return _in_16_bits(pixels).astype("<i2")


def _in_16_bits(values: Native) -> Native:
    if values.dtype.kind == "f":
        return np.clip(values, -1, 1) * 32767
    return values >> 16 if values.itemsize == 4 else values
