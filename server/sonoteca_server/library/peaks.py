"""Waveform overviews at any zoom: some are kept, the others are made from the next finer one.

A file of overviews is one as audiowaveform writes it, of 256 samples a pixel, and behind it others
of 4, 16, 64 … times as many, as long as they are worth it. Together they are a third larger than
the first, and any of them is sent as it lies there.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sonoteca_shared import peaks
from sonoteca_shared.peaks import Head

SAMPLES_PER_PIXEL = 256
"""Of the finest overview."""

ZOOM = 4
_FEW = 1024  # pixels: fewer than that are made in no time


@dataclass(frozen=True, slots=True)
class Overview:
    """An overview within a file, from its byte `start`, as `head` has it."""

    head: Head
    start: int

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + self.head.size


def zooms(head: Head) -> Iterator[Head]:
    """The heads of all overviews in a file that begins with this one."""
    yield head
    while head.length > _FEW:
        head = head.coarser(ZOOM)
        yield head


def find_overview(read: Callable[[int, int], bytes], size: int, spp: int) -> Overview:
    """The coarsest overview in a file of `size` bytes that one of `spp` can be made of.

    ValueError when the file is none of overviews, or ends too early.
    """
    first = peaks.parse_head(read(0, Head.SIZE))
    if first.size > size:
        raise ValueError("waveform data is shorter than its header says")
    found, start = Overview(first, 0), 0
    for head in zooms(first):
        # Files from before there were several hold the first one alone.
        if start + head.size > size or spp % head.samples_per_pixel:
            break
        found = Overview(head, start)
        start += head.size
    return found


def reduced(data: bytes, factor: int) -> bytes:
    """Peaks of `factor` times as many samples per pixel, in the same format.

    In plain Python: most overviews are small, and numpy would take a third of the server's memory.
    """
    base = peaks.parse(data)
    head = peaks.parse_head(data).coarser(factor)
    starts = range(0, base.length, factor)
    step = 2 * base.channels
    values = array("h", bytes(2 * step * len(starts)))
    for place in range(step):
        extreme = max if place % 2 else min
        line = base.values[place::step]
        values[place::step] = array("h", (extreme(line[at : at + factor]) for at in starts))
    if sys.byteorder == "big":  # pragma: no cover
        values.byteswap()
    return head.to_bytes() + values.tobytes()
