"""What is to be converted: bytes in an open file, looked at before any decoder may see them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.wav import WavFacts, describe

_WAVS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
_FORM = slice(8, 12)
# What is read from its beginning to its end; everything else may have to be read to and fro.
_STREAMS = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")


class UndecodableError(SonotecaError):
    """The bytes are no sound that can be decoded; says why."""

    code = "undecodable"


class TruncatedError(UndecodableError):
    """The bytes end before the sound does that they promise."""

    code = "truncated"


@dataclass(frozen=True, slots=True)
class Source:
    """A sound to convert: an open file, and what is known of it."""

    descriptor: int
    size: int
    wav: WavFacts | None = None
    seeks: bool = False
    """Whether its decoder may have to go back and forth."""
    tags: dict[str, str] = field(default_factory=dict)


def examine(descriptor: int) -> Source:
    """Look at the bytes in this file, which blocks; UndecodableError when they are of no use."""
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, 16, 0)
    if head[:4] not in _WAVS or head[_FORM] != b"WAVE":
        return Source(descriptor, size, seeks=not head.startswith(_STREAMS))
    told = describe(lambda at, count: os.pread(descriptor, count, at), size)
    if any(finding.code == "wav.truncated" for finding in told.findings):
        there, promised = told.facts.data_size, told.facts.data_declared
        raise TruncatedError(
            f"the WAV promises {promised} bytes of sound, and {there} of them came: "
            "send the whole file"
        )
    return Source(descriptor, size, told.facts)
