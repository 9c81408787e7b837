"""Samples as they lie in a WAV, turned into samples that audio devices take."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.wav import WavFacts

Convert = Callable[[bytes], bytes]


class UnplayableError(SonotecaError):
    """The sound is fine, but this player cannot play its kind."""

    code = "unplayable"


class SampleFormat(Enum):
    """What devices take: kind, bytes a sample, and the type code of `array` for it.

    Samples are in this machine's byte order, which is little-endian wherever PySide6 runs.
    """

    UINT8 = ("uint8", 1, "B")
    INT16 = ("int16", 2, "h")
    INT32 = ("int32", 4, "i")
    FLOAT = ("float", 4, "f")

    @property
    def size(self) -> int:
        """Bytes a sample."""
        return self.value[1]

    @property
    def typecode(self) -> str:
        return self.value[2]

    def silence(self, samples: int) -> bytes:
        """So many samples of nothing."""
        return (b"\x80" if self is SampleFormat.UINT8 else b"\0") * (samples * self.size)


@dataclass(frozen=True, slots=True)
class Conversion:
    """How the samples of a file become those of a device."""

    format: SampleFormat
    convert: Convert


def conversion_for(facts: WavFacts) -> Conversion:
    """The conversion for a file; UnplayableError says why there is none."""
    width = facts.sample_bytes
    if facts.format == "pcm" and width:
        return _pcm(width, big_endian=facts.big_endian)
    if facts.format == "float" and width == 4:
        return Conversion(SampleFormat.FLOAT, _integers(4, 4, big_endian=facts.big_endian))
    if facts.format == "float" and width == 8:
        return Conversion(SampleFormat.FLOAT, _doubles(big_endian=facts.big_endian))
    if facts.format in _COMPANDED:
        return Conversion(SampleFormat.INT16, _by_table(_COMPANDED[facts.format]()))
    raise UnplayableError(
        f"Sounds of the kind {facts.format!r} cannot be played here yet. "
        "Download it to hear it in another program."
    )


def _pcm(width: int, *, big_endian: bool) -> Conversion:
    if width == 1:
        return Conversion(SampleFormat.UINT8, bytes)
    if width == 2:
        return Conversion(SampleFormat.INT16, _integers(2, 2, big_endian=big_endian))
    # 24 bits become 32 exactly; of more than 32 the upper 32 are far below any device's noise.
    return Conversion(SampleFormat.INT32, _integers(width, 4, big_endian=big_endian))


def _integers(width: int, wanted: int, *, big_endian: bool) -> Convert:
    """From `width` bytes to `wanted` little-endian ones with the same top bytes."""
    if width == wanted and not big_endian:
        return bytes
    # Slices with a stride move one byte of all samples at once; a loop would be 50 times slower.
    steps = [
        (wanted - 1 - nth, nth if big_endian else width - 1 - nth)
        for nth in range(min(width, wanted))
    ]

    def convert(data: bytes) -> bytes:
        out = bytearray(len(data) // width * wanted)
        for to, source in steps:
            out[to::wanted] = data[source::width]
        return bytes(out)

    return convert


def _doubles(*, big_endian: bool) -> Convert:
    def convert(data: bytes) -> bytes:
        doubles = array("d", data)
        if big_endian:
            doubles.byteswap()
        return array("f", doubles).tobytes()

    return convert


def _by_table(table: list[int]) -> Convert:
    packed = struct.pack("<256h", *table)
    low, high = packed[0::2], packed[1::2]

    def convert(data: bytes) -> bytes:
        out = bytearray(2 * len(data))
        out[0::2] = data.translate(low)
        out[1::2] = data.translate(high)
        return bytes(out)

    return convert


def _mulaw_table() -> list[int]:
    """What each of the 256 bytes means (ITU-T G.711)."""
    table = []
    for byte in range(256):
        code = ~byte & 0xFF
        magnitude = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
        table.append(-magnitude if code & 0x80 else magnitude)
    return table


def _alaw_table() -> list[int]:
    """What each of the 256 bytes means (ITU-T G.711)."""
    table = []
    for byte in range(256):
        code = byte ^ 0x55
        segment, mantissa = code >> 4 & 7, (code & 0x0F) << 4
        magnitude = mantissa + 8 if segment == 0 else mantissa + 0x108 << segment - 1
        table.append(magnitude if code & 0x80 else -magnitude)
    return table


_COMPANDED = {"alaw": _alaw_table, "mulaw": _mulaw_table}

# Speaker positions of a channel mask (Microsoft, "Multiple channel audio data and WAVE files"):
# the sides; all others (centre, subwoofer, back centre, overhead centre) belong to both.
_LEFT = frozenset(1 << bit for bit in (0, 4, 6, 9, 12, 15))
_RIGHT = frozenset(1 << bit for bit in (1, 5, 7, 10, 14, 17))


def sides(channels: int, mask: int) -> tuple[list[int], list[int]]:
    """Which channels go to the left and to the right; those without a known place go to both."""
    places = [1 << bit for bit in range(32) if mask >> bit & 1][:channels]
    places += [0] * (channels - len(places))
    left = [channel for channel, place in enumerate(places) if place not in _RIGHT]
    right = [channel for channel, place in enumerate(places) if place not in _LEFT]
    everything = list(range(channels))
    return left or everything, right or everything


def mix_to_stereo(form: SampleFormat, channels: int, mask: int) -> Convert:
    """Mean of the channels of each side, for devices that refuse more than two."""
    left, right = sides(channels, mask)

    def convert(data: bytes) -> bytes:
        samples = array(form.typecode, data)
        out = array(form.typecode, bytes(len(samples) // channels * 2 * form.size))
        for side, which in ((0, left), (1, right)):
            columns = zip(*(samples[channel::channels] for channel in which), strict=True)
            count = len(which)
            if form is SampleFormat.FLOAT:
                out[side::2] = array("f", [sum(column) / count for column in columns])
            else:
                out[side::2] = array(form.typecode, [sum(column) // count for column in columns])
        return out.tobytes()

    return convert
