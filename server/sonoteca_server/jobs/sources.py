"""What is to be converted: bytes in an open file, looked at before any decoder may see them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace

from sonoteca_server.jobs.speakers import Places, places_of
from sonoteca_server.jobs.tags import tags_of
from sonoteca_shared.errors import NotAWavError, SonotecaError
from sonoteca_shared.lengths import read_promise
from sonoteca_shared.wav import Description, WavFacts, describe

_WAVS = (b"RIFF", b"RIFX", b"RF64", b"BW64")
# What is read from its beginning to its end; everything else may have to be read to and fro.
_STREAMS = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
# ffmpeg's line about a stream: its codec, rate, channels and samples, as in
# `Audio: flac, 96000 Hz, stereo, s32 (24 bit)`.
_STREAM = re.compile(
    r"Stream #\S+.*?: Audio: (?P<codec>\w+).*?, (?P<rate>\d+) Hz, (?P<layout>[^,\n]+)"
    r"(?:, (?P<samples>[a-z]+\d*)p?(?: \((?P<bits>\d+) bit\))?)?"
)
# Names of layouts: `4 channels`, `3 channels (FL+FC+BL)`, `5.1(side)`.
_COUNT = re.compile(r"(\d+) channels( \(.+)?")
_ROOM = re.compile(r"\d+(?:\.\d+)+")
_BITS = {"u8": 8, "s16": 16, "s32": 32, "s64": 64}
_LOSSLESS = ("pcm_", "flac", "alac", "wavpack", "tta", "ape", "tak", "shorten", "mlp", "truehd")


class UndecodableError(SonotecaError):
    """The bytes are no sound that can be decoded; says why."""

    code = "undecodable"


class TruncatedError(UndecodableError):
    """The bytes end before the sound does that they promise."""

    code = "truncated"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: send the whole file")


@dataclass(frozen=True, slots=True)
class Shape:
    """How a sound is sampled; `channels` is None where only a layout is known."""

    samplerate: int
    channels: int | None
    bits: int
    """Bits of a sample that count; 0 where samples are no whole numbers, or only come close."""
    is_float: bool = False
    """Whether it is linear, in floating point."""
    places: Places = Places.USUAL
    """For which speakers its channels are."""


@dataclass(frozen=True, slots=True)
class Source:
    """A sound to convert: an open file, and what is known of it."""

    descriptor: int
    size: int
    is_wav: bool
    shape: Shape | None
    """None until a decoder has been asked."""
    frames: int | None = None
    """How many have to come out of it, where it says so."""
    seeks: bool = False
    """Whether its decoder may have to go back and forth."""
    is_cut: bool = False
    """Whether it is known to end too early, and is wanted all the same."""
    tags: dict[str, str] = field(default_factory=dict)

    def described(self, said: str) -> Source:
        """With the shape that ffmpeg tells; UndecodableError when it tells of no sound."""
        found = _STREAM.search(said)
        if found is None:
            raise UndecodableError("there is no sound in it that could be read")
        lossless = found["codec"].startswith(_LOSSLESS)
        bits = int(found["bits"] or _BITS.get(found["samples"] or "", 0)) if lossless else 0
        is_float = lossless and (found["samples"] or "").startswith(("flt", "dbl"))
        channels, places = _channels(found["layout"].strip())
        return replace(self, shape=Shape(int(found["rate"]), channels, bits, is_float, places))


def _channels(layout: str) -> tuple[int | None, Places]:
    """How many a layout has, if its name tells, and what is known of their places."""
    if count := _COUNT.fullmatch(layout):
        return int(count[1]), Places.USUAL if count[2] else Places.UNKNOWN
    if room := _ROOM.match(layout):
        return sum(map(int, room[0].split("."))), Places.USUAL
    return {"mono": 1, "stereo": 2, "quad": 4}.get(layout), Places.USUAL


def examine(descriptor: int, *, as_is: bool = False) -> Source:
    """Look at the bytes in this file, which blocks; UndecodableError when they are of no use.

    A WAV that was cut is an error too, unless it is to be taken `as_is`.
    """
    size = os.fstat(descriptor).st_size

    def read(at: int, count: int) -> bytes:
        return os.pread(descriptor, count, at)

    head = read(0, 12)
    if head[:4] in _WAVS and head[8:] == b"WAVE":
        try:
            return _wav(descriptor, size, describe(read, size), as_is=as_is)
        except NotAWavError as error:
            raise UndecodableError(f"this WAV cannot be used: {error}") from error
    promise = read_promise(read, size)
    if promise.is_cut:
        raise TruncatedError(f"the file says that it is longer than the {size} bytes that came")
    seeks = not head.startswith(_STREAMS)
    return Source(descriptor, size, is_wav=False, shape=None, frames=promise.frames, seeks=seeks)


def anticipate(descriptor: int) -> Source | None:
    """What a file that still grows will turn out to be, when all comes that its head promises.

    None for all but a WAV that ends with its sound, as far as can be seen.
    """
    there = os.fstat(descriptor).st_size

    def read(at: int, count: int) -> bytes:
        return os.pread(descriptor, count, at)

    head = read(0, 12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    size = 8 + int.from_bytes(head[4:8], "little")
    try:
        told = describe(read, size)
    except NotAWavError:
        return None
    sound_ends = told.facts.data_offset + told.facts.data_size
    if size <= there or not 0 <= size - sound_ends <= 1:
        return None
    return _wav(descriptor, size, told, as_is=True)


def _wav(descriptor: int, size: int, told: Description, *, as_is: bool) -> Source:
    facts = told.facts
    is_cut = any(finding.code == "wav.truncated" for finding in facts.findings)
    if is_cut and not as_is:
        raise TruncatedError(
            f"the WAV promises {facts.data_declared} bytes of sound, and {facts.data_size} came"
        )
    return Source(
        descriptor,
        size,
        is_wav=True,
        shape=shape_of(facts),
        # How many frames of coded sound there are only its decoder knows.
        frames=facts.frames if facts.format in ("pcm", "float") else None,
        is_cut=is_cut,
        tags=tags_of(told.metadata),
    )


def shape_of(facts: WavFacts) -> Shape:
    """The shape of a WAV."""
    bits = facts.bitdepth if facts.format == "pcm" else 0
    places = places_of(facts.channels, facts.channel_mask)
    return Shape(facts.samplerate, facts.channels, bits, facts.format == "float", places)
