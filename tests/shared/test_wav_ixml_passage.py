"""IXML of a passage: what would not be true any more is changed or goes, all else stays."""

from __future__ import annotations

from typing import Any

import pytest

from sonoteca_shared.wav.ixml_passage import move_ixml
from sonoteca_shared.wav.passage import Passage
from tests.judge.tags import ixml

GIVEN: dict[str, Any] = {"frames": range(48_000, 96_000), "samplerate": 48_000}


def moved(body: str, **passage: Any) -> str:
    """What becomes of these elements, for a second from the first one on at 44,100 Hz."""
    told = GIVEN | {"target_rate": 44_100} | passage
    raw = move_ixml(ixml(body), Passage(**told), "cp1252")
    assert raw is not None
    return raw.decode().partition("<BWFXML>")[2].removesuffix("</BWFXML>")


def midnight(low: str, high: str = "0") -> str:
    name = "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT"
    return f"<{name}_HI>{high}</{name}_HI><{name}_LO>{low}</{name}_LO>"


def point(at: str, kind: str = "RELATIVE", more: str = "") -> str:
    return (
        f"<SYNC_POINT><SYNC_POINT_TYPE>{kind}</SYNC_POINT_TYPE><SYNC_POINT_LOW>{at}"
        f"</SYNC_POINT_LOW><SYNC_POINT_HIGH>0</SYNC_POINT_HIGH>{more}</SYNC_POINT>"
    )


STAYS = [
    "<PROJECT>A &amp; B</PROJECT>\r\n\t<!-- SPEED --><NOTE a='>'>é</NOTE><USER/>",
    "<OTHER><FILE_SAMPLE_RATE>48000</FILE_SAMPLE_RATE><FILE_UID>1</FILE_UID></OTHER>",
    "<SPEED><DIGITIZER_SAMPLE_RATE>48000</DIGITIZER_SAMPLE_RATE><NOTE>48000</NOTE></SPEED>",
    "<SPEED><FILE_SAMPLE_RATE></FILE_SAMPLE_RATE><AUDIO_BIT_DEPTH/></SPEED>",
    f"<SPEED>{midnight('', '')}</SPEED>",
    "<BEXT><BWF_TIME_REFERENCE_LOW/><BWF_LOUDNESS_VALUE>-23</BWF_LOUDNESS_VALUE></BEXT>",
    "<TRACK_LIST><TRACK_COUNT>2</TRACK_COUNT></TRACK_LIST><LOUDNESS>1</LOUDNESS>",
    "<FILE_SET><FAMILY_UID>A1</FAMILY_UID></FILE_SET>",
]
CHANGES = [
    ("<SPEED><FILE_SAMPLE_RATE>48000</FILE_SAMPLE_RATE></SPEED>",
     "<SPEED><FILE_SAMPLE_RATE>44100</FILE_SAMPLE_RATE></SPEED>"),
    ("<speed><file_sample_rate>48000</file_sample_rate></speed>",
     "<speed><file_sample_rate>44100</file_sample_rate></speed>"),
    ("<SPEED><FILE_SAMPLE_RATE>fast</FILE_SAMPLE_RATE></SPEED>", "<SPEED></SPEED>"),
    ("<SPEED><FILE_SAMPLE_RATE><A/></FILE_SAMPLE_RATE></SPEED>", "<SPEED></SPEED>"),
    (f"<SPEED>{midnight('0048000')}</SPEED>", f"<SPEED>{midnight('88200')}</SPEED>"),
    (f"<SPEED>{midnight('-48000', '1')}</SPEED>", f"<SPEED>{midnight('3597035110', '1')}</SPEED>"),
    (f"<SPEED>{midnight('noon')}</SPEED>", "<SPEED></SPEED>"),
    (f"<SPEED>{midnight('1', '-5')}</SPEED>", "<SPEED></SPEED>"),
    (f"<SPEED>{midnight('1', '2147483648')}</SPEED>", "<SPEED></SPEED>"),
    ("<BEXT><BWF_TIME_REFERENCE_LOW>48000</BWF_TIME_REFERENCE_LOW></BEXT>",
     "<BEXT><BWF_TIME_REFERENCE_LOW>88200</BWF_TIME_REFERENCE_LOW></BEXT>"),
    ("<BEXT><BWF_TIME_REFERENCE_LOW>4294967295</BWF_TIME_REFERENCE_LOW></BEXT>",
     "<BEXT><BWF_TIME_REFERENCE_LOW>3946045302</BWF_TIME_REFERENCE_LOW></BEXT>"),
    (f"<SPEED>{midnight('48000')}<TIMESTAMP_SAMPLE_RATE>48000</TIMESTAMP_SAMPLE_RATE></SPEED>",
     f"<SPEED>{midnight('88200')}<TIMESTAMP_SAMPLE_RATE>44100</TIMESTAMP_SAMPLE_RATE></SPEED>"),
    # A clock of another rate goes on with that rate.
    (f"<SPEED>{midnight('96000')}<TIMESTAMP_SAMPLE_RATE>96000</TIMESTAMP_SAMPLE_RATE></SPEED>",
     f"<SPEED>{midnight('192000')}<TIMESTAMP_SAMPLE_RATE>96000</TIMESTAMP_SAMPLE_RATE></SPEED>"),
    ("<FILE_UID>A</FILE_UID><SCENE>1</SCENE>", "<SCENE>1</SCENE>"),
    ("<PRE_RECORD_SAMPLECOUNT>72000</PRE_RECORD_SAMPLECOUNT>",
     "<PRE_RECORD_SAMPLECOUNT>22050</PRE_RECORD_SAMPLECOUNT>"),
    ("<PRE_RECORD_SAMPLECOUNT>96000</PRE_RECORD_SAMPLECOUNT>", ""),
    ("<PRE_RECORD_SAMPLECOUNT>-1</PRE_RECORD_SAMPLECOUNT>", ""),
    ("<SYNC_POINT_LIST><SYNC_POINT_COUNT>4</SYNC_POINT_COUNT>"
     f"{point('72000')}{point('47999')}{point('96000')}{point('0', 'ABSOLUTE')}</SYNC_POINT_LIST>",
     "<SYNC_POINT_LIST><SYNC_POINT_COUNT>2</SYNC_POINT_COUNT>"
     f"{point('22050')}{point('0', 'ABSOLUTE')}</SYNC_POINT_LIST>"),
    (f"<SYNC_POINT_LIST>{point('480000', 'ABSOLUTE')}</SYNC_POINT_LIST>",
     f"<SYNC_POINT_LIST>{point('441000', 'ABSOLUTE')}</SYNC_POINT_LIST>"),
    ("<SYNC_POINT_LIST>" + point(
        "72000", more="<SYNC_POINT_EVENT_DURATION>99999</SYNC_POINT_EVENT_DURATION>"
     ) + "</SYNC_POINT_LIST>",
     "<SYNC_POINT_LIST>" + point(
        "22050", more="<SYNC_POINT_EVENT_DURATION>22050</SYNC_POINT_EVENT_DURATION>"
     ) + "</SYNC_POINT_LIST>"),
]  # fmt: skip


