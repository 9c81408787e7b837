"""Waveform overviews at any zoom, made from the finest one that is kept."""

from __future__ import annotations

import sys
from array import array

from sonoteca_shared import peaks

SAMPLES_PER_PIXEL = 256  # of the finest overview, the one that is kept


def reduced(data: bytes, factor: int) -> bytes:
    """Peaks of `factor` times as many samples per pixel, in the same format.

    In plain Python: most overviews are small, and numpy would take a third of the server's memory.
    """
    base = peaks.parse(data)
    starts = range(0, base.length, factor)
    step = 2 * base.channels
    values = array("h", bytes(2 * step * len(starts)))
    for place in range(step):
        extreme = max if place % 2 else min
        line = base.values[place::step]
        values[place::step] = array("h", (extreme(line[at : at + factor]) for at in starts))
    if sys.byteorder == "big":  # pragma: no cover
        values.byteswap()
    header = peaks.header(
        samplerate=base.samplerate,
        samples_per_pixel=base.samples_per_pixel * factor,
        length=len(starts),
        channels=base.channels,
    )
    return header + values.tobytes()
