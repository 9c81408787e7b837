"""The waveform overview in audiowaveform's binary form."""

from __future__ import annotations

import struct
from array import array

import pytest

from sonoteca_shared import peaks


def data(*, bits: int = 16, values: tuple[int, ...] = (-5, 7, -1, 2), channels: int = 1) -> bytes:
    length = len(values) // 2 // channels
    head = struct.pack("<iIiiIi", 2, 1 if bits == 8 else 0, 48_000, 256, length, channels)
    return head + struct.pack(f"<{len(values)}{'b' if bits == 8 else 'h'}", *values)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("channels", "length"), [(1, 2), (2, 1)])
def test_reads_both_widths(bits: int, channels: int, length: int) -> None:
    parsed = peaks.parse(data(bits=bits, channels=channels))
    assert (parsed.samplerate, parsed.samples_per_pixel) == (48_000, 256)
    assert (parsed.bits, parsed.channels, parsed.length) == (bits, channels, length)
    assert list(parsed.values) == [-5, 7, -1, 2]


def test_reads_what_it_writes() -> None:
    values = array("h", [-3, 4])
    head = peaks.Head(samplerate=8_000, samples_per_pixel=512, length=1, channels=1).to_bytes()
    parsed = peaks.parse(head + values.tobytes())
    assert parsed == peaks.Peaks(8_000, 512, 1, 16, values)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (b"", "ends within its header"),
        (data()[:23], "ends within its header"),
        (data()[:-1], "shorter than its header"),
        (b"\1" + data()[1:], "version 2"),
        (data()[:20] + bytes(4) + data()[24:], "version 2"),
    ],
)
def test_refuses_what_is_something_else(broken: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        peaks.parse(broken)
