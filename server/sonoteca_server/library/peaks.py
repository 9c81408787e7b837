"""Waveform overviews at any zoom, made from the finest one that is kept."""

from __future__ import annotations

import numpy as np

from sonoteca_shared import peaks

SAMPLES_PER_PIXEL = 256  # of the finest overview, the one that is kept


def reduced(data: bytes, factor: int) -> bytes:
    """Peaks of `factor` times as many samples per pixel, in the same format."""
    base = peaks.parse(data)
    pairs = np.frombuffer(base.values, "<i2").reshape(base.length, base.channels, 2)
    starts = np.arange(0, base.length, factor)
    low = np.minimum.reduceat(pairs[:, :, 0], starts) if base.length else pairs[:, :, 0]
    high = np.maximum.reduceat(pairs[:, :, 1], starts) if base.length else pairs[:, :, 1]
    header = peaks.header(
        samplerate=base.samplerate,
        samples_per_pixel=base.samples_per_pixel * factor,
        length=len(starts),
        channels=base.channels,
    )
    return header + np.stack([low, high], axis=2).astype("<i2").tobytes()
