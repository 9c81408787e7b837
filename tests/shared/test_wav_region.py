"""A part of a WAV as a WAV: the samples are the original's, the rest is true of the part."""

from __future__ import annotations

import io
import struct
from fractions import Fraction

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.models import Loop, Marker, Sampler
from sonoteca_shared.ranges import ByteRange
from sonoteca_shared.wav import describe, probe
from sonoteca_shared.wav.region import NotLinearError, Region, Span, cut
from tests.judge import tags
from tests.kit import wavs
from tests.kit.wavs import Container, Plan, Reader, build_wav, chunk, fmt_chunk, riff

RATE = 1000


def cut_out(data: bytes, span: Span) -> tuple[Region, bytes]:
    """The region and its file."""
    region = cut(Reader(io.BytesIO(data)), len(data), span)
    parts = (p if isinstance(p, bytes) else data[p.start : p.end] for p in region.pieces)
    return region, b"".join(parts)


def plan(**fields: object) -> Plan:
    return Plan(**({"samplerate": RATE, "frames": RATE, "channels": 2} | fields))  # type: ignore[arg-type]


def samples(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    read: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    read, _ = soundfile.read(io.BytesIO(data), always_2d=True)
    return read


def payload(data: bytes) -> bytes:
    """The sound of a file, as our own probe finds it."""
    facts = probe(Reader(io.BytesIO(data)), len(data))
    assert facts.findings == ()
    return data[facts.data_offset : facts.data_offset + facts.data_size]


KINDS = [
    plan(bits=8, channels=1),
    plan(bits=16),
    plan(bits=24, channels=5, extensible=True, channel_mask=0x37),
    plan(bits=20, extensible=True),
    plan(bits=32),
    plan(bits=32, floats=True),
    plan(bits=64, floats=True, extensible=True),
    plan(bits=16, container="RIFX"),
    plan(bits=32, floats=True, container="RIFX"),
    plan(bits=24, container="RF64"),
    plan(bits=16, container="BW64"),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@settings(max_examples=20, deadline=None)
@given(st.tuples(st.integers(0, RATE), st.integers(0, RATE)).filter(lambda each: each[0] < each[1]))
def test_the_samples_are_those_of_the_original(kind: Plan, between: tuple[int, int]) -> None:
    first, last = between
    data = build_wav(kind)
    region, part = cut_out(data, Span(first / RATE, last / RATE))
    align = kind.channels * kind.sample_bytes
    assert region.frames == range(first, last)
    assert payload(part) == payload(data)[first * align : last * align]
    # libsndfile does not know BW64 by its name; all else of it is RF64.
    readable = data.replace(b"BW64", b"RF64", 1)
    assert np.array_equal(samples(part), samples(readable)[first:last], equal_nan=True)
    whole, facts = (probe(Reader(io.BytesIO(each)), len(each)) for each in (data, part))
    same = ("format", "bitdepth", "channels", "samplerate", "channel_mask", "block_align")
    assert [getattr(facts, name) for name in same] == [getattr(whole, name) for name in same]


@pytest.mark.parametrize("name", ["alaw", "mulaw"])
def test_logarithmic_samples_can_be_cut_too(name: str) -> None:
    file = io.BytesIO()
    sound = np.sin(np.arange(RATE) / 9)
    soundfile.write(file, sound, RATE, "ALAW" if name == "alaw" else "ULAW", format="WAV")
    _, part = cut_out(file.getvalue(), Span(0.1, 0.2))
    assert np.array_equal(samples(part), samples(file.getvalue())[100:200])
    assert probe(Reader(io.BytesIO(part)), len(part)).format == name


def test_blocks_cannot_be_cut_and_the_refusal_says_what_to_do() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(RATE), RATE, "IMA_ADPCM", format="WAV")
    with pytest.raises(NotLinearError, match="convert it to PCM") as caught:
        cut_out(file.getvalue(), Span(0, 0.5))
    assert caught.value.form == "ima-adpcm"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (Span(-0.1, 0.5), "“start” is -0.1 seconds; it cannot be negative"),
        (Span(0, 0.5, -1), "“handles” is -1 seconds; it cannot be negative"),
        (Span(0.5, 0.5), r"“end” \(0.5 seconds\) has to come after “start”"),
        (Span(0.5, -1), "has to come after"),
        (Span(0, 1.01), "“end” is 1.01 seconds, but the sound ends after 1 seconds"),
        (Span(1), "“start” is 1 seconds, but the sound ends after 1 seconds"),
        (Span(3, 4), "“start” is 3 seconds"),
        (Span(1e300), "the sound ends"),
        (Span(0.5001, 0.5004), "less than one frame"),
    ],
)
def test_what_is_not_in_the_sound_is_refused_in_words(span: Span, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        span.frames(RATE, RATE)


@pytest.mark.parametrize(
    ("span", "frames"),
    [
        (Span(), range(RATE)),
        (Span(0.25), range(250, RATE)),
        (Span(0.25, 0.5, 0.1), range(150, 600)),
        (Span(0.05, 0.98, 0.1), range(RATE)),
        (Span(0.1, 0.2, 1e300), range(RATE)),
        (Span(0, 1.0005), range(RATE)),
    ],
)
def test_handles_end_where_the_sound_does(span: Span, frames: range) -> None:
    assert span.frames(RATE, RATE) == frames


def test_a_length_told_in_thousandths_is_the_whole_length() -> None:
    frames = 411_168
    told = round(frames / 96_000, 3)
    assert Fraction(told) > Fraction(frames, 96_000) or told == frames / 96_000
    assert Span(4, told).frames(96_000, frames).stop == frames


def test_the_name_says_which_part_it_is() -> None:
    region, _ = cut_out(build_wav(plan(frames=4000)), Span(1.5, 3.0))
    assert region.name("take1.wav") == "take1 [1.500-3.000].wav"
    assert region.name("take1.mp3") == "take1.mp3 [1.500-3.000].wav"


def test_the_recipe_names_the_object_and_the_frames() -> None:
    data = build_wav(plan())
    recipes = {cut_out(data, Span(0.1, end))[0].recipe(oid) for end in (0.2, 0.3) for oid in "ab"}
    assert len(recipes) == 4
    assert len({cut_out(data, Span(*each))[0].recipe("a") for each in ((0.1,), (0.1, 1))}) == 1


# ---- what the file says of itself


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
def test_markers_move_with_the_beginning(container: Container) -> None:
    order = ">" if container == "RIFX" else "<"
    adtl = b"adtl" + b"".join(
        (
            tags.label(1, b"before", order=order),
            tags.label(2, b"inside", order=order),
            tags.label(2, b"a note", kind=b"note", order=order),
            tags.region(2, 500, order=order),
            tags.label(9, b"of no cue", order=order),
            chunk(b"labl", b"\2", order=order),
            chunk(b"file", bytes(8), order=order),
        )
    )
    cues = tags.cues({1: 100, 2: 300, 3: 400, 4: 499, 5: 500}, order=order)
    after = ((b"cue ", cues), (b"LIST", adtl))
    _, part = cut_out(build_wav(plan(container=container, after=after)), Span(0.3, 0.5))
    told = describe(Reader(io.BytesIO(part)), len(part))
    assert told.metadata.markers == (
        Marker(at=0.0, length=0.2, label="inside", note="a note"),
        Marker(at=0.1),
        Marker(at=0.199),
    )
    assert told.findings == ()


def test_labels_in_lists_of_lower_case_are_found_too() -> None:
    adtl = b"adtl" + tags.label(1, b"odd")
    info = tags.info({b"INAM": b"Door"})
    cue = tags.cues({1: 10})
    after = ((b"cue ", cue), (b"list", adtl), (b"LIST", b"adtl"), (b"LIST", info))
    _, part = cut_out(build_wav(plan(after=after)), Span(0, 0.5))
    told = describe(Reader(io.BytesIO(part)), len(part))
    assert told.metadata.markers == (Marker(at=0.01, label="odd"),)


def test_without_markers_inside_there_is_no_list_of_them() -> None:
    after = ((b"cue ", tags.cues({1: 10})), (b"LIST", b"adtl" + tags.label(1, b"far")))
    _, part = cut_out(build_wav(plan(after=after)), Span(0.5))
    assert b"cue " not in part
    assert b"far" not in part


def test_the_time_reference_moves_and_the_texts_stay() -> None:
    before = (
        (
            b"bext",
            tags.bext(description=b"DOOR", time_reference=(1 << 32) - 100, history=b"A=PCM\r\n"),
        ),
        (b"iXML", tags.ixml("<SCENE>7</SCENE>")),
    )
    after = ((b"LIST", tags.info({b"INAM": b"Door"})), (b"PEAK", bytes(36)))
    _, part = cut_out(build_wav(plan(before=before, after=after)), Span(0.25, 0.5))
    told = describe(Reader(io.BytesIO(part)), len(part))
    embedded = told.metadata.embedded
    assert embedded.bext
    assert embedded.bext.time_reference == (1 << 32) + 150
    assert (embedded.bext.description, embedded.bext.coding_history) == ("DOOR", "A=PCM")
    assert told.metadata.production.scene == "7"
    assert embedded.info == {"INAM": "Door"}
    assert b"PEAK" not in part


def test_what_was_measured_of_the_whole_is_not_said_of_a_part() -> None:
    bext = tags.bext(version=2, loudness=(-2300, 500, -100, -1800, -2000))
    told = [
        describe(Reader(io.BytesIO(part)), len(part)).metadata.embedded.bext
        for span in (Span(), Span(0.25))
        for part in (cut_out(build_wav(plan(before=((b"bext", bext),))), span)[1],)
    ]
    assert [each.loudness.integrated if each and each.loudness else None for each in told] == [
        -23.0,
        None,
    ]


@pytest.mark.parametrize("container", ["RIFF", "RIFX"])
def test_loops_that_lie_inside_move_with_the_beginning(container: Container) -> None:
    order = ">" if container == "RIFX" else "<"
    loops = [(0, 299, 400, 0), (1, 300, 499, 3), (0, 310, 500, 0), (0, 400, 399, 0)]
    own = tags.sampler(loops, note=61, order=order)[:-4]
    after = ((b"smpl", own),)
    _, part = cut_out(build_wav(plan(container=container, after=after)), Span(0.3, 0.5))
    told = describe(Reader(io.BytesIO(part)), len(part))
    assert told.metadata.embedded.smpl == Sampler(
        unity_note=61, loops=(Loop(start=0, end=199, kind="alternating", count=3),)
    )
    assert told.findings == ()


def test_what_a_maker_wrote_behind_its_loops_goes_along() -> None:
    fields = struct.pack("<9I", 7, 8, 9, 60, 0, 0, 0, 1, 5)
    loop = struct.pack("<6I", 4, 0, 350, 400, 6, 1)
    _, part = cut_out(build_wav(plan(after=((b"smpl", fields + loop + b"maker"),))), Span(0.3))
    assert chunk(b"smpl", fields + struct.pack("<6I", 4, 0, 50, 100, 6, 1) + b"maker") in part
    _, part = cut_out(build_wav(plan(after=((b"smpl", fields + loop + b"cut"),))), Span(0.5))
    assert chunk(b"smpl", fields[:28] + bytes(8)) in part


def test_objects_and_labels_of_another_charset_go_along() -> None:
    charset = struct.pack("<4H", 932, 81, 17, 1)
    texts = tags.info({b"INAM": "扉".encode("cp932")})
    before = ((b"CSET", charset), (b"axml", b"<a/>"), (b"chna", bytes(4)), (b"DISP", bytes(6)))
    _, part = cut_out(build_wav(plan(before=before, after=((b"LIST", texts),))), Span(0.5))
    assert all(chunk(*each) in part for each in before)
    told = describe(Reader(io.BytesIO(part)), len(part))
    assert told.metadata.embedded.info == {"INAM": "扉"}


@pytest.mark.parametrize(
    ("bext", "expected"),
    [(b"x" * 301, b"x" * 301), (bytes(346), bytes(338) + b"\xfa" + bytes(7))],
)
def test_a_broadcast_extension_that_is_short_keeps_its_length(bext: bytes, expected: bytes) -> None:
    _, part = cut_out(build_wav(plan(before=((b"bext", bext),))), Span(0.25, 0.5))
    assert chunk(b"bext", expected) in part


def test_a_chunk_that_is_too_long_for_a_text_is_left_out() -> None:
    data = build_wav(plan(before=((b"iXML", b"<" * (5 << 20)),)))
    assert cut(Reader(io.BytesIO(data)), len(data), Span(0, 0.5)).pieces[0][:4] == b"RIFF"  # type: ignore[index]
    assert len(cut_out(data, Span(0, 0.5))[1]) < 4000


# ---- headers that are wrong, and sizes that are large


@pytest.mark.parametrize(
    "form",
    [
        fmt_chunk(channels=1, samplerate=RATE, block_align=1, byte_rate=1),
        fmt_chunk(channels=1, samplerate=RATE, bits=0, block_align=2),
        chunk(b"fmt ", fmt_chunk(channels=1, samplerate=RATE)[8:22]),
        fmt_chunk(channels=1, samplerate=RATE, extension=b"\xff\xff" + bytes(10)),
        fmt_chunk(channels=1, samplerate=RATE, extension=b"\0"),
        fmt_chunk(channels=1, samplerate=RATE, extension=b"\0\0" + bytes(100)),
    ],
)
def test_what_is_wrong_in_the_original_is_right_in_the_region(form: bytes) -> None:
    sound = wavs.build_wav(plan(channels=1))[44:]
    _, part = cut_out(riff(form, chunk(b"data", sound)), Span(0.1, 0.3))
    assert payload(part) == sound[200:600]
    assert samples(part).shape == (200, 1)


def test_sound_that_was_cut_off_is_cut_as_far_as_it_is_there() -> None:
    data = build_wav(plan())[: 44 + 4 * 500]
    _, part = cut_out(data, Span(0.25))
    assert payload(part) == data[44 + 1000 :]


class Huge:
    """A WAV whose sound is only told of: 6 GiB of 64 channels."""

    def __init__(self, container: Container) -> None:
        self.frames = (6 << 30) // 256
        order = ">" if container == "RIFX" else "<"
        form = fmt_chunk(channels=64, bits=32, samplerate=48_000, order=order)
        size = 256 * self.frames
        long = wavs.ds64(size + 100, size) if container == "RF64" else b""
        data = chunk(b"data", size=wavs.IN_DS64, order=order)
        self.head = riff(long, form, data, container=container, size=wavs.IN_DS64)
        self.size = len(self.head) + size

    def read(self, offset: int, count: int) -> bytes:
        return self.head[offset : offset + count].ljust(min(count, self.size - offset), b"\0")


def test_more_than_32_bits_can_tell_is_rf64() -> None:
    huge = Huge("RF64")
    region = cut(huge.read, huge.size, Span(1))
    head, sound = region.pieces
    assert isinstance(head, bytes)
    assert isinstance(sound, ByteRange)
    size = sum(map(len, region.pieces))
    assert head[:4] == b"RF64"
    assert struct.unpack_from("<QQQ", head, 20) == (size - 8, len(sound), len(region.frames))
    assert len(region.frames) == huge.frames - 48_000

    facts = probe(lambda at, count: head[at : at + count].ljust(min(count, size - at), b"\0"), size)
    assert (facts.container, facts.frames, facts.findings) == ("RF64", huge.frames - 48_000, ())


def test_a_short_part_of_rf64_is_plain_riff() -> None:
    huge = Huge("RF64")
    head = cut(huge.read, huge.size, Span(1, 2)).pieces[0]
    assert isinstance(head, bytes)
    assert head[:4] == b"RIFF"


def test_big_endian_has_no_form_for_more_than_32_bits() -> None:
    huge = Huge("RIFX")
    with pytest.raises(BadRequestError, match="shorter region"):
        cut(huge.read, huge.size, Span(0))
    assert cut(huge.read, huge.size, Span(0, 1)).frames == range(48_000)
