"""How loud a file is by ffmpeg's `ebur128`, the meter that ours is compared with."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.kit.engines import require

NOTHING = -70.0
"""What it tells where nothing is heard."""


@dataclass(frozen=True)
class Measured:
    """In LUFS, LU and dBTP, to one digit; `true_peak` is -inf in silence."""

    integrated: float
    range: float
    true_peak: float


def measure(path: Path) -> Measured:
    """What it says of the first stream of sound in a file."""
    require("ffmpeg")
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", str(path), "-map", "0:a:0",
               "-af", "ebur128=peak=true", "-f", "null", "-"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    summary = done.stderr.rpartition("Summary:")[2]
    found = dict(re.findall(r"(I|LRA|Peak):\s+(\S+)", summary))
    return Measured(float(found["I"]), float(found["LRA"]), float(found["Peak"]))
