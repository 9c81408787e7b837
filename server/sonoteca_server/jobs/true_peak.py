"""The true peak of a sound: how high the wave goes between its samples (BS.1770, annex 2).

The samples are interpolated to 192 kHz at least. That is much work, and nearly all of it can be
left out: the interpolated wave is never higher than the samples around times a number that the
filter tells. Only where that may be a new maximum is it looked at.
"""

from __future__ import annotations

from math import log10

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from sonoteca_server.jobs.kweighting import Planar

_RATE = 192_000
_MOST_TIMES = 24
_TAPS = 32
_KAISER = 8.0
_BLOCK = 64
_AT_ONCE = 64


class TruePeak:
    """Takes a sound piece by piece, as (channels, frames) with full scale at 1."""

    def __init__(self, samplerate: int, channels: int) -> None:
        self._between = _between(min(_MOST_TIMES, -(-_RATE // samplerate)))
        self._most = float(np.abs(self._between).sum(0).max(initial=1.0))
        self._before = np.zeros((channels, _TAPS - 1), np.float32)
        self._highest = 0.0

    def add(self, planar: Planar) -> None:
        """Look at the next frames."""
        if not self._between.size:
            self._highest = max(self._highest, float(np.abs(planar).max()))
            return
        channels, frames = planar.shape
        # Whole blocks, and one more to look into; what is behind the last frame is looked at later.
        room = np.zeros((channels, -(-frames // _BLOCK) * _BLOCK + _BLOCK), np.float32)
        room[:, : _TAPS - 1] = self._before
        room[:, _TAPS - 1 : _TAPS - 1 + frames] = planar
        self._before = room[:, frames : frames + _TAPS - 1].copy()
        self._look(room)

    def level(self) -> float | None:
        """In dBTP, at the end; None where there is no sound at all."""
        if self._between.size:
            self.add(np.zeros((len(self._before), _TAPS), np.float32))
        return round(20 * log10(self._highest), 2) if self._highest else None

    def _look(self, room: Planar) -> None:
        blocks = room.reshape(len(room), -1, _BLOCK)
        high = np.maximum(blocks.max(2), -blocks.min(2))
        self._highest = max(self._highest, float(high.max()))
        bound = np.maximum(high[:, :-1], high[:, 1:]) * self._most
        wide = sliding_window_view(room, _BLOCK + _TAPS - 1, axis=1)[:, ::_BLOCK]
        order = np.argsort(bound, axis=None)[::-1]
        for start in range(0, len(order), _AT_ONCE):
            # The most promising first, so that the others need not be looked at.
            channel, block = np.unravel_index(order[start : start + _AT_ONCE], bound.shape)
            if bound[channel[0], block[0]] <= self._highest:
                break
            windows = sliding_window_view(wide[channel, block], _TAPS, axis=1)
            self._highest = max(self._highest, float(np.abs(windows @ self._between).max()))


def _between(times: int) -> npt.NDArray[np.float32]:
    """The taps that give the values between two samples, in columns."""
    places = np.arange(1, times) / times
    distance = np.arange(_TAPS)[:, None] - (_TAPS // 2 - 1) - places
    window = np.i0(_KAISER * np.sqrt(1 - (distance / (_TAPS // 2)) ** 2)) / np.i0(_KAISER)
    taps = np.sinc(distance) * window
    between: npt.NDArray[np.float32] = (taps / taps.sum(0)).astype(np.float32)
    return between