@pytest.mark.parametrize("body", STAYS)
def test_what_is_still_true_stays_byte_for_byte(body: str) -> None:
    assert moved(body) == body


@pytest.mark.parametrize(("body", "expected"), CHANGES)
def test_what_counts_frames_counts_those_of_the_new_file(body: str, expected: str) -> None:
    assert moved(body) == expected


@pytest.mark.parametrize(
    ("body", "passage", "expected"),
    [
        ("<TRACK_LIST><TRACK/></TRACK_LIST>", {"is_mixed": True}, ""),
        ("<LOUDNESS><LOUDNESS_VALUE>-23</LOUDNESS_VALUE></LOUDNESS>", {"is_as_loud": False}, ""),
        (
            "<BEXT><BWF_LOUDNESS_VALUE>-23</BWF_LOUDNESS_VALUE><BWF_UMID>1</BWF_UMID></BEXT>",
            {"is_as_loud": False},
            "<BEXT><BWF_UMID>1</BWF_UMID></BEXT>",
        ),
        (
            "<BEXT><BWF_TIME_REFERENCE_LOW>4000000000</BWF_TIME_REFERENCE_LOW></BEXT>",
            {"target_rate": 96_000},
            "<BEXT></BEXT>",
        ),
        (
            "<SPEED><AUDIO_BIT_DEPTH>24</AUDIO_BIT_DEPTH></SPEED>",
            {"target_bits": 16},
            "<SPEED><AUDIO_BIT_DEPTH>16</AUDIO_BIT_DEPTH></SPEED>",
        ),
        (
            "<SPEED><FILE_SAMPLE_RATE>48048</FILE_SAMPLE_RATE></SPEED>",
            {"target_rate": 48_000},
            "<SPEED><FILE_SAMPLE_RATE>48048</FILE_SAMPLE_RATE></SPEED>",
        ),
    ],
)
def test_what_holds_for_the_old_samples_goes(
    body: str, passage: dict[str, Any], expected: str
) -> None:
    assert moved(body, **passage) == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no xml",
        ixml("<SCENE>1"),
        ixml("<SCENE>1</scene>"),
        ixml("", declaration='<!DOCTYPE BWFXML [<!ENTITY a "b">]>'),
        ixml("<A>" * 30 + "</A>" * 30),
        ixml("<A/>" * 10_001),
    ],
)
def test_what_is_no_sound_xml_is_left_out(raw: bytes) -> None:
    assert move_ixml(raw, Passage(**GIVEN, target_rate=44_100), "cp1252") is None


@pytest.mark.parametrize(
    ("charset", "encoding"), [("UTF-16", "utf-16"), ("ISO-8859-1", "latin-1"), ("UTF-8", "utf-8")]
)
def test_a_text_in_another_charset_becomes_utf_8_and_says_so(charset: str, encoding: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{charset}"?>'
    raw = f"{declaration}<BWFXML><NOTE>Tür</NOTE></BWFXML>".encode(encoding)
    found = move_ixml(raw + bytes(40), Passage(**GIVEN, target_rate=44_100), "cp1252")
    said = '<?xml version="1.0" encoding="UTF-8"?><BWFXML><NOTE>Tür</NOTE></BWFXML>'
    assert found == said.encode()
