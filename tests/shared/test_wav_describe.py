"""What describe says of whole files: facts, metadata put together, chunks and findings."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.models import (
    ChunkPlace,
    Element,
    Finding,
    Marker,
    Metadata,
    Production,
    Timecode,
    Track,
)
from sonoteca_shared.wav import Description, describe, probe
from sonoteca_shared.wav.ixml import IXML_BYTES
from sonoteca_shared.wav.metadata import LIST_BYTES, LISTS_BYTES, MAX_LISTS, MAX_PARTS
from tests.judge import tags
from tests.kit import wavs
from tests.kit.wavs import Plan, chunk, fmt_chunk


def reader_of(content: bytes) -> wavs.Reader:
    return wavs.Reader(io.BytesIO(content))


def tell(*chunks: tuple[bytes, bytes], container: wavs.Container = "RIFF") -> Description:
    """The description of a second of sound at 1,000 Hz with these chunks behind it."""
    plan = Plan(samplerate=1000, frames=1000, channels=1, container=container, after=chunks)
    content = wavs.build_wav(plan)
    return describe(reader_of(content), len(content))


def codes(told: Description) -> list[str]:
    return [finding.code for finding in told.findings]


def test_a_file_that_says_nothing_has_no_metadata() -> None:
    content = wavs.build_wav()
    told = describe(reader_of(content), len(content))
    assert told.facts == probe(reader_of(content), len(content))
    assert (told.metadata, told.findings) == (Metadata(), ())
    assert [place.id for place in told.chunks] == ["fmt ", "data"]


def test_what_is_no_wav_is_refused_as_by_probe() -> None:
    with pytest.raises(NotAWavError, match="it is text"):
        describe(reader_of(wavs.BROKEN["text"]), len(wavs.BROKEN["text"]))


@pytest.mark.parametrize("container", ["RIFF", "RIFX", "RF64"])
def test_everything_is_told_in_every_container(container: wavs.Container) -> None:
    order = ">" if container == "RIFX" else "<"
    xml = tags.ixml(
        "<SCENE>1A</SCENE><SPEED><TIMECODE_RATE>25/1</TIMECODE_RATE></SPEED>"
        "<TRACK_LIST><TRACK><NAME>Boom</NAME></TRACK></TRACK_LIST>"
    )
    told = tell(
        (b"bext", tags.bext(description=b"sTAKE=7\r\nsSCENE=2B", time_reference=90, order=order)),
        (b"iXML", xml),
        (b"LIST", tags.info({b"INAM": b"Door"}, order=order)),
        (b"cue ", tags.cues({1: 100}, order=order)),
        (b"list", b"adtl" + tags.label(1, b"Slam", order=order)),
        (b"smpl", tags.sampler([(0, 0, 999, 0)], order=order)),
        (b"id3 ", tags.id3(tags.frame(b"TIT2", b"\3Door"))),
        container=container,
    )
    metadata = told.metadata
    assert told.findings == ()
    assert metadata.production == Production(scene="1A", take="7")
    assert metadata.tracks == (Track(index=1, name="Boom"),)
    assert metadata.markers == (Marker(at=0.1, label="Slam"),)
    assert metadata.timecode == Timecode(time_reference=90, rate="25/1")
    assert metadata.recorded == "2018-12-31T12:40:00"
    assert (metadata.embedded.info, metadata.embedded.id3) == ({"INAM": "Door"}, {"TIT2": "Door"})
    assert metadata.embedded.smpl is not None
    assert metadata.embedded.smpl.unity_note == 60


@pytest.mark.parametrize(
    ("chunks", "moment"),
    [
        ([(b"LIST", tags.info({b"ICRD": b"2004-05-28"}))], "2004-05-28"),
        ([(b"LIST", tags.info({b"ICRD": b"2004-05-28T10:11:12"}))], "2004-05-28T10:11:12"),
        ([(b"LIST", tags.info({b"ICRD": b"2004"}))], ""),
        ([(b"id3 ", tags.id3(tags.frame(b"TDRC", b"\x032004-05-28")))], "2004-05-28"),
        ([(b"bext", tags.bext(date=b""))], ""),
    ],
)
def test_the_first_chunk_that_knows_tells_when_it_was_recorded(
    chunks: list[tuple[bytes, bytes]], moment: str
) -> None:
    assert tell(*chunks).metadata.recorded == moment


def test_the_broadcast_extension_alone_tells_production_tracks_and_timecode() -> None:
    payload = tags.bext(description=b"sSCENE=1\r\nsTRK1=Boom", time_reference=5)
    metadata = tell((b"bext", payload)).metadata
    assert metadata.production == Production(scene="1")
    assert metadata.tracks == (Track(index=1, name="Boom"),)
    assert metadata.timecode == Timecode(time_reference=5)


def test_ixml_alone_tells_them_too() -> None:
    metadata = tell((b"iXML", tags.ixml("<TAPE>3</TAPE><X/>"))).metadata
    assert (metadata.production, metadata.tracks) == (Production(tape="3"), ())
    assert metadata.timecode is None
    assert metadata.embedded.ixml is not None
    assert metadata.embedded.ixml.other == (Element(name="X"),)


@pytest.mark.parametrize(
    ("cset", "text"),
    [
        (struct.pack("<HHHH", 1251, 0, 0, 0), "Дверь"),
        (struct.pack("<HHHH", 0, 0, 0, 0), "Äâåðü"),
        (b"\xe3", "Äâåðü"),
    ],
)
def test_the_charset_chunk_holds_wherever_it_stands(cset: bytes, text: str) -> None:
    texts = tags.info({b"INAM": "Дверь".encode("cp1251")})
    assert tell((b"LIST", texts), (b"CSET", cset)).metadata.embedded.info == {"INAM": text}


def test_chunks_are_listed_with_their_places_and_what_is_in_lists() -> None:
    content = wavs.riff(
        fmt_chunk(),
        chunk(b"data", bytes(4)),
        chunk(b"LIST", tags.info({b"INAM": b"abc", b"IART": b"d"})),
        chunk(b"LIST", b"exif" + chunk(b"ever", b"1234")),
        chunk(b"\0\xe9x ", b"ab", size=9),
    )
    told = describe(reader_of(content), len(content))
    assert told.chunks[2:4] == (
        ChunkPlace(
            id="LIST",
            offset=48,
            size=26,
            declared=26,
            kind="INFO",
            chunks=(
                ChunkPlace(id="INAM", offset=60, size=4, declared=4),
                ChunkPlace(id="IART", offset=72, size=2, declared=2),
            ),
        ),
        ChunkPlace(id="LIST", offset=82, size=16, declared=16, kind="exif"),
    )
    for place in told.chunks[2].chunks:
        assert content[place.offset : place.offset + 4].decode() == place.id
    assert "wav.trailing-bytes" in codes(told)


def test_names_that_are_no_text_are_listed_in_hex_digits() -> None:
    content = wavs.riff(chunk(b"\0\xe9x ", b"ab"), fmt_chunk(), chunk(b"data", bytes(4)))
    assert describe(reader_of(content), len(content)).chunks[0].id == "\\x00\\xe9x "


def test_findings_of_metadata_point_to_their_chunk_and_come_once() -> None:
    loops = tags.sampler(claimed=3)
    told = tell((b"smpl", loops), (b"bext", tags.bext()[:20]), (b"cue ", tags.cues({1: 5000})))
    offsets = {place.id: place.offset for place in told.chunks}
    assert set(told.findings) == {
        Finding(code="smpl.short", severity="warning", offset=offsets["smpl"]),
        Finding(code="bext.short", severity="warning", offset=offsets["bext"]),
        Finding(code="cue.beyond-end", severity="info", offset=offsets["cue "]),
    }


def test_lists_have_an_end() -> None:
    told = tell(*[(b"LIST", tags.info({b"INAM": b"Door"}))] * (MAX_LISTS + 3))
    assert codes(told) == ["list.too-many"]
    assert len(told.chunks) == 2 + MAX_LISTS + 3
    assert told.chunks[-1].chunks == ()


def test_all_lists_together_have_an_end() -> None:
    crowded = (b"LIST", b"INFO" + chunk(b"INAM") * (MAX_PARTS // 2 + 1))
    told = tell(crowded, crowded, crowded)
    assert codes(told) == ["list.too-many"]
    assert sum(len(place.chunks) for place in told.chunks) == MAX_PARTS
    long = (b"LIST", tags.info({b"ICMT": b"y" * (LIST_BYTES - 20)}))
    content = wavs.build_wav(Plan(frames=10, after=[long] * 10))
    reader = reader_of(content)
    assert set(codes(describe(reader, len(content)))) == {"text.cut", "metadata.too-long"}
    assert reader.count < LISTS_BYTES + 1000


@pytest.mark.parametrize(
    ("name", "payload", "most"),
    [
        (b"LIST", tags.info({b"INAM": b"x", b"ICMT": b"y" * 5_000_000}), LIST_BYTES),
        (b"iXML", tags.ixml("<NOTE>x</NOTE>") + b" " * 5_000_000, IXML_BYTES),
        (b"bext", tags.bext(history=b"A=PCM" * 100_000), 70_000),
    ],
)
def test_a_chunk_of_megabytes_is_read_as_far_as_it_is_worth(
    name: bytes, payload: bytes, most: int
) -> None:
    content = wavs.build_wav(Plan(frames=10, after=[(name, payload)]))
    reader = reader_of(content)
    told = describe(reader, len(content))
    assert "metadata.too-long" in codes(told)
    assert reader.count < most + 1000


def test_sound_is_never_read(tmp_path: Path) -> None:
    path = wavs.write_wav(
        tmp_path / "long.wav",
        frames=1_000_000,
        before=[(b"bext", tags.bext())],
        after=[(b"LIST", tags.info({b"INAM": b"Door"}))],
    )
    with path.open("rb") as file:
        reader = wavs.Reader(file)
        assert describe(reader, path.stat().st_size).metadata.embedded.info == {"INAM": "Door"}
        assert reader.count < 1000


def test_the_claimed_length_is_kept_beside_the_present_one() -> None:
    content = wavs.build_wav(Plan(frames=100))
    cut = probe(reader_of(content[:-150]), len(content) - 150)
    assert (cut.data_declared, cut.data_size) == (400, 250)
    unknown = wavs.riff(fmt_chunk(), chunk(b"data", bytes(40), size=0xFFFFFFFF))
    facts = probe(reader_of(unknown), len(unknown))
    assert (facts.data_declared, facts.data_size) == (None, 40)


def test_real_recordings_tell_what_their_recorders_wrote(real_wavs: Path) -> None:
    told: dict[str, Metadata] = {}
    for path in real_wavs.iterdir():
        if path.suffix.lower() == ".wav":
            with path.open("rb") as file:
                reader = wavs.Reader(file)
                description = describe(reader, path.stat().st_size)
            told[path.name] = description.metadata
            assert reader.count < 20_000
            assert all(code.startswith("wav.") for code in codes(description))
    poly = told["A101_1.WAV"]
    assert poly.production == Production(project="BMH", scene="A101", take="1", tape="18Y12M31")
    assert [track.name for track in poly.tracks] == ["MKH516 A", "Boom"]
    assert poly.timecode == Timecode(time_reference=2_190_940_753, rate="24000/1001")
    assert poly.recorded == "2018-12-31T12:40:00"
    assert told["A101_1_2.WAV"].tracks == (Track(index=2, name="Boom", channel=1),)
    zoom = told["STE-000.wav"].markers
    assert [(mark.at, mark.label) for mark in zoom] == [(0.617, "01"), (1.554, "02"), (2.525, "03")]
    edited = told["izotoperx_cues_test.wav"].markers
    assert edited[1] == Marker(
        at=5000 / 48_000, length=5000 / 48_000, label="Marker 2", note="Marker Comment 1"
    )
    assert edited[2].note.startswith("Лорем ипсум")
    assert told["new_camera bumb 1.wav"].embedded.info["ICOP"] == "© 2010 Jamie Hardt"
    assert told["new_camera bumb 1.wav"].embedded.id3["TPE1"] == "Jamie Hardt"
    loop = told["alarm_citizen_loop1_rev.wav"].embedded.smpl
    assert loop is not None
    assert loop.loops[0].kind == "backward"
    umid = told["umid.wav"].embedded.bext
    assert umid is not None
    assert umid.umid.startswith("060a2b340101010501010f10")
