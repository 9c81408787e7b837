"""Finds ffmpeg, and what the one that was found can do; nothing is offered that it has not."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

# What encodes each format; those of samples as they are have it in every build.
_ENCODERS = {
    "wav": "pcm_s16le",
    "flac": "flac",
    "mp3": "libmp3lame",
    "ogg": "libvorbis",
    "opus": "libopus",
    "m4a": "aac",
    "aiff": "pcm_s16be",
}
_ROW = re.compile(r"^ A\S{5} (\S+)", re.MULTILINE)
_VERSION = re.compile(r"^ffmpeg version (\S+)")
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """An ffmpeg: where it is, and what it can."""

    path: str
    version: str
    formats: tuple[str, ...]
    has_soxr: bool
    """Whether it has the better of the two resamplers."""
    has_fd: bool
    """Whether it can seek in a file that it was given open (from version 6 on)."""


def find() -> Ffmpeg | None:
    """The system's ffmpeg, else the one of the extra `convert`; None where there is neither."""
    path = shutil.which("ffmpeg") or _bundled()
    return describe(path) if path is not None else None


@cache
def describe(path: str) -> Ffmpeg | None:
    """What this ffmpeg can; None when it does not even run."""
    try:
        about = _ask(path, "-version")
        encoders = set(_ROW.findall(_ask(path, "-encoders")))
        protocols = _ask(path, "-protocols").partition("Output:")[0].split()
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.match(about)
    return Ffmpeg(
        path=path,
        version=found[1] if found else "",
        formats=tuple(name for name, encoder in _ENCODERS.items() if encoder in encoders),
        has_soxr="--enable-libsoxr" in about,
        has_fd="fd" in protocols,
    )


def _ask(path: str, question: str) -> str:
    command = [path, "-hide_banner", "-nostdin", question]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_PATIENCE_S,
        check=True,
    )
    return done.stdout


def _bundled() -> str | None:
    """The program that the package imageio-ffmpeg brings, if it is installed."""
    try:
        path: str = importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None
    return path
