"""What probe says of whole files: made ones, broken ones, random ones, very long ones."""

from __future__ import annotations

import io
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.wav import WavFacts, probe
from tests.kit import wavs
from tests.kit.wavs import Plan, chunk, fmt_chunk


def probe_bytes(content: bytes) -> WavFacts:
    return probe(wavs.Reader(io.BytesIO(content)), len(content))


def probe_file(path: Path) -> tuple[WavFacts, int]:
    """The facts, and how many bytes it took to know them."""
    with path.open("rb") as file:
        reader = wavs.Reader(file)
        return probe(reader, path.stat().st_size), reader.count


def codes(facts: WavFacts) -> list[str]:
    return [finding.code for finding in facts.findings]


@pytest.mark.parametrize("container", ["RIFF", "RIFX", "RF64", "BW64"])
@pytest.mark.parametrize(("floats", "bits"), [(False, 8), (False, 16), (False, 24), (True, 32)])
@pytest.mark.parametrize("extensible", [False, True])
def test_tells_the_facts(
    container: wavs.Container, *, floats: bool, bits: int, extensible: bool
) -> None:
    plan = Plan(
        container=container,
        floats=floats,
        bits=bits,
        extensible=extensible,
        channels=3,
        frames=101,
        samplerate=44_100,
        before=[(b"bext", b"a" * 603)],
        after=[(b"LIST", b"INFO")],
    )
    content = wavs.build_wav(plan)
    facts = probe_bytes(content)
    assert facts == WavFacts(
        container=container,
        format="float" if floats else "pcm",
        big_endian=container == "RIFX",
        channels=3,
        samplerate=44_100,
        bitdepth=bits,
        sample_bytes=bits // 8,
        block_align=3 * bits // 8,
        channel_mask=0,
        frames=101,
        data_offset=content.index(b"data") + 8,
        data_size=101 * 3 * bits // 8,
        data_declared=101 * 3 * bits // 8,
        findings=(),
    )
    start, size = facts.data_offset, facts.data_size
    assert content[start : start + size] == b"".join(plan.blocks())
    assert facts.duration == 101 / 44_100


@pytest.mark.parametrize(
    ("content", "frames", "found"),
    [
        (wavs.build_wav(Plan(frames=0)), 0, ["wav.empty"]),
        (
            wavs.build_wav(Plan(frames=100))[:-150],
            62,
            ["wav.truncated", "wav.riff-size", "wav.partial-frame"],
        ),
        (wavs.riff(fmt_chunk(), chunk(b"data", bytes(401))), 100, ["wav.partial-frame"]),
        (wavs.riff(fmt_chunk(), chunk(b"data", bytes(400), size=0)), 100, ["wav.size-unknown"]),
        (
            wavs.riff(fmt_chunk(), chunk(b"data", b"\1" * 401, pad=False)),
            100,
            ["wav.pad-missing", "wav.partial-frame"],
        ),
        (
            wavs.riff(fmt_chunk(), fmt_chunk(channels=1), chunk(b"data", bytes(400)), fmt_chunk()),
            100,
            ["wav.chunk-repeated"],
        ),
        (
            wavs.riff(fmt_chunk(), chunk(b"data", bytes(400)), chunk(b"data", bytes(800))),
            100,
            ["wav.chunk-repeated"],
        ),
        (
            wavs.riff(fmt_chunk(bits=24, block_align=8), chunk(b"data", bytes(800))),
            100,
            ["wav.block-align"],
        ),
    ],
)
def test_counts_what_is_there_and_tells_what_is_odd(
    content: bytes, frames: int, found: list[str]
) -> None:
    facts = probe_bytes(content)
    assert (facts.frames, codes(facts)) == (frames, found)


def test_fact_tells_where_compressed_sound_ends() -> None:
    fmt = fmt_chunk(tag=0x11, channels=1, bits=4, block_align=256)
    data = chunk(b"data", bytes(512))
    assert probe_bytes(wavs.riff(fmt, data)).frames == 1010
    fact = chunk(b"fact", struct.pack("<I", 700))
    assert probe_bytes(wavs.riff(fmt, fact, data)).frames == 700
    assert probe_bytes(wavs.riff(fmt, chunk(b"fact", b"\1\0"), data)).frames == 1010


def test_an_mp3_in_a_wav_is_taken_and_told() -> None:
    fmt = fmt_chunk(tag=0x55, bits=0, block_align=1, byte_rate=16_000)
    facts = probe_bytes(wavs.riff(fmt, chunk(b"data", bytes(16_001))))
    assert (facts.format, facts.frames, codes(facts)) == ("mp3", 48_003, ["wav.not-pcm"])


