"""Some hundred small WAVs, good and bad: what judges compare, and what fuzzers begin with.

The files are the same in every run. Their names say what is odd about them; `docs/wav.md` explains
by name where other readers and we disagree.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from functools import cache

from tests.judge import tags
from tests.kit import wavs
from tests.kit.wavs import Plan, chunk, extension, fmt_chunk, riff

FRAMES = 1000
_LINEAR = (
    ("u8", 1, 8),
    ("s16", 1, 16),
    ("s24", 1, 24),
    ("s32", 1, 32),
    ("f32", 3, 32),
    ("f64", 3, 64),
    ("alaw", 6, 8),
    ("mulaw", 7, 8),
)
_CONTAINERS: tuple[wavs.Container, ...] = ("RIFF", "RIFX", "RF64", "BW64")


def _data(size: int, *, told: int | None = None, pad: bool = True, order: str = "<") -> bytes:
    """A data chunk of bytes that are no zeros and no letters."""
    payload = bytes(0x80 + number % 97 for number in range(size))
    return chunk(b"data", payload, size=told, pad=pad, order=order)


def _extension(tag: int, bits: int, order: str) -> bytes:
    """What EXTENSIBLE adds, with the numbers of the GUID in the order of all others."""
    head = extension(tag, valid_bits=bits, order=order)[:8]
    return head + struct.pack(f"{order}IHH", tag, 0, 0x10) + wavs.GUID_TAIL[4:]


def linear() -> Iterator[tuple[str, bytes]]:
    """Every sample format in every container, plain and EXTENSIBLE, with 1 to 18 channels."""
    for container, (name, tag, bits) in itertools.product(_CONTAINERS, _LINEAR):
        for channels, wide in ((1, False), (2, False), (2, True), (6, True), (18, False)):
            order = ">" if container == "RIFX" else "<"
            more = _extension(tag, bits, order) if wide else b""
            fmt = fmt_chunk(
                tag=wavs.EXTENSIBLE if wide else tag,
                channels=channels,
                bits=bits,
                extension=more,
                order=order,
            )
            size = FRAMES * channels * bits // 8
            long = container in ("RF64", "BW64")
            data = _data(size, told=wavs.IN_DS64 if long else None, order=order)
            body = (wavs.ds64(4 + 36 + len(fmt) + len(data), size, FRAMES),) if long else ()
            content = riff(
                *body, fmt, data, container=container, size=wavs.IN_DS64 if long else None
            )
            kind = "extensible-" if wide else ""
            yield f"good-{container.lower()}-{kind}{name}-{channels}ch", content


def unusual() -> Iterator[tuple[str, bytes]]:
    """Sample widths, rates and fields that are rare or contradict each other."""
    for bits in (12, 20, 36, 40, 48, 56, 64):
        size = FRAMES * 2 * -(-bits // 8)
        yield f"odd-bits-{bits}", riff(fmt_chunk(bits=bits), _data(size))
    for bits, valid in ((24, 20), (32, 24), (16, 12), (16, 24), (32, 0)):
        fmt = fmt_chunk(tag=wavs.EXTENSIBLE, bits=bits, extension=extension(valid_bits=valid))
        yield f"odd-valid-{valid}-of-{bits}", riff(fmt, _data(FRAMES * bits // 4))
    for rate in (1, 8000, 22_255, 192_000, 768_000, 0x7FFFFFFF):
        yield f"odd-rate-{rate}", riff(fmt_chunk(samplerate=rate), _data(4 * FRAMES))
    for channels in (32, 256, 1024):
        yield f"odd-channels-{channels}", riff(fmt_chunk(channels=channels), _data(channels * 20))
    for align in (0, 2, 3, 8, 60):
        yield f"odd-align-{align}", riff(fmt_chunk(block_align=align), _data(4 * FRAMES))
    yield "odd-align-24-in-4", riff(fmt_chunk(bits=24, block_align=8), _data(8 * FRAMES))
    yield "odd-byte-rate", riff(fmt_chunk(byte_rate=7), _data(4 * FRAMES))
    yield "odd-fmt-18", riff(fmt_chunk(extension=b"\0\0"), _data(4 * FRAMES))
    yield "odd-fmt-40-plain", riff(fmt_chunk(extension=bytes(24)), _data(4 * FRAMES))
    unturned = fmt_chunk(tag=wavs.EXTENSIBLE, extension=extension(order=">"), order=">")
    data = _data(4 * FRAMES, order=">")
    yield "odd-rifx-guid", riff(unturned, data, container="RIFX")
    short = chunk(b"fmt ", fmt_chunk()[8:22])
    yield "odd-fmt-14", riff(short, _data(4 * FRAMES))
    yield "odd-fmt-twice", riff(fmt_chunk(), fmt_chunk(channels=1), _data(4 * FRAMES))
    yield "odd-data-twice", riff(fmt_chunk(), _data(4 * FRAMES), _data(400))


def compressed() -> Iterator[tuple[str, bytes]]:
    """Codecs in blocks and streams, with and without a `fact` that tells their length."""
    coded = (
        ("ima", fmt_chunk(tag=0x11, bits=4, block_align=512, extension=b"\2\0\xf9\1"), 5120),
        ("ms", _ms_fmt(), 5120),
        ("gsm", _gsm_fmt(), 650),
        ("mp3", fmt_chunk(tag=0x55, bits=0, block_align=1, byte_rate=16_000), 8000),
        ("wma", fmt_chunk(tag=0x161, bits=16, block_align=1024, byte_rate=16_000), 8192),
        ("g726", _g726_fmt(), 4000),
    )
    for name, fmt, size in coded:
        yield f"coded-{name}", riff(fmt, _data(size))
        for fact in (0, 4000, 0xFFFFFFFF):
            told = chunk(b"fact", struct.pack("<I", fact))
            yield f"coded-{name}-fact-{fact}", riff(fmt, told, _data(size))


def _ms_fmt() -> bytes:
    pairs = (256, 0, 512, -256, 0, 0, 192, 64, 240, 0, 460, -208, 392, -232)
    more = struct.pack("<HHH14h", 32, 500, 7, *pairs)
    return fmt_chunk(tag=0x02, bits=4, block_align=512, extension=more)


def _gsm_fmt() -> bytes:
    more = struct.pack("<HH", 2, 320)
    return fmt_chunk(
        tag=0x31,
        channels=1,
        samplerate=8000,
        bits=0,
        block_align=65,
        byte_rate=1625,
        extension=more,
    )


def _g726_fmt() -> bytes:
    more = b"\0\0"
    return fmt_chunk(
        tag=0x45, channels=1, samplerate=8000, bits=4, block_align=1, byte_rate=4000, extension=more
    )


def frames_of_a_file() -> Iterator[tuple[str, bytes]]:
    """Lengths that are wrong or not told, bytes that are missing or too many."""
    size = 4 * FRAMES
    good = riff(fmt_chunk(), _data(size))
    behind = chunk(b"LIST", tags.info({b"INAM": b"A name"}))
    for told in (0, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFF00, 0x7FFFFFFF, size + 4, size + 400):
        yield f"size-told-{told:x}", riff(fmt_chunk(), _data(size, told=told))
        yield f"size-told-{told:x}-list", riff(fmt_chunk(), _data(size, told=told), behind)
    for left in (45, 46, 47, 100, 1044, 2043):
        yield f"size-cut-{left}", good[:left]
    for claim in (0, 8, len(good), 0xFFFFFFFF):
        yield f"size-riff-{claim:x}", good[:4] + struct.pack("<I", claim) + good[8:]
    for extra in (1, 2, 3):
        yield f"size-partial-{extra}", riff(fmt_chunk(), _data(size + extra))
    mono = fmt_chunk(channels=1, bits=8)
    yield "size-odd-padded", riff(mono, _data(1001))
    yield "size-odd-padded-list", riff(mono, _data(1001), behind)
    yield "size-odd-bare", riff(mono, _data(1001, pad=False))
    yield "size-odd-bare-list", riff(mono, _data(1001, pad=False), behind)
    yield "size-odd-before", riff(mono, chunk(b"note", b"abc", pad=False), _data(1000))
    yield "size-empty", riff(fmt_chunk(), _data(0))
    yield "size-empty-list", riff(fmt_chunk(), _data(0), behind)
    yield "size-zeros-behind", good + bytes(512)
    yield "size-id3v1-behind", good + b"TAG" + b"A name".ljust(125, b"\0")
    yield "size-junk-before", riff(chunk(b"JUNK", bytes(5000)), fmt_chunk(), _data(size))
    yield "size-strange-before", riff(chunk(b"\1\2\3\4", bytes(50)), fmt_chunk(), _data(size))
    for told in (0, size - 4, size + 4000, 1 << 40, 1 << 63):
        long = wavs.ds64(len(good) + 28, told, FRAMES)
        body = (long, fmt_chunk(), _data(size, told=wavs.IN_DS64))
        yield f"size-ds64-{told:x}", riff(*body, container="RF64", size=wavs.IN_DS64)
    bare = riff(fmt_chunk(), _data(size, told=wavs.IN_DS64), container="RF64", size=wavs.IN_DS64)
    yield "size-ds64-missing", bare
    yield "size-rf64-told-twice", bare.replace(b"\xff\xff\xff\xff", struct.pack("<I", size))


def tagged() -> Iterator[tuple[str, bytes]]:
    """Sounds with all that they may say of themselves, right and wrong."""
    labels = (
        b"adtl" + tags.label(1, b"One") + tags.region(1, 100) + tags.label(1, b"!", kind=b"note")
    )
    xml = tags.ixml(
        "<PROJECT>P</PROJECT><SCENE>1A</SCENE><TAKE>2</TAKE><SPEED><TIMECODE_RATE>25/1"
        "</TIMECODE_RATE></SPEED><TRACK_LIST><TRACK><NAME>Boom</NAME></TRACK></TRACK_LIST>"
    )
    payloads: dict[str, list[tuple[bytes, bytes]]] = {
        "bext": [(b"bext", tags.bext(version=2, loudness=(-2300, 700, -130, 1, 2)))],
        "bext-short": [(b"bext", tags.bext()[:100])],
        "bext-history": [(b"bext", tags.bext(umid=b"\1" * 64, history=b"A=PCM\r\n"))],
        "ixml": [(b"iXML", xml)],
        "ixml-broken": [(b"iXML", xml[:150])],
        "ixml-doctype": [(b"iXML", b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + xml)],
        "info": [(b"LIST", tags.info({b"INAM": b"A name", b"IART": b"Fran\xe7ois"}))],
        "cset": [(b"CSET", b"\xe3\4\0\0\0\0\0\0"), (b"LIST", tags.info({b"INAM": b"\xc8"}))],
        "cues": [(b"cue ", tags.cues({1: 10, 2: 5000})), (b"list", labels)],
        "cues-many": [(b"cue ", tags.cues({1: 10}, claimed=99_999))],
        "smpl": [(b"smpl", tags.sampler([(0, 10, 90, 0), (3, 90, 10, 2)]))],
        "smpl-short": [(b"smpl", bytes(20))],
        "id3": [(b"id3 ", tags.id3(tags.frame(b"TIT2", b"\3A name"), tags.frame(b"APIC", b"x")))],
        "id3-old": [(b"ID3 ", tags.id3(tags.frame(b"TIT2", b"\0A", version=3), version=3))],
    }
    for name, chunks in payloads.items():
        yield f"tags-{name}", wavs.build_wav(Plan(frames=FRAMES, after=chunks))
        yield f"tags-{name}-before", wavs.build_wav(Plan(frames=FRAMES, before=chunks))


def bad() -> Iterator[tuple[str, bytes]]:
    """What is of no use, or no WAV."""
    for name, content in wavs.BROKEN.items():
        yield f"bad-{name.replace(' ', '-')}", content
    good = riff(fmt_chunk(), _data(4 * FRAMES))
    for left in (3, 11, 12, 20, 36, 43):
        yield f"bad-cut-{left}", good[:left]
    for head in (b"fLaC", b"OggS", b"ID3\4", b"FORM", b"RIFY", b"\0\0\0\0"):
        yield f"bad-head-{head.hex()}", head + good[4:]
    yield "bad-avi", good[:8] + b"AVI " + good[12:]
    yield "bad-data-first", riff(_data(4 * FRAMES), fmt_chunk())
    guid = fmt_chunk(tag=wavs.EXTENSIBLE, extension=extension()[:8] + b"\1" * 16)
    yield "bad-guid", riff(guid, _data(4 * FRAMES))


def bad_fields() -> Iterator[tuple[str, bytes]]:
    """Formats that nothing can play."""
    for bits in (0, 1, 4, 7, 65, 128):
        fmt = fmt_chunk(bits=bits, block_align=4 if bits else 0)
        yield f"bad-bits-{bits}", riff(fmt, _data(4 * FRAMES))
    for bits in (8, 16, 24, 80):
        yield f"bad-float-{bits}", riff(fmt_chunk(tag=3, bits=bits), _data(4 * FRAMES))
    for rate in (1 << 31, 0xFFFFFFFF):
        yield f"bad-rate-{rate}", riff(fmt_chunk(samplerate=rate), _data(4 * FRAMES))
    for channels in (1025, 65_535):
        fmt = fmt_chunk(channels=channels, block_align=4)
        yield f"bad-channels-{channels}", riff(fmt, _data(4 * FRAMES))
    for tag in (0, 0x4242, 0xFFFE):
        yield f"bad-tag-{tag:04x}", riff(fmt_chunk(tag=tag), _data(4 * FRAMES))


@cache
def files() -> dict[str, bytes]:
    """The whole corpus, by name."""
    odd = (unusual(), compressed(), frames_of_a_file(), tagged())
    groups = (linear(), *odd, bad(), bad_fields())
    return {f"{name}.wav": content for group in groups for name, content in group}
