"""From the bytes of a WAV to the samples that a device takes."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from sonoteca_desktop.playback.reader import PADDING_S, Reader
from sonoteca_desktop.playback.samples import SampleFormat, UnplayableError, mix_to_stereo, sides
from sonoteca_desktop.playback.source import LocalFile, Source, probe_sound
from tests.kit import wavs

QUAD = 0x33  # front left, front right, back left, back right


def source_of(path: Path) -> Source:
    file = LocalFile(path)
    return Source(probe_sound(file.read, file.size), file)


def write(path: Path, payload: bytes, **format: int | bytes | str) -> Path:
    """A WAV with this payload, coded as the arguments of `fmt_chunk` say."""
    order = str(format.get("order", "<"))
    container: wavs.Container = "RIFX" if order == ">" else "RIFF"
    data = wavs.chunk(b"data", payload, order=order)
    fmt = wavs.fmt_chunk(channels=1, **format)  # type: ignore[arg-type]
    path.write_bytes(wavs.riff(fmt, data, container=container))
    return path


def test_24_bits_become_32_exactly(tmp_path: Path) -> None:
    values = [0, 1, -1, 0x7FFFFF, -0x800000, 0x123456, -0x123456]
    payload = b"".join(value.to_bytes(3, "little", signed=True) for value in values)
    source = source_of(write(tmp_path / "a.wav", payload, bits=24))
    assert source.format is SampleFormat.INT32
    assert struct.unpack("<7i", source.read(0, 100)) == tuple(value << 8 for value in values)
    assert struct.unpack("<2i", source.read(3, 2)) == (0x7FFFFF00, -0x80000000)


@pytest.mark.parametrize(
    ("bits", "form", "code"),
    [
        (8, SampleFormat.UINT8, "B"),
        (16, SampleFormat.INT16, "h"),
        (32, SampleFormat.INT32, "i"),
    ],
)
def test_widths_that_devices_take_stay_as_they_are(
    tmp_path: Path, bits: int, form: SampleFormat, code: str
) -> None:
    payload = bytes(range(240))
    source = source_of(write(tmp_path / "a.wav", payload, bits=bits))
    assert (source.format, source.read(0, 1000)) == (form, payload)
    assert source.frames == struct.calcsize(f"<{240 * 8 // bits}{code}") * 8 // bits


def test_of_64_bits_the_upper_32_are_kept(tmp_path: Path) -> None:
    payload = struct.pack("<3q", 1 << 62, -1 << 63, 0x0123456789ABCDEF)
    source = source_of(write(tmp_path / "a.wav", payload, bits=64))
    assert struct.unpack("<3i", source.read(0, 3)) == (1 << 30, -1 << 31, 0x01234567)


def test_doubles_become_floats(tmp_path: Path) -> None:
    values = (0.5, -1.0, 1.0, 1e-30, 1e300)
    source = source_of(write(tmp_path / "a.wav", struct.pack("<5d", *values), bits=64, tag=3))
    assert source.format is SampleFormat.FLOAT
    got = struct.unpack("<5f", source.read(0, 5))
    assert got[:4] == pytest.approx(values[:4])
    assert got[4] == math.inf


@pytest.mark.parametrize(
    ("bits", "tag", "pack", "expected"),
    [
        (16, 1, ">4h", "<4h"),
        (32, 1, ">4i", "<4i"),
        (32, 3, ">4f", "<4f"),
        (64, 3, ">4d", "<4f"),
    ],
)
def test_big_endian_files_are_turned_round(
    tmp_path: Path, bits: int, tag: int, pack: str, expected: str
) -> None:
    values = (0.25, -1.0, 1.0, 0.5) if tag == 3 else (1, -2, 300, -32_000)
    payload = struct.pack(pack, *values)
    source = source_of(write(tmp_path / "a.wav", payload, bits=bits, tag=tag, order=">"))
    assert struct.unpack(expected, source.read(0, 4)) == values


def test_big_endian_24_bits_are_exact(tmp_path: Path) -> None:
    values = [1, -1, 0x123456, -0x800000]
    payload = b"".join(value.to_bytes(3, "big", signed=True) for value in values)
    source = source_of(write(tmp_path / "a.wav", payload, bits=24, order=">"))
    assert struct.unpack("<4i", source.read(0, 4)) == tuple(value << 8 for value in values)


@pytest.mark.parametrize(
    ("tag", "byte_values"),
    [
        # ITU-T G.711: the ends of the scale, and the values next to zero.
        (6, {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0x80: 5504}),
        (7, {0xFF: 0, 0x7F: 0, 0x80: 32124, 0x00: -32124, 0xFE: 8, 0x7E: -8}),
    ],
)
def test_alaw_and_mulaw_follow_g711(tmp_path: Path, tag: int, byte_values: dict[int, int]) -> None:
    source = source_of(write(tmp_path / "a.wav", bytes(byte_values), bits=8, tag=tag))
    got = struct.unpack(f"<{len(byte_values)}h", source.read(0, 100))
    assert dict(zip(byte_values, got, strict=True)) == byte_values


def test_a_sound_in_a_codec_says_that_it_cannot_be_played(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", bytes(65 * 4), bits=0, tag=0x31, block_align=65)
    with pytest.raises(UnplayableError, match=r"'gsm' cannot be played here yet\. Download it"):
        source_of(path)


def test_reads_no_byte_behind_the_sound_to_play_it(tmp_path: Path) -> None:
    path = wavs.write_wav(
        tmp_path / "a.wav", frames=1001, bits=8, channels=1, after=[(b"LIST", bytes(900))]
    )
    file = LocalFile(path)
    end = path.read_bytes().index(b"data") + 8 + 1001
    asked: list[int] = []

    def read(offset: int, count: int) -> bytes:
        asked.append(offset + count)
        return file.read(offset, count)

    assert probe_sound(read, file.size).frames == 1001
    assert max(asked) <= end


def test_a_file_without_sound_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = wavs.write_broken(tmp_path / "a.wav", "no data")
    with pytest.raises(Exception, match="no data chunk"):
        source_of(path)


def test_a_file_that_is_cut_while_it_plays_ends_with_a_reason(tmp_path: Path) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", frames=48_000)
    reader = Reader(source_of(path))
    assert len(reader.pull(100)) == 400
    with path.open("r+b") as file:
        file.truncate(1000)
    reader.pull(10_000)
    assert reader.ended
    assert "shorter" in reader.failure


def test_many_channels_are_mixed_by_their_places() -> None:
    assert sides(4, QUAD) == ([0, 2], [1, 3])
    assert sides(6, 0x3F) == ([0, 2, 3, 4], [1, 2, 3, 5])  # 5.1: centre and bass on both
    assert sides(3, 0) == ([0, 1, 2], [0, 1, 2])
    assert sides(2, 0x1) == ([0, 1], [1])
    mix = mix_to_stereo(SampleFormat.INT16, 4, QUAD)
    frames = struct.pack("<8h", 100, 10, 300, 30, -32768, 32767, -32768, 32767)
    assert struct.unpack("<4h", mix(frames)) == (200, 20, -32768, 32767)
    floats = mix_to_stereo(SampleFormat.FLOAT, 3, 0)
    assert struct.unpack("<2f", floats(struct.pack("<3f", 0.0, 0.75, 0.75))) == (0.5, 0.5)


def test_in_stereo_the_frames_stay_the_same(tmp_path: Path) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", channels=6, frames=100, bits=24)
    whole = source_of(path)
    stereo = whole.in_stereo()
    assert (stereo.channels, stereo.frames, stereo.frame_bytes) == (2, 100, 8)
    mix = mix_to_stereo(SampleFormat.INT32, 6, 0)
    assert stereo.read(40, 10) == mix(whole.read(40, 10))


class LateStore:
    """Bytes that are there up to `until`, as on a slow line."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.until = 0
        self.over = False
        self.aims: list[int] = []

    def read(self, offset: int, count: int) -> bytes:
        data = self.data[offset : min(offset + count, self.until)]
        if not data and self.over:
            raise OSError("the line is dead")
        return data

    def ready(self, offset: int, count: int) -> bool:
        return self.over or offset + count <= self.until

    def aim(self, offset: int) -> None:
        self.aims.append(offset)


