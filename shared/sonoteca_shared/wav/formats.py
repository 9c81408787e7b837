"""What a `fmt` chunk means: how the sound is coded, and how many frames so many bytes hold.

Sources: Microsoft, "Multiple channel audio data and WAVE files" (2001) for WAVE_FORMAT_EXTENSIBLE;
Microsoft's `mmreg.h` and "Multimedia Data Standards Update" (1994) for the tags and the block
codecs; Richard Dobson, "Ambisonic B-format WAVE" for its two sub-formats. What is usable follows
libsndfile and ffmpeg: a sound that neither would open is of no use to the person who sends it.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.models import Finding

FMT_BYTES = 64
"""No `fmt` payload has anything for us behind its first 64 bytes."""

_EXTENSIBLE = 0xFFFE
_PCM, _FLOAT, _ALAW, _MULAW = 0x0001, 0x0003, 0x0006, 0x0007
_MS_ADPCM, _IMA_ADPCM, _GSM, _MP3 = 0x0002, 0x0011, 0x0031, 0x0055

# libsndfile's SF_MAX_CHANNELS; its and ffmpeg's sample rates are positive 32-bit integers.
_MAX_CHANNELS = 1024
_MAX_SAMPLERATE = 0x7FFFFFFF
_MAX_SAMPLE_BYTES = 8

# Other tags that ffmpeg or libsndfile decode, and the names of those that people may have met.
# fmt: off
_OTHER_TAGS = frozenset((
    0x000A, 0x0014, 0x0017, 0x0020, 0x0022, 0x0032, 0x0038, 0x0040, 0x0042, 0x0045, 0x0050,
    0x0057, 0x0058, 0x0061, 0x0062, 0x0064, 0x0065, 0x0069, 0x0075, 0x0083, 0x00FF, 0x0111,
    0x0130, 0x0160, 0x0161, 0x0162, 0x0163, 0x0165, 0x0166, 0x0200, 0x0215, 0x0270, 0x028F,
    0x0401, 0x0402, 0x0500, 0x0501, 0x1500, 0x1501, 0x1600, 0x1602, 0x2000, 0x2001, 0x4143,
    0x5346, 0x566F, 0x6C75, 0x706D, 0x729A, 0xA100, 0xA106, 0xA109, 0xF1AC,
))
_NAMES = {
    0x0017: "oki-adpcm", 0x0020: "yamaha-adpcm", 0x0022: "truespeech", 0x0040: "g721",
    0x0042: "g723.1", 0x0045: "g726", 0x0050: "mpeg", 0x0064: "g726", 0x0083: "g729",
    0x00FF: "aac", 0x0160: "wma1", 0x0161: "wma2", 0x0162: "wma-pro", 0x0163: "wma-lossless",
    0x0200: "creative-adpcm", 0x0270: "atrac3", 0x1600: "aac", 0x1602: "aac", 0x2000: "ac3",
    0x2001: "dts", 0xA106: "aac", 0xA109: "speex", 0xF1AC: "flac",
}
# fmt: on

# Sub-format GUIDs carry the tag in their first field; the rest is one of these two.
_GUID_TAILS = frozenset(
    (
        (0x0000, 0x0010, bytes.fromhex("800000aa00389b71")),
        (0x0721, 0x11D3, bytes.fromhex("8644c8c1ca000000")),
    )
)

_GSM_BLOCK, _GSM_FRAMES = 65, 320
_IMA_BLOCK_HEADER, _MS_BLOCK_HEADER = 4, 7


@dataclass(frozen=True, slots=True)
class Format:
    """How the sound is coded, as the `fmt` chunk has it after our corrections."""

    name: str
    channels: int
    samplerate: int
    byte_rate: int
    block_align: int
    bitdepth: int
    sample_bytes: int = 0
    """Bytes of one sample of one channel; 0 where samples have no bytes of their own."""
    channel_mask: int = 0
    block_frames: int = 1
    """Frames in each block of `block_align` bytes; 0 where that differs from block to block."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fields:
    """The chunk's fields as written."""

    offset: int
    tag: int
    channels: int
    samplerate: int
    byte_rate: int
    block_align: int
    bits: int
    block_frames: int = 0
    valid_bits: int = 0
    channel_mask: int = 0
    findings: tuple[Finding, ...] = ()

    def refuse(self, reason: str, field: int) -> NotAWavError:
        """The error that points at a field of this chunk."""
        return NotAWavError(reason, offset=self.offset + field)

    def find(self, code: str, field: int, *, severity: str = "info") -> Finding:
        """The finding that points at a field of this chunk."""
        return Finding(code=code, severity=severity, offset=self.offset + field)


