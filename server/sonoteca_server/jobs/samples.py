"""The samples of a WAV, piece by piece, one channel after the other in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile

from sonoteca_shared.wav import WavFacts

_PIXELS_AT_ONCE = 512
_BYTES_AT_ONCE = 16 << 20
_LOUDEST = 1024.0

Native = npt.NDArray[Any]
"""(channels, frames) of 16 or 32 bits, or floats with full scale at 1."""


def pieces(file: BinaryIO, facts: WavFacts, multiple: int) -> Iterator[Native]:
    """The sound in pieces whose frames are multiples of `multiple`, but for the last one.

    A piece is to be used before the next one is asked for: both lie in the same memory.
    """
    if facts.sample_bytes and facts.format in ("pcm", "float"):
        return _linear(file, facts, multiple)
    return _coded(file, facts.frames, multiple)


def as_floats(native: Native) -> npt.NDArray[np.float32]:
    """The same with full scale at 1, in single precision."""
    if native.dtype.kind == "f":
        return native.astype(np.float32, copy=False)
    return native.astype(np.float32) * np.float32(2.0 ** (1 - 8 * native.itemsize))


def _frames_at_once(frame_bytes: int, multiple: int) -> int:
    """As many as are quick to work on, and little memory however many channels."""
    return multiple * max(1, min(_PIXELS_AT_ONCE, _BYTES_AT_ONCE // (frame_bytes * multiple)))


def _linear(file: BinaryIO, facts: WavFacts, multiple: int) -> Iterator[Native]:
    """Linear samples, read by us: what libsndfile makes of odd widths is not what they are."""
    step = _frames_at_once(facts.block_align, multiple) * facts.block_align
    at, end = facts.data_offset, facts.data_offset + facts.frames * facts.block_align
    # A byte more on both sides: samples of three bytes are read as if they had four.
    room = bytearray(step + 2)
    while at < end:
        count = os.preadv(file.fileno(), [memoryview(room)[1 : 1 + min(step, end - at)]], at)
        whole = count // facts.block_align
        if not whole:
            return
        yield _native(room, whole, facts)
        at += whole * facts.block_align


def _native(room: bytearray, frames: int, facts: WavFacts) -> Native:
    width, order = facts.sample_bytes, ">" if facts.big_endian else "<"

    def view(kind: str, offset: int) -> Native:
        strides = (width, facts.block_align)
        return np.ndarray((facts.channels, frames), kind, room, 1 + offset, strides)

    if facts.format == "float":
        return _sound(np.ascontiguousarray(view(f"{order}f{width}", 0), f"=f{width}"))
    if width == 1:
        middled: Native = (view("u1", 0).astype(np.int16) - 128) * 256
        return middled
    if width == 2:
        return np.ascontiguousarray(view(f"{order}i2", 0), np.int16)
    # The upper four bytes; of three the fourth is the neighbour's, and taken away.
    native = np.array(view(f"{order}i4", 0 if facts.big_endian else width - 4), np.int32, order="C")
    if width == 3:
        native &= -256
    return native


def _sound(floats: Native) -> Native:
    """Floats that are numbers, and no louder than anything that was meant."""
    if np.abs(floats).max(initial=0) <= _LOUDEST:  # not so with NaN
        return floats
    numbers: Native = np.clip(
        np.nan_to_num(floats, nan=0.0, posinf=1.0, neginf=-1.0), -_LOUDEST, _LOUDEST
    )
    return numbers


def _coded(file: BinaryIO, frames: int, multiple: int) -> Iterator[Native]:
    """Everything else, decoded by libsndfile, which also gives the padding of a last block."""
    with soundfile.SoundFile(file) as sound:
        step = _frames_at_once(2 * sound.channels, multiple)
        buffer = np.empty((step, sound.channels), np.int16)
        while frames and len(block := sound.read(out=buffer)[:frames]):
            yield np.ascontiguousarray(block.T)
            frames -= len(block)
