"""The digest of a sound apart from its file: SHA-256 of what it is and of its samples.

A copy that was tagged anew is known by it to be the same recording. It is the SHA-256 of the line
`format/samplerate/channels/bitdepth/le|be` and a newline in ASCII, and of the payload of `data`
that is there, without padding.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.wav import WavFacts, formats, riff
from sonoteca_shared.wav.riff import ReadAt

_PIECE = 65_536
_HEAD, _HEADER, _DS64 = 12, 8, 28
# While a file comes in nobody knows how long it is; any length that a header tells may be true.
_ANY_ROOM = 1 << 64


def audio_line(facts: WavFacts) -> bytes:
    """The line that says what the samples mean."""
    return _line(facts.format, facts.samplerate, facts.channels, facts.bitdepth, facts.big_endian)


def audio_digest(read: ReadAt, facts: WavFacts) -> str:
    """The digest of a file's sound, read from it piece by piece."""
    hashed = _Hashed(facts.data_offset, hashlib.sha256(audio_line(facts)))
    return _finish(hashed, read, facts)


class AudioHasher:
    """Computes the digest while a file goes by, so that nobody has to read it again.

    Feed it all bytes in their order; `digest` then says what it made of them. It follows the
    lengths that chunks claim, and `probe` knows more at the end: where they disagree (a length
    that is not told, or is told wrong) what was hashed in vain is read again from the file.
    """

    def __init__(self) -> None:
        self._scan = _scan()
        self._at, self._count = next(self._scan)
        self._window = bytearray()
        self._found: _Found | None = None
        self._hashed = _Hashed(0, hashlib.sha256())
        self._saved = [self._hashed]
        self._fed = 0

    def feed(self, part: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the file."""
        view = memoryview(part)
        start = self._fed
        self._fed += len(view)
        if self._found is None:
            self._look(view, start)
        if self._found is not None:
            self._hash(self._found, view, start)

    def digest(self, facts: WavFacts, read: ReadAt) -> str:
        """The digest of the file that was fed, whose facts are these."""
        found = self._found
        if found and (found.start, found.line) == (facts.data_offset, audio_line(facts)):
            for hashed in (self._hashed, *reversed(self._saved)):
                if hashed.to <= facts.data_offset + facts.data_size:
                    return _finish(hashed.copy(), read, facts)
        return audio_digest(read, facts)

    def _look(self, view: memoryview, start: int) -> None:
        """Give the scan the bytes that it waits for, until it has found the sound."""
        while self._found is None:
            have = self._at + len(self._window)
            self._window += view[have - start : max(0, self._at + self._count - start)]
            if len(self._window) < self._count:
                return
            before = self._at
            try:
                self._at, self._count = self._scan.send(bytes(self._window[: self._count]))
            except StopIteration as stop:
                self._begin(stop.value)
            # What it asks for next begins behind what it has, or within it.
            del self._window[: self._at - before]

    def _begin(self, found: _Found | None) -> None:
        self._found = found
        self._at, self._count = _ANY_ROOM, 1  # nothing more is wanted
        if found:
            self._hashed = _Hashed(found.start, hashlib.sha256(found.line))
            self._saved = [self._hashed.copy()]

    def _hash(self, found: _Found, view: memoryview, start: int) -> None:
        hashed = self._hashed
        end = self._fed if found.end is None else min(self._fed, found.end)
        for begin in range(hashed.to, end, _PIECE):
            # Sound of untold length ends somewhere in the last 64 KiB of the file, or with it. Two
            # states that far apart are kept, so that one of them is never past that end.
            if found.end is None and begin - self._saved[-1].to >= _PIECE:
                self._saved = [self._saved[-1], hashed.copy()]
            hashed.to = min(begin + _PIECE, end)
            hashed.state.update(view[begin - start : hashed.to - start])


@dataclass(slots=True)
class _Hashed:
    """The state of a hash, and the offset up to which it has the file's sound."""

    to: int
    state: hashlib._Hash

    def copy(self) -> _Hashed:
        return _Hashed(self.to, self.state.copy())


@dataclass(frozen=True, slots=True)
class _Found:
    """Where sound begins, where it ends if that is told, and the line that goes before it."""

    start: int
    end: int | None
    line: bytes


_Scan: TypeAlias = Generator[tuple[int, int], bytes, _Found | None]


def _scan() -> _Scan:
    """Look for the sound: asks for bytes by offset and count, never for any before the last."""
    try:
        container = riff.container_of((yield 0, _HEAD))
        return (yield from _scan_chunks(container))
    except NotAWavError:
        return None  # as probe will say


def _scan_chunks(container: str) -> _Scan:
    order = ">" if container == "RIFX" else "<"
    at, line, told_long = _HEAD, b"", None
    for _ in range(riff.MAX_CHUNKS):
        name, declared = struct.unpack(f"{order}4sI", (yield at, _HEADER))
        start = at + _HEADER
        if name == b"data":
            told = riff.told_length(declared, told_long)
            return _Found(start, start + told if told else None, line) if line else None
        if name == b"ds64" and declared >= _DS64 - 4:
            payload = yield start, _DS64 - 4
            told_long = struct.unpack_from(f"{order}Q", payload, 8)[0]
        if name == b"fmt " and not line:
            payload = yield start, min(declared, formats.FMT_BYTES)
            form = formats.read_format(payload, order=order, offset=start)
            big_endian = container == "RIFX"
            line = _line(form.name, form.samplerate, form.channels, form.bitdepth, big_endian)
        at = start + declared
        if declared % 2 and riff.is_padded((yield at, riff.PAD_WINDOW), order, _ANY_ROOM):
            at += 1
    return None


def _line(name: str, samplerate: int, channels: int, bitdepth: int, big_endian: bool) -> bytes:
    order = "be" if big_endian else "le"
    return f"{name}/{samplerate}/{channels}/{bitdepth}/{order}\n".encode("ascii")


def _finish(hashed: _Hashed, read: ReadAt, facts: WavFacts) -> str:
    end = facts.data_offset + facts.data_size
    for at in range(hashed.to, end, _PIECE):
        hashed.state.update(read(at, min(_PIECE, end - at)))
    return hashed.state.hexdigest()