def read_format(payload: bytes, *, order: str, offset: int) -> Format:
    """What the payload of a `fmt` chunk at `offset` means; NotAWavError when it has no meaning."""
    fields = _read_fields(payload, order, offset)
    if fields.tag == _EXTENSIBLE:
        fields = _read_extension(fields, payload, order)
    if not 0 < fields.channels <= _MAX_CHANNELS:
        raise fields.refuse(f"it says it has {fields.channels} channels", 2)
    if not 0 < fields.samplerate <= _MAX_SAMPLERATE:
        raise fields.refuse(f"it says its sample rate is {fields.samplerate} Hz", 4)
    read = _READERS.get(fields.tag)
    if read is None:
        if fields.tag not in _OTHER_TAGS:
            tag = f"0x{fields.tag:04X}"
            raise fields.refuse(f"its sound is coded in a way nobody knows (tag {tag})", 0)
        return _read_stream(fields, _NAMES.get(fields.tag, f"tag-0x{fields.tag:04x}"))
    return read(fields)


def count_frames(form: Format, size: int, fact: int | None) -> int:
    """How many frames `size` bytes of sound hold; `fact` is what the file itself says of it."""
    if form.block_frames == 1:
        return size // form.block_align
    if form.block_frames:
        frames = size // form.block_align * form.block_frames
        # `fact` tells where in the last block the sound ends. Anything else it says is not
        # believed: libsndfile 1.2.2 halves it for stereo, others leave 0 or count samples.
        return fact if fact and frames - form.block_frames < fact < frames else frames
    expected = size * form.samplerate // form.byte_rate if form.byte_rate else 0
    if fact and (not expected or expected // 2 <= fact <= expected * 2):
        return fact
    return expected


def _read_fields(payload: bytes, order: str, offset: int) -> _Fields:
    # 14 bytes are the WAVEFORMAT of 1991, to which PCM adds its bits and all others a size.
    if len(payload) < 14:
        reason = f"its fmt chunk has {len(payload)} bytes, too few to say how the sound is coded"
        raise NotAWavError(reason, offset=offset)
    short = len(payload) < 16
    plain = payload.ljust(20, b"\0")
    tag, channels, rate, byte_rate, align, bits = struct.unpack_from(f"{order}HHIIHH", plain)
    fields = _Fields(
        offset=offset,
        tag=tag,
        channels=channels,
        samplerate=rate,
        byte_rate=byte_rate,
        block_align=align,
        bits=0 if short else bits,
        block_frames=struct.unpack_from(f"{order}H", plain, 18)[0],
    )
    return replace(fields, findings=(fields.find("wav.fmt-short", 0),)) if short else fields


def _read_extension(fields: _Fields, payload: bytes, order: str) -> _Fields:
    if len(payload) < 40:
        reason = f"its fmt chunk is EXTENSIBLE, but has {len(payload)} bytes instead of 40"
        raise fields.refuse(reason, 0)
    valid, mask = struct.unpack_from(f"{order}HI", payload, 18)
    findings = fields.findings
    if valid > fields.bits:
        findings += (fields.find("wav.valid-bits", 18, severity="warning"),)
        valid = 0
    return replace(
        fields,
        tag=_sub_format(payload[24:40], order, fields),
        valid_bits=valid,
        channel_mask=mask,
        block_frames=0,
        findings=findings,
    )


def _sub_format(guid: bytes, order: str, fields: _Fields) -> int:
    # RIFX writers disagree whether the GUID's numbers turn round with all the others.
    for turned in (order, "<"):
        first, second, third = struct.unpack_from(f"{turned}IHH", guid)
        if (second, third, guid[8:]) in _GUID_TAILS and first < _EXTENSIBLE:
            return int(first)
    name = uuid.UUID(bytes_le=guid)
    raise fields.refuse(f"its sound is coded in a way nobody knows (sub-format {name})", 24)


def _read_pcm(fields: _Fields) -> Format:
    # Without bits (an old WAVEFORMAT, or a careless writer) the block says how wide samples are.
    bits = fields.bits or 8 * (fields.block_align // fields.channels)
    if not 8 <= bits <= 64:
        raise fields.refuse(f"it says its samples have {bits} bits; 8 to 64 can be read", 14)
    needed = -(-bits // 8)
    wide, rest = divmod(fields.block_align, fields.channels)
    # Samples may lie in containers wider than their bits ask for (20 or 24 bits in 4 bytes).
    sample_bytes = wide if rest == 0 and needed <= wide <= _MAX_SAMPLE_BYTES else needed
    return _linear(fields, "pcm", bits, sample_bytes=sample_bytes, needed=needed)


def _read_float(fields: _Fields) -> Format:
    if fields.bits not in (32, 64):
        reason = f"it says its samples are floats of {fields.bits} bits; 32 and 64 can be read"
        raise fields.refuse(reason, 14)
    return _linear(replace(fields, valid_bits=0), "float", fields.bits)


def _read_alaw(fields: _Fields) -> Format:
    return _linear(replace(fields, valid_bits=0), "alaw", 8)


def _read_mulaw(fields: _Fields) -> Format:
    return _linear(replace(fields, valid_bits=0), "mulaw", 8)


def _linear(
    fields: _Fields, name: str, bits: int, *, sample_bytes: int = 0, needed: int = 0
) -> Format:
    """A format where every frame has the same number of bytes."""
    needed = needed or bits // 8
    sample_bytes = sample_bytes or needed
    align = fields.channels * sample_bytes
    findings = fields.findings
    if fields.block_align != fields.channels * needed:
        findings += (fields.find("wav.block-align", 12, severity="warning"),)
    elif fields.byte_rate != fields.samplerate * align & 0xFFFFFFFF:
        findings += (fields.find("wav.byte-rate", 8),)
    return Format(
        name=name,
        channels=fields.channels,
        samplerate=fields.samplerate,
        byte_rate=fields.samplerate * align,
        block_align=align,
        bitdepth=fields.valid_bits or bits,
        sample_bytes=sample_bytes,
        channel_mask=fields.channel_mask,
        findings=findings,
    )


def _read_ima(fields: _Fields) -> Format:
    return _adpcm(fields, "ima-adpcm", header=_IMA_BLOCK_HEADER, in_header=1)


def _read_ms(fields: _Fields) -> Format:
    return _adpcm(fields, "ms-adpcm", header=_MS_BLOCK_HEADER, in_header=2)


def _adpcm(fields: _Fields, name: str, *, header: int, in_header: int) -> Format:
    """Blocks that begin with whole samples for each channel and go on with four bits a sample."""
    nibbles = 2 * (fields.block_align - header * fields.channels)
    if nibbles < 0:
        raise fields.refuse(f"it says its blocks have {fields.block_align} bytes, too few", 12)
    most = nibbles // fields.channels + in_header
    told = fields.block_frames
    return replace(
        _compressed(fields, name),
        bitdepth=fields.bits or 4,
        block_frames=told if 1 < told <= most else most,
    )


def _read_gsm(fields: _Fields) -> Format:
    # Always blocks of 65 bytes for two GSM 06.10 frames; some writers leave the fields empty.
    return replace(
        _compressed(fields, "gsm"),
        block_align=_GSM_BLOCK,
        block_frames=_GSM_FRAMES,
    )


def _read_mp3(fields: _Fields) -> Format:
    return _read_stream(fields, "mp3")


def _read_stream(fields: _Fields, name: str) -> Format:
    """A stream of packets: only `fact`, or else the bytes a second, tell its length."""
    form = _compressed(fields, name)
    if form.byte_rate:
        return form
    unknown = fields.find("wav.length-unknown", 8, severity="warning")
    return replace(form, findings=(*form.findings, unknown))


def _compressed(fields: _Fields, name: str) -> Format:
    return Format(
        name=name,
        channels=fields.channels,
        samplerate=fields.samplerate,
        byte_rate=fields.byte_rate,
        block_align=fields.block_align,
        bitdepth=fields.bits,
        channel_mask=fields.channel_mask,
        block_frames=0,
        findings=(*fields.findings, fields.find("wav.not-pcm", 0)),
    )


_READERS: dict[int, Callable[[_Fields], Format]] = {
    _PCM: _read_pcm,
    _FLOAT: _read_float,
    _ALAW: _read_alaw,
    _MULAW: _read_mulaw,
    _IMA_ADPCM: _read_ima,
    _MS_ADPCM: _read_ms,
    _GSM: _read_gsm,
    _MP3: _read_mp3,
}
