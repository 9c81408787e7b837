"""The waveform overview: minimum and maximum of each stretch of samples, per channel.

Written as audiowaveform's binary format version 2 (.dat), which waveform-data.js and others read:
a header of six little-endian 32-bit words (version, flags, sample rate, samples per pixel, length,
channels), then for each pixel and channel a minimum and a maximum, as 8-bit or 16-bit integers.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass, replace
from typing import ClassVar

_HEADER = struct.Struct("<iIiiIi")
_EIGHT_BITS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands before the pixels of an overview, and how large they make it."""

    samplerate: int
    samples_per_pixel: int
    length: int
    channels: int
    bits: int = 16

    SIZE: ClassVar[int] = _HEADER.size

    @property
    def size(self) -> int:
        """Bytes of the whole overview."""
        return self.SIZE + self.length * self.channels * 2 * self.bits // 8

    def coarser(self, times: int) -> Head:
        """The head of the same overview with so many times fewer pixels."""
        spp, length = self.samples_per_pixel * times, -(-self.length // times)
        return replace(self, samples_per_pixel=spp, length=length)

    def to_bytes(self) -> bytes:
        """The head as it is written."""
        flags = _EIGHT_BITS if self.bits == 8 else 0
        place = self.samplerate, self.samples_per_pixel, self.length, self.channels
        return _HEADER.pack(2, flags, *place)


@dataclass(frozen=True, slots=True)
class Peaks:
    """`values` holds length × channels pairs (minimum, maximum), full scale being ±2^(bits-1)."""

    samplerate: int
    samples_per_pixel: int
    channels: int
    bits: int
    values: array[int]

    @property
    def length(self) -> int:
        """How many pixels there are."""
        return len(self.values) // (2 * self.channels)


def parse_head(data: bytes) -> Head:
    """The head that peaks in binary form begin with; ValueError when it is not that."""
    if len(data) < Head.SIZE:
        raise ValueError("waveform data ends within its header")
    version, flags, samplerate, spp, length, channels = _HEADER.unpack_from(data)
    if version != 2 or channels < 1 or spp < 1 or samplerate < 1:
        raise ValueError("not waveform data of version 2")
    return Head(
        samplerate=samplerate,
        samples_per_pixel=spp,
        length=length,
        channels=channels,
        bits=8 if flags & _EIGHT_BITS else 16,
    )


def parse(data: bytes) -> Peaks:
    """Peaks from their binary form; ValueError when it is not that."""
    head = parse_head(data)
    if len(data) < head.size:
        raise ValueError("waveform data is shorter than its header says")
    values = array("b" if head.bits == 8 else "h", data[Head.SIZE : head.size])
    if head.bits == 16 and sys.byteorder == "big":  # pragma: no cover
        values.byteswap()
    return Peaks(head.samplerate, head.samples_per_pixel, head.channels, head.bits, values)