@pytest.fixture
def late() -> tuple[LateStore, Callable[[], Reader]]:
    data = wavs.build_wav(wavs.Plan(frames=48_000, channels=1))
    store = LateStore(data)
    facts = probe_sound(lambda offset, count: data[offset : offset + count], len(data))
    return store, lambda: Reader(Source(facts, store))


def test_silence_stands_in_for_bytes_that_are_late(
    late: tuple[LateStore, Callable[[], Reader]],
) -> None:
    store, open_reader = late
    reader = open_reader()
    head = len(store.data) - 96_000
    store.until = head + 100
    assert reader.pull(80) == store.data[head : head + 100] + bytes(60)
    assert reader.starved
    # A little more is not enough to go on: that would be a stutter.
    store.until = head + 200
    assert reader.pull(10) == bytes(20)
    store.until = head + 50_000
    assert reader.pull(10) == store.data[head + 100 : head + 120]
    assert not reader.starved
    assert [reader.source_at(out) for out in (0, 50, 70, 90, 95)] == [0, 50, 50, 50, 55]
    assert store.aims[-1] == head + 100


def test_what_came_before_the_line_died_is_still_played(
    late: tuple[LateStore, Callable[[], Reader]],
) -> None:
    store, open_reader = late
    reader = open_reader()
    store.until = len(store.data) - 96_000 + 100
    reader.pull(40)
    reader.starved = True
    store.over = True
    assert reader.pull(30) == store.data[store.until - 20 : store.until]
    assert (reader.ended, reader.failure) == (True, "the line is dead")


def test_silence_behind_the_end_pushes_the_last_frames_out(tmp_path: Path) -> None:
    path = wavs.write_wav(tmp_path / "a.wav", frames=1000, bits=8, channels=1)
    source = source_of(path)
    reader = Reader(source, 900)
    padding = int(PADDING_S * 48_000)
    assert reader.pull(100 + padding) == source.read(900, 100) + b"\x80" * padding
    assert reader.ended
    assert reader.pull(10) == b""
    reader.seek(500)
    assert reader.pull(10) == source.read(500, 10)


def test_an_abandoned_reader_hands_out_nothing(tmp_path: Path) -> None:
    reader = Reader(source_of(wavs.write_wav(tmp_path / "a.wav")))
    reader.abandon()
    assert reader.pull(10) == b""
