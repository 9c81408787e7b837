"""What the fields of a fmt chunk mean, and how many frames they make of so many bytes."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.wav.formats import Format, count_frames, read_format
from tests.kit import wavs


def read(*, cut: int | None = None, order: str = "<", **fields: Any) -> Format:
    """The meaning of a fmt chunk with these fields, that begins at byte 20."""
    return read_format(wavs.fmt_chunk(order=order, **fields)[8:][:cut], order=order, offset=20)


def codes(form: Format) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.offset) for finding in form.findings]


@pytest.mark.parametrize(
    ("tag", "bits", "name", "sample_bytes"),
    [
        (1, 8, "pcm", 1),
        (1, 12, "pcm", 2),
        (1, 16, "pcm", 2),
        (1, 20, "pcm", 3),
        (1, 24, "pcm", 3),
        (1, 32, "pcm", 4),
        (1, 36, "pcm", 5),
        (1, 64, "pcm", 8),
        (3, 32, "float", 4),
        (3, 64, "float", 8),
        (6, 8, "alaw", 1),
        (7, 8, "mulaw", 1),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_linear_formats(
    tag: int, bits: int, name: str, sample_bytes: int, order: str
) -> None:
    form = read(tag=tag, bits=bits, channels=3, samplerate=44_100, order=order)
    assert form == Format(
        name=name,
        channels=3,
        samplerate=44_100,
        byte_rate=44_100 * 3 * sample_bytes,
        block_align=3 * sample_bytes,
        bitdepth=bits,
        sample_bytes=sample_bytes,
    )


@pytest.mark.parametrize(
    ("fields", "sample_bytes", "found"),
    [
        ({"bits": 24, "block_align": 8}, 4, "wav.block-align"),
        ({"bits": 20, "block_align": 8}, 4, "wav.block-align"),
        ({"bits": 16, "block_align": 0}, 2, "wav.block-align"),
        ({"bits": 16, "block_align": 3}, 2, "wav.block-align"),
        ({"bits": 16, "block_align": 2}, 2, "wav.block-align"),
        ({"bits": 16, "block_align": 60}, 2, "wav.block-align"),
        ({"tag": 7, "bits": 16, "block_align": 4}, 1, "wav.block-align"),
        ({"tag": 3, "bits": 32, "block_align": 16}, 4, "wav.block-align"),
        ({"bits": 16, "byte_rate": 7}, 2, "wav.byte-rate"),
    ],
)
def test_bytes_that_contradict_each_other_are_told(
    fields: dict[str, Any], sample_bytes: int, found: str
) -> None:
    form = read(**fields)
    assert (form.sample_bytes, form.block_align) == (sample_bytes, 2 * sample_bytes)
    assert codes(form) == [(found, 28 if found == "wav.byte-rate" else 32)]


@pytest.mark.parametrize(
    ("tag", "bits", "valid", "bitdepth"),
    [(1, 24, 20, 20), (1, 32, 24, 24), (1, 16, 0, 16), (3, 32, 24, 32), (6, 8, 8, 8)],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_reads_what_extensible_means(
    tag: int, bits: int, valid: int, bitdepth: int, order: str
) -> None:
    extension = wavs.extension(tag, valid_bits=valid, channel_mask=0x3F, order=order)
    form = read(tag=wavs.EXTENSIBLE, channels=6, bits=bits, extension=extension, order=order)
    assert (form.bitdepth, form.sample_bytes, form.channel_mask) == (bitdepth, bits // 8, 0x3F)
    assert form.findings == ()


def test_reads_a_guid_that_was_turned_round_with_the_rest() -> None:
    guid = struct.pack(">IHH", 1, 0, 0x10) + wavs.GUID_TAIL[4:]
    extension = wavs.extension(order=">")[:8] + guid
    assert read(tag=wavs.EXTENSIBLE, extension=extension, order=">").name == "pcm"


@pytest.mark.parametrize(("tag", "name", "bits"), [(1, "pcm", 16), (3, "float", 32)])
def test_reads_ambisonic_sub_formats(tag: int, name: str, bits: int) -> None:
    guid = struct.pack("<IHH", tag, 0x0721, 0x11D3) + bytes.fromhex("8644c8c1ca000000")
    extension = wavs.extension(valid_bits=bits)[:8] + guid
    form = read(tag=wavs.EXTENSIBLE, channels=4, bits=bits, extension=extension)
    assert (form.name, form.channels) == (name, 4)


def test_more_valid_bits_than_bits_are_told() -> None:
    form = read(tag=wavs.EXTENSIBLE, extension=wavs.extension(valid_bits=24))
    assert (form.bitdepth, codes(form)) == (16, [("wav.valid-bits", 38)])


def test_the_old_chunk_without_bits_gets_them_from_its_block() -> None:
    form = read(cut=14)
    assert (form.bitdepth, form.block_align) == (16, 4)
    assert codes(form) == [("wav.fmt-short", 20)]


@pytest.mark.parametrize(
    ("fields", "reason", "offset"),
    [
        ({"cut": 13}, "its fmt chunk has 13 bytes, too few to say how the sound is coded", 20),
        ({"channels": 0}, "it says it has 0 channels", 22),
        ({"channels": 1025}, "it says it has 1025 channels", 22),
        ({"samplerate": 0}, "it says its sample rate is 0 Hz", 24),
        ({"samplerate": 1 << 31}, "it says its sample rate is 2147483648 Hz", 24),
        ({"bits": 4}, "it says its samples have 4 bits; 8 to 64 can be read", 34),
        ({"bits": 65}, "it says its samples have 65 bits; 8 to 64 can be read", 34),
        ({"bits": 0}, "it says its samples have 0 bits; 8 to 64 can be read", 34),
        (
            {"tag": 3, "bits": 16},
            "it says its samples are floats of 16 bits; 32 and 64 can be read",
            34,
        ),
        ({"tag": 0}, "its sound is coded in a way nobody knows (tag 0x0000)", 20),
        ({"tag": 0x4242}, "its sound is coded in a way nobody knows (tag 0x4242)", 20),
        ({"tag": 0x11, "block_align": 7}, "it says its blocks have 7 bytes, too few", 32),
        (
            {"tag": 0xFFFE, "extension": bytes(10)},
            "its fmt chunk is EXTENSIBLE, but has 26 bytes instead of 40",
            20,
        ),
        (
            {"tag": 0xFFFE, "extension": bytes(24)},
            "its sound is coded in a way nobody knows "
            "(sub-format 00000000-0000-0000-0000-000000000000)",
            44,
        ),
    ],
)
def test_refuses_what_cannot_be_read_and_says_where(
    fields: dict[str, Any], reason: str, offset: int
) -> None:
    with pytest.raises(NotAWavError) as refused:
        read(**fields)
    assert (refused.value.reason, refused.value.offset) == (reason, offset)


def test_takes_as_many_channels_and_hertz_as_libsndfile() -> None:
    form = read(channels=1024, samplerate=0x7FFFFFFF)
    assert (form.channels, form.samplerate) == (1024, 0x7FFFFFFF)


def test_an_extensible_inside_an_extensible_is_refused() -> None:
    with pytest.raises(NotAWavError):
        read(tag=wavs.EXTENSIBLE, extension=wavs.extension(wavs.EXTENSIBLE))


def block(told: int) -> bytes:
    return struct.pack("<HH", 2, told)


@pytest.mark.parametrize(
    ("fields", "name", "block_frames"),
    [
        ({"tag": 0x11, "channels": 1, "block_align": 256, "extension": block(505)}, "ima", 505),
        ({"tag": 0x11, "channels": 2, "block_align": 512, "extension": block(505)}, "ima", 505),
        ({"tag": 0x11, "channels": 2, "block_align": 512}, "ima", 505),
        ({"tag": 0x11, "channels": 1, "block_align": 256, "extension": block(999)}, "ima", 505),
        ({"tag": 0x11, "channels": 1, "block_align": 4}, "ima", 1),
        ({"tag": 0x02, "channels": 2, "block_align": 512, "extension": block(500)}, "ms", 500),
        ({"tag": 0x02, "channels": 1, "block_align": 256}, "ms", 500),
    ],
)
def test_knows_the_frames_in_a_block_of_adpcm(
    fields: dict[str, Any], name: str, block_frames: int
) -> None:
    form = read(bits=4, **fields)
    assert (form.name, form.bitdepth, form.sample_bytes) == (f"{name}-adpcm", 4, 0)
    assert (form.block_align, form.block_frames) == (fields["block_align"], block_frames)
    assert codes(form) == [("wav.not-pcm", 20)]


def test_knows_the_frames_in_a_block_of_gsm() -> None:
    form = read(tag=0x31, channels=1, samplerate=8000, bits=0, block_align=0)
    assert (form.name, form.block_align, form.block_frames) == ("gsm", 65, 320)


@pytest.mark.parametrize(
    ("tag", "name"), [(0x55, "mp3"), (0x161, "wma2"), (0xF1AC, "flac"), (0x6C75, "tag-0x6c75")]
)
def test_names_compressed_streams(tag: int, name: str) -> None:
    form = read(tag=tag, bits=0, block_align=1, byte_rate=16_000)
    assert (form.name, form.block_frames, codes(form)) == (name, 0, [("wav.not-pcm", 20)])
    silent = read(tag=tag, bits=0, block_align=1, byte_rate=0)
    assert codes(silent) == [("wav.not-pcm", 20), ("wav.length-unknown", 28)]


@pytest.mark.parametrize(
    ("fields", "size", "fact", "frames"),
    [
        ({"bits": 24}, 600, None, 100),
        ({"bits": 24}, 605, 7, 100),
        ({"tag": 7, "bits": 8}, 601, None, 300),
        ({"tag": 0x11, "bits": 4, "channels": 1, "block_align": 256}, 512, None, 1010),
        ({"tag": 0x11, "bits": 4, "channels": 1, "block_align": 256}, 600, None, 1010),
        ({"tag": 0x11, "bits": 4, "channels": 1, "block_align": 256}, 512, 700, 700),
        ({"tag": 0x11, "bits": 4, "channels": 1, "block_align": 256}, 512, 2000, 1010),
        ({"tag": 0x11, "bits": 4, "channels": 1, "block_align": 256}, 512, 505, 1010),
        ({"tag": 0x11, "bits": 4, "channels": 1, "block_align": 256}, 512, 0, 1010),
        ({"tag": 0x11, "bits": 4, "channels": 1, "block_align": 256}, 2560, 9, 5050),
        ({"tag": 0x31, "bits": 0, "channels": 1}, 650, None, 3200),
        ({"tag": 0x55, "bits": 0, "byte_rate": 16_000}, 32_000, None, 96_000),
        ({"tag": 0x55, "bits": 0, "byte_rate": 16_000}, 32_000, 95_000, 95_000),
        ({"tag": 0x55, "bits": 0, "byte_rate": 16_000}, 32_000, 5, 96_000),
        ({"tag": 0x55, "bits": 0, "byte_rate": 16_000}, 16_000, 960_000, 48_000),
        ({"tag": 0x55, "bits": 0, "byte_rate": 0}, 32_000, 95_000, 95_000),
        ({"tag": 0x55, "bits": 0, "byte_rate": 0}, 32_000, None, 0),
    ],
)
def test_counts_frames(fields: dict[str, Any], size: int, fact: int | None, frames: int) -> None:
    assert count_frames(read(**fields), size, fact) == frames
