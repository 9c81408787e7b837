"""Waveform overviews at any zoom: some are kept, the others are made from the next finer one.

A file of overviews is one as audiowaveform writes it, of 256 samples a pixel, and behind it others
of 4, 16, 64 … times as many, as long as they are worth it. Together they are a third larger than
the first, and any of them is sent as it lies there.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sonoteca_shared import peaks
from sonoteca_shared.peaks import Head, Peaks

SAMPLES_PER_PIXEL = 256
"""Of the finest overview."""

ZOOM = 4
_FEW = 1024  # pixels: fewer than that are made in no time
_PIECE = 16 << 10  # pixels that are looked at in one go


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


def reduced(read: Callable[[int, int], bytes], finer: Overview, factor: int) -> bytes:
    """Peaks of `factor` times as many samples per pixel, of a finer overview in a file of them.

    In plain Python: most overviews are small, and numpy would take a third of the server's memory.
    ValueError when the file ends too early.
    """
    head = finer.head.coarser(factor)
    width = finer.head.coarser(finer.head.length).size - Head.SIZE
    made = bytearray(head.to_bytes())
    for first in range(0, finer.head.length, at_once := factor * -(-_PIECE // factor)):
        count = min(at_once, finer.head.length - first)
        data = read(finer.start + Head.SIZE + first * width, count * width)
        piece = peaks.parse(replace(finer.head, length=count).to_bytes() + data)
        made += _reduced(piece, factor)
        time.sleep(0)  # whoever waits for Python's lock gets it
    return bytes(made)


def _reduced(base: Peaks, factor: int) -> bytes:
    starts = range(0, base.length, factor)
    step = 2 * base.channels
    values = array("h", bytes(2 * step * len(starts)))
    for place in range(step):
        extreme = max if place % 2 else min
        line = base.values[place::step]
        values[place::step] = array("h", (extreme(line[at : at + factor]) for at in starts))
    if sys.byteorder == "big":  # pragma: no cover
        values.byteswap()
    return values.tobytes()