@pytest.mark.parametrize(
    ("kind", "reason", "offset"),
    [
        ("empty", "the file is empty", 0),
        ("text", "it is text, not a WAV", 0),
        (
            "cut header",
            "its fmt chunk has 10 bytes, too few to say how the sound is coded",
            20,
        ),
        ("no fmt", "it has no fmt chunk, so nothing says how its sound is coded", 84),
        ("no data", "it has no data chunk, so there is no sound in it", 48),
        ("zero channels", "it says it has 0 channels", 22),
        ("zero rate", "it says its sample rate is 0 Hz", 24),
        ("unknown codec", "its sound is coded in a way nobody knows (tag 0x4242)", 20),
    ],
)
def test_refuses_broken_files_and_says_why_and_where(
    kind: str, reason: str, offset: int, tmp_path: Path
) -> None:
    with pytest.raises(NotAWavError) as refused:
        probe_file(wavs.write_broken(tmp_path / "take1.wav", kind))
    assert (refused.value.reason, refused.value.offset) == (reason, offset)


def test_refuses_sound_in_front_of_its_format() -> None:
    with pytest.raises(NotAWavError, match="comes before the fmt chunk") as refused:
        probe_bytes(wavs.riff(chunk(b"data", bytes(64)), fmt_chunk()))
    assert refused.value.offset == 12


FOUNDATIONS = [
    wavs.build_wav(Plan(container=container, frames=40, extensible=extensible))
    for container in ("RIFF", "RIFX", "RF64")
    for extensible in (False, True)
] + [
    wavs.riff(
        fmt_chunk(tag=0x11, channels=1, bits=4, block_align=36),
        chunk(b"fact", bytes(4)),
        chunk(b"data", bytes(72), size=0),
        chunk(b"LIST", b"INFO"),
    )
]


def attempt(reader: wavs.Reader, size: int) -> WavFacts | NotAWavError:
    try:
        return probe(reader, size)
    except NotAWavError as refusal:
        return refusal


def check(content: bytes) -> None:
    """Any bytes give facts that hold, or a refusal that points into them, and soon."""
    size = len(content)
    reader = wavs.Reader(io.BytesIO(content))
    answer = attempt(reader, size)
    assert reader.reads <= 20 + size // 4
    assert reader.count <= 1000 + 3 * size
    if isinstance(answer, NotAWavError):
        assert 0 <= answer.offset <= size
        return
    assert 0 <= answer.data_offset <= answer.data_offset + answer.data_size <= size
    assert answer.frames >= 0
    if answer.sample_bytes:
        assert answer.block_align == answer.sample_bytes * answer.channels
        assert answer.frames == answer.data_size // answer.block_align
    for finding in answer.findings:
        assert finding.offset is not None
        assert 0 <= finding.offset <= size


@given(st.binary(max_size=300))
def test_random_bytes_give_facts_or_a_refusal(content: bytes) -> None:
    check(content)
    check(b"RIFF\0\0\0\0WAVE" + content)
    check(b"RF64\xff\xff\xff\xffWAVE" + content)


@given(
    st.sampled_from(FOUNDATIONS),
    st.lists(st.tuples(st.integers(0, 150), st.sampled_from((0, 1, 2, 127, 128, 254, 255)))),
    st.integers(0, 300),
)
def test_changed_bytes_give_facts_or_a_refusal(
    content: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    changed = bytearray(content)
    for offset, value in changes:
        changed[offset % len(changed)] = value
    check(bytes(changed[:length]))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"fmt ", b"data", b"fact", b"ds64", b"LIST", b"\0abc"]),
            st.binary(max_size=50),
            st.integers(0, 0xFFFFFFFF) | st.none(),
        )
    )
)
def test_chunks_in_any_order_give_facts_or_a_refusal(
    chunks: list[tuple[bytes, bytes, int | None]],
) -> None:
    content = wavs.riff(*(chunk(name, body, size=size) for name, body, size in chunks))
    check(content)
    check(content.replace(b"RIFF", b"BW64", 1))


@pytest.mark.slow
def test_ten_thousand_damaged_files_give_facts_or_a_refusal() -> None:
    chance = random.Random(20)
    for _ in range(10_000):
        content = bytearray(chance.choice(FOUNDATIONS))
        for _ in range(chance.randrange(8)):
            content[chance.randrange(min(120, len(content)))] = chance.randrange(256)
        check(bytes(content[: chance.randrange(len(content) + 1)]))


@pytest.mark.slow
def test_hundreds_of_megabytes_cost_a_few_reads(tmp_path: Path) -> None:
    path = wavs.write_wav(
        tmp_path / "long.wav", container="RF64", samplerate=96_000, bits=24, frames=35_000_000
    )
    facts, count = probe_file(path)
    assert (facts.container, facts.frames, facts.findings) == ("RF64", 35_000_000, ())
    assert count < 200


def test_more_than_four_gigabytes_are_counted_right(tmp_path: Path) -> None:
    # A sparse file: only its header and its end take room.
    frames, head = 900_000_000, 12 + 36 + 24 + 8
    size = frames * 6
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.write(
            wavs.riff(
                wavs.ds64(head - 8 + size, size, frames),
                fmt_chunk(bits=24, samplerate=96_000),
                chunk(b"data", size=wavs.IN_DS64),
                container="RF64",
                size=wavs.IN_DS64,
            )
        )
        file.truncate(head + size)
    facts, count = probe_file(path)
    assert (facts.frames, facts.data_size, facts.findings) == (frames, size, ())
    assert count < 200
