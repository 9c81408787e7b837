"""Markers and loops as libsndfile reads them, in the frames of the file."""

from __future__ import annotations

import struct
from pathlib import Path

import soundfile

# From sndfile.h; the package soundfile does not wrap these commands.
_GET_CUE_COUNT, _GET_CUE, _GET_INSTRUMENT = 0x10CD, 0x10CE, 0x10D0
_CUE = struct.Struct("=iIiiiI256s")
_INSTRUMENT = struct.Struct("=i8bi")
_LOOP = struct.Struct("=iIII")


def _ask(path: Path, command: int, size: int) -> bytes:
    with soundfile.SoundFile(path) as file:
        answer = soundfile._ffi.new(f"char[{size}]")
        soundfile._snd.sf_command(file._file, command, answer, size)
        return bytes(soundfile._ffi.buffer(answer))


def cues(path: Path) -> list[tuple[int, str]]:
    """The frames of the markers of a WAV or an AIFF, and their names; a hundred at most."""
    raw = _ask(path, _GET_CUE, 4 + 100 * _CUE.size)
    (count,) = struct.unpack_from("=I", raw)
    rows = [_CUE.unpack_from(raw, 4 + number * _CUE.size) for number in range(count)]
    return [(row[5], row[6].partition(b"\0")[0].decode()) for row in rows]


def loops(path: Path) -> list[tuple[int, int]]:
    """The first frame of each loop, and the one that libsndfile ends it with."""
    raw = _ask(path, _GET_INSTRUMENT, _INSTRUMENT.size + 16 * _LOOP.size)
    count = _INSTRUMENT.unpack_from(raw)[-1]
    rows = [
        _LOOP.unpack_from(raw, _INSTRUMENT.size + number * _LOOP.size) for number in range(count)
    ]
    return [row[1:3] for row in rows]
