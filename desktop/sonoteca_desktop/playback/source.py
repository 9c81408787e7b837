"""Samples from a file or a range cache, in a format that audio devices take."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Protocol

from sonoteca_desktop.playback.samples import Conversion, conversion_for, mix_to_stereo
from sonoteca_shared.wav import WavFacts, probe, riff
from sonoteca_shared.wav.riff import ReadAt


class ByteStore(Protocol):
    """Where the bytes of a sound are; no call waits for a network."""

    def read(self, offset: int, count: int) -> bytes: ...

    def ready(self, offset: int, count: int) -> bool: ...

    def aim(self, offset: int) -> None: ...


class LocalFile:
    """The bytes of a file on this computer.

    They are read, not mapped: a mapped file that another program cuts short, or that is on a drive
    that is pulled out, would end this process with a bus error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        # Closed when nobody can be inside of a read any more, whichever thread that is in.
        weakref.finalize(self, os.close, self._file)
        self.size = os.fstat(self._file).st_size

    def read(self, offset: int, count: int) -> bytes:
        """The bytes at `offset`; fewer than `count` only where the file ends."""
        data = os.pread(self._file, count, offset)
        if len(data) < min(count, self.size - offset):
            raise OSError("it has become shorter while it was played")
        return data

    def ready(self, offset: int, count: int) -> bool:  # noqa: ARG002  # a file is there as a whole
        return True

    def aim(self, offset: int) -> None:
        """Nothing to do: a file is there as a whole."""


def probe_sound(read: ReadAt, size: int) -> WavFacts:
    """What is needed to play a WAV, without reading behind its sound.

    Over a network each look at the chunks behind the sound would cost a seek there and back.
    """
    for chunk in riff.walk(read, size):
        if chunk.id == b"data":
            return probe(_up_to(chunk.end, read), chunk.end)
    return probe(read, size)  # it says what is missing


def _up_to(end: int, read: ReadAt) -> ReadAt:
    return lambda offset, count: read(offset, max(0, min(count, end - offset)))


class Source:
    """The frames of one sound, as a device takes them."""

    def __init__(
        self,
        facts: WavFacts,
        store: ByteStore,
        conversion: Conversion | None = None,
        channels: int | None = None,
    ) -> None:
        conversion = conversion or conversion_for(facts)
        self.rate = facts.samplerate
        self.frames = facts.frames
        self.format = conversion.format
        self.channels = channels or facts.channels
        self._facts = facts
        self._store = store
        self._convert = conversion.convert

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame as a device takes it."""
        return self.channels * self.format.size

    def in_stereo(self) -> Source:
        """The same frames with all channels mixed down to two."""
        convert = self._convert
        mix = mix_to_stereo(self.format, self.channels, self._facts.channel_mask)
        conversion = Conversion(self.format, lambda data: mix(convert(data)))
        return Source(self._facts, self._store, conversion, channels=2)

    def offset(self, frame: int) -> int:
        """Where in the file a frame begins."""
        return self._facts.data_offset + frame * self._facts.block_align

    def ready(self, frame: int, count: int) -> bool:
        """Whether so many frames are there, or all that will ever come."""
        count = min(count, self.frames - frame)
        return self._store.ready(self.offset(frame), count * self._facts.block_align)

    def aim(self, frame: int) -> None:
        """Say where the playhead is, so that the right bytes come next."""
        self._store.aim(self.offset(frame))

    def read(self, frame: int, count: int) -> bytes:
        """Up to `count` frames; fewer where the sound ends, or where its bytes are on their way."""
        block = self._facts.block_align
        count = min(count, self.frames - frame)
        if count <= 0:
            return b""
        data = self._store.read(self.offset(frame), count * block)
        return self._convert(data[: len(data) // block * block])
