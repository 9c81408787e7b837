"""Walk the chunks of a RIFF, RIFX, RF64 or BW64 file, trusting no length that it claims.

Sources: Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0" (1991)
for RIFF and RIFX; EBU Tech 3306 for RF64 and its `ds64` chunk; ITU-R BS.2088 for BW64, which keeps
the same layout. Only headers are read, so a file of gigabytes costs a few kilobytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.models import Finding

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""`read(offset, count)`: up to `count` bytes from `offset`, fewer only where the file ends."""

MAX_CHUNKS = 100_000

# RF64 and BW64 write -1 where the true length is in `ds64`. Recorders that stream, or that lost
# power, leave 0 or something close to -1 behind, rounded down to whole frames or blocks.
_IN_DS64 = 0xFFFFFFFF
_UNKNOWN_FROM = 0xFFFFFF00
_UNKNOWN_FROM_64 = 1 << 63

_HEAD = 12
_HEADER = 8
PAD_WINDOW = _HEADER + 1
_DS64_FIXED = 28
_DS64_ROW = 12
_DS64_ROWS = 64
_TAIL = 65_536

_CONTAINERS = {b"RIFF": "RIFF", b"RIFX": "RIFX", b"RF64": "RF64", b"BW64": "BW64"}

_KNOWN = frozenset(
    b"fmt |data|fact|LIST|list|bext|iXML|axml|bxml|sxml|chna|cue |smpl|inst|plst|labl|note|ltxt"
    b"|JUNK|junk|FLLR|PAD |ds64|PEAK|cart|levl|link|umid|minf|elm1|elmo|regn|DISP|acid|strc"
    b"|id3 |ID3 |_PMX|aXML|dbmd|DGDA|qlty|mext|LGWV|SMED|MD5 |wavl|slnt|ovwf|afsp|Fake".split(b"|")
)
_KNOWN_PATTERN = re.compile(b"|".join(map(re.escape, sorted(_KNOWN))))

