"""What ffmpeg says of a run, in words for whoever sent the sound."""

from __future__ import annotations

import re
import signal

from sonoteca_server.jobs.jail import Ended, Limits
from sonoteca_server.jobs.sources import Source, TruncatedError, UndecodableError
from sonoteca_shared.errors import NoSpaceError, SonotecaError

_MOST_SAID = 300
# Lines are `[error] words`, or with who says it: `[wav @ 0x55d0c8b0] [error] words`.
_TROUBLE = re.compile(r"^(?:\[[^\]]* @ \w+\] )?\[(?:error|fatal)\] (.+)$", re.MULTILINE)
# What ffmpeg calls the file that it was given.
_OUR_NAMES = re.compile(r"(?:pipe:0|fd:|file:/dev/fd/\d): ")
_CUT = re.compile(r"ended prematurely|partial file|truncat|corrupt input packet", re.IGNORECASE)
_DECODED = re.compile(r"Input stream .*frames decoded.*\((\d+) samples\)")
_SPEAKERS = re.compile(
    r"(?:channel layout .{1,200} (?:is not supported|for specified mapping))|"
    r"Unsupported channel layout|Cannot select channel layout"
)
_EMPTY = "Output file is empty"


def failure(ended: Ended, limits: Limits) -> SonotecaError:
    """What to tell of a run that failed."""
    if ended.status == -signal.SIGXFSZ or "No space left on device" in ended.said:
        return NoSpaceError(free=limits.file_size, needed=limits.file_size + 1)
    if ended.status in (-signal.SIGXCPU, -signal.SIGKILL):
        return UndecodableError(f"converting it takes more than {limits.cpu_s} seconds of work")
    if _CUT.search(ended.said):
        return TruncatedError("the sound ends before its file says so")
    lines = _TROUBLE.findall(_OUR_NAMES.sub("", ended.said))
    # The first line is the trouble itself, those behind it what came of it.
    reason = lines[0][:_MOST_SAID] if lines else f"ffmpeg ended with status {ended.status}"
    return UndecodableError(f"it cannot be converted: {reason}")


def is_empty(said: str) -> bool:
    """Whether nothing came out of a run that went well."""
    return _EMPTY in said


def is_of_speakers(said: str) -> bool:
    """Whether a run failed because of the speakers that the channels are for."""
    return _SPEAKERS.search(said) is not None


def check_whole(source: Source, said: str) -> None:
    """TruncatedError when fewer frames were decoded than the source promises."""
    if not source.is_cut and _CUT.search("\n".join(_TROUBLE.findall(said))):
        raise TruncatedError("the sound ends before its file says so")
    decoded = _DECODED.search(said)
    if source.frames and decoded and int(decoded[1]) < source.frames:
        raise TruncatedError(
            f"the file promises {source.frames} frames, and {decoded[1]} are in it"
        )
