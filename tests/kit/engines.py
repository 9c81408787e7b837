"""Programs and files that a test may need and a machine may lack.

A test asks with `require("xvfb")`. Where it is missing the test is skipped with its name, or fails
when `SONOTECA_TEST_REQUIRE=all` says that nothing may be missing (as the whole check in CI does).
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

SYSTEM_PACKAGES = Path(__file__).parents[2] / "packaging" / "system-packages.txt"

# What a test asks for -> what shows that it is there, as in packaging/system-packages.txt.
ENGINES = {
    "xvfb": "Xvfb",
    "xdotool": "xdotool",
    "pulseaudio": "pulseaudio",
    "pactl": "pactl",
    "curl": "curl",
    "openssl": "openssl",
    "ffmpeg": "ffprobe",
    "strace": "strace",
    "unzip": "unzip",
    "7z": "7z",
    "bsdtar": "bsdtar",
    "postgresql": "initdb",
    "nodejs": "node",
    "npm": "npm",
    "alsa-utils": "/usr/share/sounds/alsa/Noise.wav",
}


def require(engine: str) -> Path:
    """Where this engine is; the test that asked ends here when there is none."""
    probe = ENGINES[engine]
    found = Path(shutil.which(probe) or probe)
    if not found.is_absolute() or not found.is_file():
        missing(f"{engine} is not installed (in Debian: {debian_package(probe)})")
    return found


def missing(reason: str) -> NoReturn:
    """End this test: skipped, or failed where everything is required."""
    if os.environ.get("SONOTECA_TEST_REQUIRE") == "all":
        pytest.fail(f"{reason}, and SONOTECA_TEST_REQUIRE=all wants every engine", pytrace=False)
    pytest.skip(reason)


def debian_package(probe: str) -> str:
    """The package that brings what this probe looks for, from the one list."""
    rows = (line.split() for line in SYSTEM_PACKAGES.read_text(encoding="utf-8").splitlines())
    return next(row[1] for row in rows if row[:1] == [probe])