# What people rename to .wav, by its first bytes, so that the refusal can say what it is.
_STRANGERS = (
    (b"fLaC", "a FLAC file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 file"),
    (b"\xff\xfb", "an MP3 file"),
    (b"\xff\xf3", "an MP3 file"),
    (b"FORM", "an AIFF file"),
    (b"caff", "a CAF file"),
    (b"riff\x2e\x91\xcf\x11", "a Wave64 file"),
    (b".snd", "an AU file"),
    (b"wvpk", "a WavPack file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"%PDF", "a PDF document"),
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk as it lies in the file; `size` counts the payload that is there, without padding."""

    id: bytes
    offset: int
    size: int
    declared: int | None
    """The payload that it claims; None when it tells no length."""

    @property
    def start(self) -> int:
        """Where the payload begins."""
        return self.offset + _HEADER

    @property
    def end(self) -> int:
        """Where the payload ends, before any padding."""
        return self.start + self.size


class Walk:
    """The chunks of one file in their order.

    Iterate over it once, to the end: then `findings` holds what was odd about the file's frame,
    and `end` is where the last chunk ended.
    """

    def __init__(self, read: ReadAt, size: int) -> None:
        head = read(0, _HEAD) if size else b""
        self.container = container_of(head)
        self.big_endian = self.container == "RIFX"
        self.order = ">" if self.big_endian else "<"
        self.findings: list[Finding] = []
        self.end = _HEAD
        self._read = read
        self._size = size
        self._claimed: int = struct.unpack_from(f"{self.order}I", head, 4)[0]
        self._long: dict[bytes, int] = {}
        self._data_seen = False
        self._pad_missing = False

    def find(self, code: str, offset: int, *, severity: str = "info") -> None:
        """Note something odd."""
        self.findings.append(Finding(code=code, severity=severity, offset=offset))

    def __iter__(self) -> Iterator[Chunk]:
        for _ in range(MAX_CHUNKS):
            chunk = self._chunk_at(self.end)
            if chunk is None:
                break
            if chunk.id == b"ds64":
                self._read_ds64(chunk)
            self._data_seen |= chunk.id == b"data"
            yield chunk
            self._step_over(chunk)
        else:
            self.find("wav.too-many-chunks", self.end, severity="warning")
            return
        rest = self._size - self.end
        if rest > 0:
            severity = "warning" if rest > _TAIL else "info"
            self.find("wav.trailing-bytes", self.end, severity=severity)
        self._check_size()

    def _chunk_at(self, offset: int) -> Chunk | None:
        header = self._read(offset, _HEADER)
        if len(header) < _HEADER:
            return None
        name, declared = struct.unpack(f"{self.order}4sI", header)
        # Behind the sound anything may follow (an ID3v1 tag, zeros of a recorder's block size).
        # In front of it only its claimed length leads on, whatever the chunk calls itself.
        if self._data_seen and not self._is_plausible(header, offset):
            return None
        if name == b"data" and not self._data_seen:
            return self._data_at(offset, declared)
        if declared == _IN_DS64:
            declared = self._long.get(name, declared)
        chunk = Chunk(name, offset, min(declared, self._room(offset)), declared)
        if chunk.size < declared:
            self.find("wav.chunk-truncated", offset, severity="warning")
        return chunk

    def _data_at(self, offset: int, declared: int) -> Chunk:
        """The `data` chunk, whose length may be told in `ds64`, or not at all."""
        room = self._room(offset)
        told = told_length(declared, self._long.get(b"data"))
        if told:
            if told > room:
                self.find("wav.truncated", offset, severity="warning")
            return Chunk(b"data", offset, min(told, room), told)
        start = offset + _HEADER
        if told == 0 and (room == 0 or self._read(start, 4) in _KNOWN):
            return Chunk(b"data", offset, 0, 0)
        self.find("wav.size-unknown", offset + 4)
        return Chunk(b"data", offset, self._end_of_data(start) - start, None)

    def _end_of_data(self, start: int) -> int:
        """Where sound of untold length ends: at the chunks behind it, else with the file.

        Sound is not scanned. Chunks behind it are looked for in the file's last 64 KiB only, and
        believed when their names are known and their lengths lead exactly to the file's end.
        """
        tail = max(start, self._size - _TAIL)
        block = self._read(tail, self._size - tail)
        reaching = {len(block), len(block) + 1}
        first = len(block)
        # From the back, so that each place is looked at once, however the bytes are arranged.
        for match in reversed(list(_KNOWN_PATTERN.finditer(block, 0, max(0, len(block) - 4)))):
            (size,) = struct.unpack_from(f"{self.order}I", block, match.end())
            if match.end() + 4 + size + size % 2 in reaching:
                first = match.start()
                reaching.add(first)
        return tail + first

    def _step_over(self, chunk: Chunk) -> None:
        """Move `end` behind the chunk and its padding: RIFF aligns chunks to two bytes."""
        self.end = chunk.end
        if chunk.size % 2 == 0 or chunk.size != chunk.declared:
            return
        near = self._read(chunk.end, PAD_WINDOW)
        if is_padded(near, self.order, self._room(chunk.end)):
            self.end += 1
            return
        # The offset is the byte that has no padding behind it: behind it there may be no file.
        self._pad_missing = True
        self.find("wav.pad-missing", chunk.end - 1)

    def _is_plausible(self, header: bytes, offset: int) -> bool:
        """Whether these eight bytes may be a chunk's header."""
        return _may_be_header(header, self.order, self._room(offset))

    def _room(self, offset: int) -> int:
        """How much payload a chunk at this offset can have at most."""
        return max(0, self._size - offset - _HEADER)

    def _read_ds64(self, chunk: Chunk) -> None:
        """Keep the 64-bit lengths; the table is cut to what is sensible, not to what it claims."""
        wanted = min(chunk.size, _DS64_FIXED + _DS64_ROWS * _DS64_ROW)
        payload = self._read(chunk.start, wanted)
        if len(payload) < _DS64_FIXED - 4:
            self.find("wav.ds64-short", chunk.offset, severity="warning")
            return
        riff, data = struct.unpack_from(f"{self.order}QQ", payload)
        self._long = {b"RIFF": riff, b"data": data}
        rows = payload[_DS64_FIXED:]
        count = int.from_bytes(payload[24:28], "big" if self.big_endian else "little")
        for row in range(min(count, len(rows) // _DS64_ROW)):
            name, size = struct.unpack_from(f"{self.order}4sQ", rows, row * _DS64_ROW)
            self._long.setdefault(name, size)

    def _check_size(self) -> None:
        """Compare what the file says of its whole length with what is there."""
        offset = 4
        claimed = self._claimed
        if self.container in ("RF64", "BW64") and not self._long:
            self.find("wav.ds64-missing", _HEAD, severity="warning")
            return
        if claimed == _IN_DS64 and self._long:
            offset, claimed = _HEAD + _HEADER, self._long[b"RIFF"]
        surplus = claimed + _HEADER - self._size
        if surplus != 0 and not (surplus == 1 and self._pad_missing):
            self.find("wav.riff-size", offset)


def walk(read: ReadAt, size: int) -> Walk:
    """The chunks of a file of `size` bytes; NotAWavError when it is no RIFF of kind WAVE."""
    return Walk(read, size)


def told_length(declared: int, long: int | None) -> int | None:
    """The length of `data` by its header and by `ds64`; None when neither of them knows.

    0 may mean that it is empty, or that a recorder had no time to write what it is.
    """
    if declared == _IN_DS64 and long is not None:
        return long if long < _UNKNOWN_FROM_64 else None
    return declared if declared < _UNKNOWN_FROM else None


def is_padded(near: bytes, order: str, room: int) -> bool:
    """Whether a chunk of odd length is padded, by what follows it.

    `near` is up to PAD_WINDOW bytes from the end of its payload, `room` the most payload that a
    chunk beginning there could have.
    """
    return bool(near) and (
        len(near) <= _HEADER
        or _may_be_header(near[1:], order, room - 1)
        or not _may_be_header(near[:_HEADER], order, room)
    )


def sub_chunks(payload: bytes, order: str) -> Iterator[tuple[bytes, int, int]]:
    """The chunks within a LIST as (id, start, size), cut where the payload ends."""
    header = struct.Struct(f"{order}4sI")
    at, end = 4, len(payload)
    while at + _HEADER <= end:
        name, declared = header.unpack_from(payload, at)
        start = at + _HEADER
        size = min(declared, end - start)
        yield name, start, size
        at = start + size
        # Some writers forget to pad here too; no name begins with a NUL.
        at += size % 2 and not payload[at : at + 4].isalnum()


def header(name: bytes, size: int, order: str) -> bytes:
    """The header of a chunk with so much payload."""
    return name + struct.pack(f"{order}I", size)


def chunk(name: bytes, payload: bytes, order: str) -> bytes:
    """A chunk, padded where it has to be."""
    return header(name, len(payload), order) + payload + b"\0" * (len(payload) % 2)


def _may_be_header(header: bytes, order: str, room: int) -> bool:
    name, declared = struct.unpack(f"{order}4sI", header)
    readable = all(0x20 <= byte < 0x7F for byte in name)
    return name in _KNOWN or (readable and declared <= max(0, room))


def container_of(head: bytes) -> str:
    """The container of a file that begins so; NotAWavError when it is no RIFF of kind WAVE."""
    if not head:
        raise NotAWavError("the file is empty", offset=0)
    container = _CONTAINERS.get(head[:4])
    if container is None:
        raise NotAWavError(_describe_stranger(head), offset=0)
    if len(head) < _HEAD:
        raise NotAWavError(f"the file ends after {len(head)} bytes", offset=len(head))
    if head[8:] != b"WAVE":
        kind = head[8:].decode("ascii", "replace")
        raise NotAWavError(f"it is a {container} file of kind {kind!r}, not WAVE", offset=8)
    return container


def _describe_stranger(head: bytes) -> str:
    for start, name in _STRANGERS:
        if head.startswith(start):
            return f"it is {name}, not a WAV"
    if head[4:8] == b"ftyp":
        return "it is an MP4 file, not a WAV"
    if all(0x20 <= byte < 0x7F or byte in b"\t\r\n" for byte in head):
        return "it is text, not a WAV"
    return "it does not begin with RIFF, RIFX, RF64 or BW64, as a WAV does"
