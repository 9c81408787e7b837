"""How loud a sound is by EBU R 128, in ffmpeg's words, and the filters that make it louder."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CEILING_DB = -1.0
_SILENCE = -70.0
CLOSE_LU = 0.2
"""What is no further from the loudness asked for has it."""
_FIGURE = r"(-?\d+(?:\.\d+)?|-?inf|nan)"
_SUMMARY = re.compile(rf"Summary:.*?I:\s+{_FIGURE} LUFS.*?Peak:\s+{_FIGURE} dBFS", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured: integrated loudness in LUFS, true peak in dBFS."""

    integrated: float
    peak: float

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing that could be made louder."""
        return not self.integrated > _SILENCE


def read_summary(said: str) -> Measured | None:
    """The summary at the end of what ffmpeg says; None where there is none."""
    found = _SUMMARY.search(said)
    return Measured(float(found[1]), float(found[2])) if found else None


def louder(gain_db: float) -> list[str]:
    """The filters for a gain alone, which leaves the sound as it is."""
    return [f"volume={gain_db:.3f}dB:precision=float"]


def limited(gain_db: float) -> list[str]:
    """The filters for a gain with peaks held below full scale."""
    ceiling = 10 ** (_CEILING_DB / 20)
    return [*louder(gain_db), f"alimiter=limit={ceiling:.6f}:level=false:attack=5:release=50"]


def fits(measured: Measured, gain_db: float) -> bool:
    """Whether the peaks stay below full scale with this gain."""
    return measured.peak + gain_db <= _CEILING_DB
