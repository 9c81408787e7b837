"""Loudness of a sound by EBU R 128: how loud, how wide the range, and how high the true peak."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sonoteca_server.jobs.kweighting import KWeighting
from sonoteca_server.jobs.samples import Native, as_floats
from sonoteca_server.jobs.true_peak import TruePeak
from sonoteca_shared.models import Loudness

# Below and above these the filter would be wrong, and there is nothing to hear in a sound.
_LEAST_RATE, _GREATEST_RATE = 4_000, 1_000_000

_SILENCE = -70.0
_STEPS_A_SECOND = 10
_MOMENT, _SHORT = 4, 30  # steps
_QUIETER, _MUCH_QUIETER = -10.0, -20.0
_OFFSET = -0.691  # so that a tone of 1 kHz is as loud as its level says

# Speakers of WAVEFORMATEXTENSIBLE by their bits: low frequencies do not count, what comes from
# behind or from the sides counts more (BS.1770, table 3).
_LOW = 1 << 3
_BEHIND = 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 15 | 1 << 16 | 1 << 17
_LOUDER_BEHIND = 1.41
# What a count of channels means where the file does not say: as ffmpeg guesses.
_USUAL = {1: 0x4, 2: 0x3, 3: 0xB, 4: 0x107, 5: 0x37, 6: 0x3F, 7: 0x70F, 8: 0x63F}

Steps = npt.NDArray[np.float64]


def weights_of(channels: int, mask: int) -> npt.NDArray[np.float32]:
    """How much each channel counts, by the speakers that it is for."""
    if mask.bit_count() != channels:
        mask = _USUAL.get(channels, 0)
    speakers = [1 << bit for bit in range(32) if mask >> bit & 1] or [0] * channels
    return np.array([_weight(speaker) for speaker in speakers], np.float32)


def _weight(speaker: int) -> float:
    if speaker & _LOW:
        return 0.0
    return _LOUDER_BEHIND if speaker & _BEHIND else 1.0


class Meter:
    """Takes a sound piece by piece and knows at the end how loud it was."""

    def __init__(self, samplerate: int, channels: int, mask: int = 0) -> None:
        self._samplerate = samplerate
        self._weights = weights_of(channels, mask)
        self._true_peak = TruePeak(samplerate, channels)
        self._filter: KWeighting | None = None
        if _LEAST_RATE <= samplerate <= _GREATEST_RATE:
            self._filter = KWeighting(samplerate, channels)
        self._frames = 0
        self._steps: list[Steps] = []
        self._open = 0.0

    def add(self, piece: Native) -> None:
        """Hear the next frames, as (channels, frames)."""
        floats = as_floats(piece)
        self._true_peak.add(floats)
        if self._filter is not None:
            heard = self._filter.filter(floats)
            self._count(self._weights @ np.square(heard, out=heard))

    def _count(self, power: npt.NDArray[np.float32]) -> None:
        """Add up the power of each step: a tenth of a second, from the first frame within it."""
        first, last = self._frames, self._frames + len(power)
        self._frames = last
        number = first * _STEPS_A_SECOND // self._samplerate
        borders = self._border(np.arange(number, last * _STEPS_A_SECOND // self._samplerate + 2))
        inside = borders[(borders > first) & (borders < last)] - first
        sums = np.add.reduceat(power, np.concatenate([[0], inside]), dtype=np.float64)
        sums[0] += self._open
        ended = bool((borders == last).any())
        self._open = 0.0 if ended else sums[-1]
        self._steps.append(sums if ended else sums[:-1])

    def _border(self, step: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return -(-step * self._samplerate // _STEPS_A_SECOND)

    def loudness(self) -> Loudness:
        """What was measured; None is what nobody can hear or tell."""
        steps = np.concatenate(self._steps) if self._steps else np.zeros(0)
        frames = np.diff(self._border(np.arange(len(steps) + 1)))
        moments = _powers(steps, frames, _MOMENT)
        shorts = _powers(steps, frames, _SHORT)
        return Loudness(
            integrated=_integrated(moments),
            range=_range(shorts),
            true_peak=self._true_peak.level(),
            momentary=_highest(moments),
            short_term=_highest(shorts),
        )


def _powers(steps: Steps, frames: npt.NDArray[np.int64], count: int) -> Steps:
    """The mean power of each window of so many steps; windows begin at every step."""
    if len(steps) < count:
        return np.zeros(0)
    sums, sizes = (np.concatenate([[0], np.cumsum(each)]) for each in (steps, frames))
    means: Steps = np.maximum(sums[count:] - sums[:-count], 0) / (sizes[count:] - sizes[:-count])
    return means


def _integrated(moments: Steps) -> float | None:
    """Of what is no silence and not much quieter than the rest (BS.1770, annex 1)."""
    return _level(_gated(moments, _QUIETER).mean()) if len(_gated(moments, _QUIETER)) else None


def _range(shorts: Steps) -> float | None:
    """From the tenth to the ninety-fifth percentile of what is heard (EBU Tech 3342)."""
    heard = np.sort(_gated(shorts, _MUCH_QUIETER))
    if not len(heard):
        return None
    low, high = (heard[round((len(heard) - 1) * share)] for share in (0.10, 0.95))
    return round(float(10 * np.log10(high / low)), 2)


def _gated(powers: Steps, below_mean: float) -> Steps:
    heard = powers[powers > _power(_SILENCE)]
    return heard[heard > heard.mean() * 10 ** (below_mean / 10)] if len(heard) else heard


def _highest(powers: Steps) -> float | None:
    return _level(powers.max(initial=0))


def _level(power: float) -> float | None:
    """In LUFS; None for what nobody hears."""
    return round(float(_OFFSET + 10 * np.log10(power)), 2) if power > _power(_SILENCE) else None


def _power(level: float) -> float:
    return float(10 ** ((level - _OFFSET) / 10))
