"""The waveform overview: minimum and maximum of each stretch of samples, per channel.

Written as audiowaveform's binary format version 2 (.dat), which waveform-data.js and others read:
a header of six little-endian 32-bit words (version, flags, sample rate, samples per pixel, length,
channels), then for each pixel and channel a minimum and a maximum, as 8-bit or 16-bit integers.
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass

_HEADER = struct.Struct("<iIiiIi")
_EIGHT_BITS = 1


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


def parse(data: bytes) -> Peaks:
    """Peaks from their binary form; ValueError when it is not that."""
    if len(data) < _HEADER.size:
        raise ValueError("waveform data ends within its header")
    version, flags, samplerate, spp, length, channels = _HEADER.unpack_from(data)
    if version != 2 or channels < 1 or spp < 1 or samplerate < 1:
        raise ValueError("not waveform data of version 2")
    bits = 8 if flags & _EIGHT_BITS else 16
    body = data[_HEADER.size :]
    if len(body) < length * channels * 2 * bits // 8:
        raise ValueError("waveform data is shorter than its header says")
    values = array("b" if bits == 8 else "h", body[: length * channels * 2 * bits // 8])
    if bits == 16 and sys.byteorder == "big":  # pragma: no cover
        values.byteswap()
    return Peaks(samplerate, spp, channels, bits, values)


def header(*, samplerate: int, samples_per_pixel: int, length: int, channels: int) -> bytes:
    """The header of 16-bit peaks; the pairs follow it as little-endian 16-bit integers."""
    return _HEADER.pack(2, 0, samplerate, samples_per_pixel, length, channels)
