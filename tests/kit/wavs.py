"""WAV files to test with, written from scratch: every byte follows from the arguments.

`write_wav` and `build_wav` make whole ones, `chunk`, `fmt_chunk` and `riff` the odd ones, and
`BROKEN` holds what people send although it is no WAV.
"""

from __future__ import annotations

import io
import math
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

Container = Literal["RIFF", "RIFX", "RF64", "BW64"]
Sound = Literal["noise", "tone", "ramp", "silence"]
Chunks = Sequence[tuple[bytes, bytes]]

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID_TAIL = bytes.fromhex("00001000800000aa00389b71")
IN_DS64 = 0xFFFFFFFF

# A block of noise is made anew from seed and number: no two blocks are alike, so a byte that was
# misplaced shows, and making it is quicker than any disk.
_BLOCK = 1 << 20


def chunk(
    name: bytes,
    payload: bytes = b"",
    *,
    size: int | None = None,
    order: str = "<",
    pad: bool = True,
) -> bytes:
    """A chunk; `size` lies about its length, `pad=False` forgets the padding byte."""
    claimed = len(payload) if size is None else size
    padding = b"\0" if pad and len(payload) % 2 else b""
    return name + struct.pack(f"{order}I", claimed) + payload + padding


def fmt_chunk(
    *,
    tag: int = PCM,
    channels: int = 2,
    samplerate: int = 48_000,
    bits: int = 16,
    block_align: int | None = None,
    byte_rate: int | None = None,
    extension: bytes = b"",
    order: str = "<",
) -> bytes:
    """A `fmt` chunk; what is not given agrees with the rest."""
    align = channels * -(-bits // 8) if block_align is None else block_align
    rate = samplerate * align if byte_rate is None else byte_rate
    fields = struct.pack(
        f"{order}HHIIHH", tag, channels, samplerate, rate & 0xFFFFFFFF, align & 0xFFFF, bits
    )
    return chunk(b"fmt ", fields + extension, order=order)


def extension(
    tag: int = PCM, *, valid_bits: int = 16, channel_mask: int = 0, order: str = "<"
) -> bytes:
    """What WAVE_FORMAT_EXTENSIBLE adds to a `fmt` chunk."""
    sub_format = struct.pack("<I", tag) + GUID_TAIL
    return struct.pack(f"{order}HHI", 22, valid_bits, channel_mask) + sub_format


def riff(*chunks: bytes, container: Container = "RIFF", size: int | None = None) -> bytes:
    """A whole file of these chunks; `size` lies about its length."""
    body = b"WAVE" + b"".join(chunks)
    claimed = len(body) if size is None else size
    order = ">" if container == "RIFX" else "<"
    return container.encode() + struct.pack(f"{order}I", claimed) + body


def ds64(riff_size: int, data_size: int, frames: int = 0, table: Chunks = ()) -> bytes:
    """The `ds64` chunk of RF64 and BW64; the table's second column is 8 bytes of length."""
    rows = b"".join(name + size for name, size in table)
    return chunk(b"ds64", struct.pack("<QQQI", riff_size, data_size, frames, len(table)) + rows)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to write; the fields are `write_wav`'s arguments."""

    samplerate: int = 48_000
    channels: int = 2
    bits: int = 16
    frames: int | None = None
    seconds: float = 0.25
    container: Container = "RIFF"
    floats: bool = False
    extensible: bool = False
    channel_mask: int = 0
    sound: Sound = "noise"
    seed: int = 1
    before: Chunks = ()
    """Chunks between `fmt` and `data`, as (name, payload)."""
    after: Chunks = ()
    """Chunks behind `data`."""

    @property
    def order(self) -> Literal["<", ">"]:
        return ">" if self.container == "RIFX" else "<"

    @property
    def count(self) -> int:
        """Frames."""
        return round(self.seconds * self.samplerate) if self.frames is None else self.frames

    @property
    def sample_bytes(self) -> int:
        return -(-self.bits // 8)

    @property
    def data_size(self) -> int:
        return self.count * self.channels * self.sample_bytes

    def write(self, file: IO[bytes]) -> None:
        """Stream the whole file, never more than a block in memory."""
        before = self._fmt() + self._chunks(self.before)
        after = b"\0" * (self.data_size % 2) + self._chunks(self.after)
        long = self.container in ("RF64", "BW64")
        size = 4 + (36 if long else 0) + len(before) + 8 + self.data_size + len(after)
        name = self.container.encode()
        file.write(name + struct.pack(f"{self.order}I", IN_DS64 if long else size) + b"WAVE")
        if long:
            file.write(ds64(size, self.data_size, self.count))
        file.write(before)
        file.write(chunk(b"data", size=IN_DS64 if long else self.data_size, order=self.order))
        for block in self.blocks():
            file.write(block)
        file.write(after)

    def blocks(self) -> Iterator[bytes]:
        """The payload of `data`, piece by piece."""
        if self.sound == "noise" and not self.floats:
            yield from noise(self.data_size, self.seed)
        elif self.sound == "silence":
            middle = b"\x80" if self.bits <= 8 else b"\0"
            for start in range(0, self.data_size, _BLOCK):
                yield middle * min(_BLOCK, self.data_size - start)
        else:
            yield b"".join(map(self._pack, self._samples()))

    def _samples(self) -> Iterator[float]:
        """Samples from -1 to 1, channels interleaved; each channel has its own."""
        chance = random.Random(self.seed)
        for frame in range(self.count):
            for channel in range(self.channels):
                if self.sound == "noise":
                    yield chance.uniform(-1, 1)
                elif self.sound == "ramp":
                    yield (frame + 16 * channel + self.seed) % 2048 / 1024 - 1
                else:
                    frequency = 220 * (1 + channel) + 10 * (self.seed % 97)
                    yield math.sin(math.tau * frequency * frame / self.samplerate) / 2

    def _pack(self, sample: float) -> bytes:
        if self.floats:
            return struct.pack(self.order + ("f" if self.bits == 32 else "d"), sample)
        full = 1 << (self.bits - 1)
        value = min(full - 1, max(-full, round(sample * full)))
        if self.bits <= 8:
            return bytes([value + full])
        # Bits that do not fill their bytes lie at the top of them.
        value <<= 8 * self.sample_bytes - self.bits
        order: Literal["little", "big"] = "big" if self.order == ">" else "little"
        return value.to_bytes(self.sample_bytes, order, signed=True)

    def _fmt(self) -> bytes:
        tag = FLOAT if self.floats else PCM
        # EXTENSIBLE counts whole bytes in its bits, and tells the valid ones of them apart.
        bits = 8 * self.sample_bytes if self.extensible else self.bits
        more = b""
        if self.extensible:
            more = extension(
                tag, valid_bits=self.bits, channel_mask=self.channel_mask, order=self.order
            )
        return fmt_chunk(
            tag=EXTENSIBLE if self.extensible else tag,
            channels=self.channels,
            samplerate=self.samplerate,
            bits=bits,
            extension=more,
            order=self.order,
        )

    def _chunks(self, chunks: Chunks) -> bytes:
        return b"".join(chunk(name, payload, order=self.order) for name, payload in chunks)


def noise(count: int, seed: int) -> Iterator[bytes]:
    """`count` pseudo-random bytes in blocks."""
    for number, start in enumerate(range(0, count, _BLOCK)):
        yield random.Random(seed << 32 | number).randbytes(min(_BLOCK, count - start))


def write_wav(
    path: Path,
    *,
    samplerate: int = 48_000,
    channels: int = 2,
    bits: int = 16,
    frames: int | None = None,
    seconds: float = 0.25,
    container: Container = "RIFF",
    floats: bool = False,
    extensible: bool = False,
    channel_mask: int = 0,
    sound: Sound = "noise",
    seed: int = 1,
    before: Chunks = (),
    after: Chunks = (),
) -> Path:
    """Write a WAV and return its path; different seeds give different sounds."""
    plan = Plan(
        samplerate=samplerate,
        channels=channels,
        bits=bits,
        frames=frames,
        seconds=seconds,
        container=container,
        floats=floats,
        extensible=extensible,
        channel_mask=channel_mask,
        sound=sound,
        seed=seed,
        before=before,
        after=after,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        plan.write(file)
    return path


def build_wav(plan: Plan | None = None) -> bytes:
    """A small WAV in memory."""
    file = io.BytesIO()
    (plan or Plan()).write(file)
    return file.getvalue()


class Reader:
    """Reads a file for `probe`, and counts what is read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.reads = 0
        self.count = 0

    def __call__(self, offset: int, count: int) -> bytes:
        assert offset >= 0
        assert 0 <= count <= 65_536
        self.reads += 1
        self._file.seek(offset)
        part = self._file.read(count)
        self.count += len(part)
        return part


# What is no WAV although it is called one: name → bytes.
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "text": b"This is not a sound, it only has the name of one.\n",
    "cut header": build_wav()[:30],
    "no fmt": riff(chunk(b"data", bytes(64))),
    "no data": riff(fmt_chunk(), chunk(b"LIST", b"INFO")),
    "zero channels": riff(fmt_chunk(channels=0, block_align=4), chunk(b"data", bytes(64))),
    "zero rate": riff(fmt_chunk(samplerate=0), chunk(b"data", bytes(64))),
    "unknown codec": riff(fmt_chunk(tag=0x4242), chunk(b"data", bytes(64))),
}


def write_broken(path: Path, kind: str = "text") -> Path:
    """Write one of BROKEN."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(BROKEN[kind])
    return path
