"""What a WAV says of itself is in what is made of it, and is true of that; others read it too."""

from __future__ import annotations

import io
import os
import struct
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import soundfile
from msgspec.structs import replace

from sonoteca_shared.models import Loop, Marker, Metadata
from sonoteca_shared.wav import Description, describe, probe
from tests.judge import sndfile, tags
from tests.kit.converting import convert, decoded, tone
from tests.kit.engines import require
from tests.kit.http import serve
from tests.kit.wavs import Chunks

pytestmark = [pytest.mark.timeout(120)]

SPEED = (
    "<SPEED><FILE_SAMPLE_RATE>48000</FILE_SAMPLE_RATE><AUDIO_BIT_DEPTH>24</AUDIO_BIT_DEPTH>"
    "<DIGITIZER_SAMPLE_RATE>48000</DIGITIZER_SAMPLE_RATE>"
    "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>"
    "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>480000</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>"
    "<TIMESTAMP_SAMPLE_RATE>48000</TIMESTAMP_SAMPLE_RATE></SPEED>"
)
TRACKS = "<TRACK_LIST><TRACK><CHANNEL_INDEX>1</CHANNEL_INDEX><NAME>Boom</NAME></TRACK></TRACK_LIST>"
IXML = tags.ixml(f"<SCENE>7</SCENE><OWN><THING>é</THING></OWN>{SPEED}{TRACKS}")
LABELS = (
    b"adtl"
    + tags.label(1, b"before")
    + tags.label(2, "Türe".encode())
    + tags.label(2, b"a note", kind=b"note")
    + tags.region(2, 12_000, b"slam")
    + tags.region(3, 48_000)
)
BEFORE: Chunks = (
    (b"bext", tags.bext(time_reference=480_000, history=b"A=PCM,F=48000\r\n")),
    (b"iXML", IXML),
)
AFTER: Chunks = (
    (b"cue ", tags.cues({1: 23_999, 2: 24_000, 3: 60_001, 4: 72_000})),
    (b"LIST", LABELS),
    (b"LIST", tags.info({b"INAM": b"Door", b"IXYZ": b"of our own"})),
    (b"smpl", tags.sampler([(0, 30_000, 35_999, 2), (0, 70_000, 72_000, 0)], note=62)),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("ffmpeg")
    with serve(tmp_path_factory.mktemp("convert")) as address:
        yield address


def made(server: str, data: bytes, **options: str) -> bytes:
    answer = convert(server, data, **({"format": "wav"} | options))
    assert answer.status_code == 200, answer.text
    return answer.content


def told_of(data: bytes) -> Description:
    return describe(lambda at, count: data[at : at + count], len(data))


def full(**plan: Any) -> bytes:
    return tone(**({"seconds": 2.0, "bits": 24, "before": BEFORE, "after": AFTER} | plan))


PART = {"samplerate": "44100", "bitdepth": "16", "start": "0.5", "end": "1.5"}


def test_markers_loops_and_times_are_where_they_were(server: str, tmp_path: Path) -> None:
    result = made(server, full(), **PART)
    told = told_of(result)
    assert (told.facts.frames, told.findings) == (44_100, ())
    assert told.metadata.markers == (
        Marker(at=0.0, length=0.25, label="Türe", note="a note"),
        # A stretch that goes on behind the part ends with it.
        Marker(at=33_076 / 44_100, length=11_024 / 44_100),
    )
    embedded = told.metadata.embedded
    assert embedded.smpl
    assert embedded.smpl.unity_note == 62
    # 6,000 frames at 48 kHz from a tenth and a fortieth of a second on.
    assert embedded.smpl.loops == (Loop(start=5_513, end=11_024, kind="forward", count=2),)
    assert embedded.bext
    assert (embedded.bext.time_reference, embedded.bext.coding_history) == (
        463_050,
        "A=PCM,F=48000",
    )
    assert embedded.info == {"INAM": "Door", "IXYZ": "of our own"}
    path = tmp_path / "part.wav"
    path.write_bytes(result)
    assert sndfile.cues(path) == [(0, "Türe"), (33_076, "")]
    assert sndfile.loops(path) == [(5_513, 11_025)]
    with wave.open(str(path)) as file:
        assert file.getparams()[:4] == (2, 2, 44_100, 44_100)


def test_ixml_is_true_of_the_result(server: str) -> None:
    ixml = told_of(made(server, full(), **PART)).metadata.embedded.ixml
    assert ixml
    assert (ixml.scene, ixml.tracks[0].name, ixml.time_reference) == ("7", "Boom", 463_050)
    assert ixml.other[0].elements[0].text == "é"
    assert ixml.speed == {
        "file_sample_rate": "44100",
        "audio_bit_depth": "16",
        "digitizer_sample_rate": "48000",
        "timestamp_samples_since_midnight_hi": "0",
        "timestamp_samples_since_midnight_lo": "463050",
        "timestamp_sample_rate": "44100",
    }


def test_names_of_tracks_go_when_channels_are_mixed(server: str) -> None:
    ixml = told_of(made(server, full(), channels="1")).metadata.embedded.ixml
    assert ixml
    assert (ixml.scene, ixml.tracks) == ("7", ())


def test_a_part_without_markers_has_none(server: str) -> None:
    told = told_of(made(server, full(), start="1.6", end="1.9"))
    assert told.metadata.markers == ()
    assert {"cue ", "adtl"}.isdisjoint(each.kind or each.id for each in told.chunks)
    assert told.metadata.embedded.smpl
    assert told.metadata.embedded.smpl.loops == ()


def test_nothing_of_it_changes_when_only_the_container_does(server: str) -> None:
    sent = full()
    for container in ("RF64", "BW64", "RIFX"):
        order = ">" if container == "RIFX" else "<"
        cue = (b"cue ", tags.cues({2: 24_000}, order=order))
        label = (b"LIST", b"adtl" + tags.label(2, b"Door", order=order))
        loop = (b"smpl", tags.sampler([(0, 10, 20, 0)], order=order))
        info = (b"LIST", tags.info({b"INAM": b"Door"}, order=order))
        charset = (b"CSET", struct.pack(f"{order}4H", 1252, 0, 0, 0))
        bext = (b"bext", tags.bext(time_reference=1 << 33, version=2, loudness=(-2300, 1, 1, 1, 1),
                                   order=order))  # fmt: skip
        sent = full(container=container, before=(bext,), after=(cue, label, charset, info, loop))
        told = told_of(made(server, sent))
        assert (told.facts.container, told.findings) == ("RIFF", ())
        assert told.metadata == told_of(sent).metadata


@pytest.mark.parametrize(
    ("options", "tag", "size"),
    [
        ({"bitdepth": "16"}, 1, 16),
        ({"bitdepth": "24"}, 0xFFFE, 40),
        ({"bitdepth": "float"}, 3, 18),
        ({"channels": "6"}, 0xFFFE, 40),
    ],
)
def test_the_head_says_what_the_samples_are(
    server: str, options: dict[str, str], tag: int, size: int
) -> None:
    result = made(server, full(), **options)
    at = result.index(b"fmt ")
    assert struct.unpack_from("<IH", result, at + 4) == (size, tag)
    told = soundfile.info(io.BytesIO(result))
    facts = probe(lambda start, count: result[start : start + count], len(result))
    assert (told.frames, told.samplerate, told.channels) == (96_000, 48_000, facts.channels)
    assert facts.channel_mask in (0, {2: 0x3, 6: 0x3F}[facts.channels])


def test_an_odd_number_of_bytes_is_padded(server: str) -> None:
    result = made(server, full(channels=1, seconds=0.10002), bitdepth="8", channels="1")
    told = told_of(result)
    assert (told.facts.data_size % 2, len(result) % 2, told.findings) == (1, 0, ())


@pytest.mark.parametrize("extra", [b"", b"x"])
def test_an_aiff_has_the_markers(server: str, tmp_path: Path, extra: bytes) -> None:
    label = tags.label(1, b"noon" + extra)
    after = ((b"cue ", tags.cues({1: 24_000, 2: 50_000, 3: 1})), (b"LIST", b"adtl" + label))
    path = tmp_path / "part.aiff"
    path.write_bytes(made(server, full(after=after), **(PART | {"format": "aiff"})))
    assert sndfile.cues(path) == [(0, (b"noon" + extra).decode()), (23_888, "")]
    assert soundfile.info(path).frames == 44_100
    assert int.from_bytes(path.read_bytes()[4:8]) + 8 == path.stat().st_size


HOSTILE: list[tuple[str, Chunks]] = [
    ("huge", ((b"iXML", b"<" * (5 << 20)), (b"bext", b"x" * (5 << 20)), (b"_PMX", bytes(5 << 20)))),
    ("not well formed", ((b"iXML", tags.ixml("<SCENE>7</scene>")),)),
    ("bomb", ((b"iXML", tags.ixml("&a;", declaration='<!DOCTYPE a [<!ENTITY a "b">]>')),)),
    ("deep", ((b"iXML", tags.ixml("<A>" * 9_999)),)),
    ("empty", ((b"iXML", b""), (b"bext", b""), (b"cue ", b""), (b"smpl", b""), (b"LIST", b""))),
    ("short", ((b"bext", bytes(347)), (b"cue ", b"\1\0"), (b"smpl", bytes(35)), (b"CSET", b"\1"))),
    ("boastful", ((b"cue ", tags.cues({1: 5}, claimed=(1 << 32) - 1)),
                  (b"smpl", tags.sampler([(0, 1, 2, 0)], claimed=(1 << 32) - 1)),
                  (b"LIST", b"adtl" + tags.region(1, (1 << 32) - 1) + b"labl\xff\xff\xff\xff"))),
    ("many", ((b"cue ", tags.cues(dict.fromkeys(range(10_001), 4))),
              (b"LIST", b"adtl" + tags.label(1, b"x") * 60_000))),
    ("beyond", ((b"cue ", tags.cues({1: (1 << 32) - 1})),
                (b"smpl", tags.sampler([(9, (1 << 32) - 1, 0, 0)])))),
    ("odd", ((b"LIST", b"INFO" + b"\xff\0\1\2" + bytes(3)), (b"LIST", b"adtl" + bytes(9)))),
]  # fmt: skip


@pytest.mark.parametrize(("chunks", "form"), [
    pytest.param(chunks, form, id=f"{name}-{form}")
    for name, chunks in HOSTILE for form in ("wav", "aiff")
])  # fmt: skip
def test_what_cannot_be_understood_is_left_out_and_the_sound_is_there(
    server: str, chunks: Chunks, form: str
) -> None:
    sent = full(before=chunks[:1], after=chunks[1:])
    result = made(server, sent, samplerate="96000", format=form)
    assert len(decoded(result)[0]) == 192_000
    if form == "wav":
        assert [each for each in told_of(result).findings if each.severity == "error"] == []
        assert len(result) - 192_000 * 6 < 2 << 20


def test_what_is_behind_the_sound_goes_along_from_a_fast_line_too(server: str) -> None:
    sent = full(seconds=40.0, sound="silence")  # 11.5 MB, enough for a head start
    answer = requests.post(f"{server}/convert?format=wav&bitdepth=16", data=sent, timeout=60)
    assert len(told_of(answer.content).metadata.markers) == 4


def test_a_copy_of_a_sound_of_the_library_has_them_too(server: str) -> None:
    sound = requests.post(f"{server}/post?name=a.wav", data=full(), timeout=30).json()
    address = f"{server}/api/v1/sounds/{sound['id']}/file?format=wav&samplerate=44100"
    told = told_of(requests.get(address, timeout=60).content)
    assert [round(each.at, 3) for each in told.metadata.markers] == [0.5, 0.5, 1.25, 1.5]
    assert told.findings == ()


def recordings() -> list[Path]:
    """The recordings of others in the folder that SONOTECA_TEST_WAVS names."""
    folder = os.environ.get("SONOTECA_TEST_WAVS", "")
    files = Path(folder).iterdir() if folder else ()
    return sorted(path for path in files if path.suffix.lower() == ".wav")


@pytest.mark.skipif(not recordings(), reason="SONOTECA_TEST_WAVS names no folder with recordings")
def test_real_recordings_keep_what_they_say(server: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.wav"
    for path in recordings():
        sent = path.read_bytes()
        copy.write_bytes(made(server, sent, bitdepth="float", samplerate="96000"))
        old, new = told_of(sent), told_of(copy.read_bytes())
        scale = 96_000 / old.facts.samplerate
        assert (new.findings, new.facts.frames) == ((), round(old.facts.frames * scale)), path.name
        assert outline(new.metadata) == outline(old.metadata), path.name
        # A list in lower case is not one to libsndfile, so that only we read its names.
        places = [round(at * scale) for at, _ in sndfile.cues(path)]
        assert [at for at, _ in sndfile.cues(copy)] == places, path.name


def outline(told: Metadata) -> tuple[Any, ...]:
    """What does not change with the rate."""
    embedded = told.embedded
    loops = [(loop.kind, loop.count) for loop in embedded.smpl.loops] if embedded.smpl else None
    return (
        [
            (round(each.at, 3), round(each.length, 3), each.label, each.note)
            for each in told.markers
        ],
        (told.production, told.tracks, told.recorded, embedded.info, embedded.id3, loops),
        embedded.ixml and [each for each in embedded.ixml.other if each.name == "HISTORY"],
        embedded.bext and replace(embedded.bext, time_reference=0),
    )
