"""What iXML says, and how little its XML is trusted."""

from __future__ import annotations

import pytest

from sonoteca_shared.models import Element, Ixml, Production, Timecode, Track
from sonoteca_shared.wav import ixml
from sonoteca_shared.wav.text import MAX_TEXT
from sonoteca_shared.wav.xmltree import MAX_DEPTH, MAX_ELEMENTS, MAX_NAME
from tests.judge import tags


def read(payload: bytes, codec: str = "cp1252") -> tuple[Ixml | None, list[str]]:
    found: list[str] = []
    return ixml.read_ixml(payload, find=found.append, codec=codec), sorted(set(found))


def whole(payload: bytes) -> Ixml:
    """What a payload says that has nothing odd."""
    told, found = read(payload)
    assert found == []
    assert told is not None
    return told


def test_tells_the_production_and_keeps_what_it_does_not_know() -> None:
    told = whole(
        tags.ixml(
            "<IXML_VERSION>1.5</IXML_VERSION><PROJECT>BMH</PROJECT><SCENE>A101</SCENE><TAKE>1</TAKE>"
            "<TAPE>T</TAPE><NOTE> Wind &amp; rain </NOTE><CIRCLED>TRUE</CIRCLED><UBITS>1</UBITS>"
            "<FILE_UID>U</FILE_UID><FILE_SET><FAMILY_UID>F</FAMILY_UID><FAMILY_NAME>N</FAMILY_NAME>"
            "</FILE_SET><USER>a<B>b</B></USER><SCENE>ignored</SCENE>"
        )
        + bytes(100)
    )
    assert told == Ixml(
        version="1.5",
        project="BMH",
        scene="A101",
        take="1",
        tape="T",
        note="Wind & rain",
        circled=True,
        ubits="1",
        file_uid="U",
        family_uid="F",
        family_name="N",
        other=(Element(name="USER", text="a", elements=(Element(name="B", text="b"),)),),
    )
    assert ixml.production(told) == Production(
        project="BMH", scene="A101", take="1", tape="T", note="Wind & rain"
    )


def test_tells_the_tracks() -> None:
    told = whole(
        tags.ixml(
            "<TRACK_LIST><TRACK_COUNT>3</TRACK_COUNT>"
            "<TRACK><CHANNEL_INDEX>4</CHANNEL_INDEX><INTERLEAVE_INDEX>1</INTERLEAVE_INDEX>"
            "<NAME>Boom</NAME><FUNCTION>M-MID_SIDE</FUNCTION></TRACK>"
            "<TRACK><NAME>Lav</NAME></TRACK>"
            "<TRACK><CHANNEL_INDEX>first</CHANNEL_INDEX><INTERLEAVE_INDEX>3</INTERLEAVE_INDEX></TRACK>"
            "</TRACK_LIST><CIRCLED>perhaps</CIRCLED>"
        )
    )
    assert told.tracks == (
        Track(index=4, name="Boom", function="M-MID_SIDE", channel=1),
        Track(index=2, name="Lav"),
        Track(index=3, name=""),
    )
    assert told.circled is None


@pytest.mark.parametrize(
    ("low", "high", "reference"),
    [
        ("2190940753", "0000000000", 2_190_940_753),
        ("-1940552340", "0", 2_354_414_956),
        ("5", "1", (1 << 32) + 5),
        ("5", "", 5),
        ("5", "-1", None),
        ("5", "4294967295", None),
        ("many", "0", None),
        ("", "1", None),
    ],
)
def test_tells_samples_since_midnight(low: str, high: str, reference: int | None) -> None:
    name = "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT"
    told = whole(
        tags.ixml(f"<SPEED><{name}_LO>{low}</{name}_LO><{name}_HI>{high}</{name}_HI></SPEED>")
    )
    assert told.time_reference == reference


@pytest.mark.parametrize(
    ("speed", "reference", "timecode"),
    [
        ("", None, None),
        ("", 48, Timecode(time_reference=48)),
        (
            "<TIMECODE_RATE>30000/1001</TIMECODE_RATE><TIMECODE_FLAG>DF</TIMECODE_FLAG>",
            None,
            Timecode(time_reference=0, rate="30000/1001", drop=True),
        ),
    ],
)
def test_tells_the_timecode(speed: str, reference: int | None, timecode: Timecode | None) -> None:
    assert ixml.timecode(whole(tags.ixml(f"<SPEED>{speed}</SPEED>")), reference) == timecode


@pytest.mark.parametrize(
    ("payload", "codec"),
    [
        (tags.ixml("<NOTE>Größe</NOTE>"), "cp1252"),
        (b"\xef\xbb\xbf" + tags.ixml("<NOTE>Größe</NOTE>"), "cp1252"),
        (tags.ixml("<NOTE>Größe</NOTE>", declaration="").decode().encode("utf-16"), "cp1252"),
        (tags.ixml("<NOTE>Größe</NOTE>").decode().encode("cp1252"), "cp1252"),
        (
            tags.ixml("<NOTE>Größe</NOTE>", declaration='<?xml version="1.0" encoding="latin1"?>')
            .decode()
            .encode("latin-1"),
            "cp1251",
        ),
        (b"\n  " + tags.ixml("<NOTE>Größe</NOTE>", declaration=""), "cp1252"),
    ],
)
def test_reads_it_in_whichever_charset_it_is(payload: bytes, codec: str) -> None:
    told, found = read(payload, codec)
    assert told is not None
    assert (told.note, found) == ("Größe", [])


@pytest.mark.parametrize(
    ("payload", "scene", "found"),
    [
        (tags.ixml("<SCENE>1</SCENE><NOTE>a & b</NOTE>"), "1", ["ixml.malformed"]),
        (tags.ixml("<SCENE>1</SCENE>")[:-5], "1", ["ixml.malformed"]),
        (tags.ixml("<SCENE>1</SCENE>") + b"<more/>", "1", ["ixml.malformed"]),
        (tags.ixml("<SCENE>&#0;</SCENE>"), "", ["ixml.malformed"]),
        (b"<ALBUM><SCENE>1</SCENE></ALBUM>", "1", ["ixml.root"]),
        (b"", None, ["ixml.malformed"]),
        (b"no XML at all", None, ["ixml.malformed"]),
        (bytes(50), None, ["ixml.malformed"]),
    ],
)
def test_what_breaks_off_is_kept_as_far_as_it_goes(
    payload: bytes, scene: str | None, found: list[str]
) -> None:
    told, codes = read(payload)
    assert (told.scene if told else None, codes) == (scene, found)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">',
        '<!DOCTYPE a [<!ENTITY % b SYSTEM "file:///etc/hostname"> %b;]>',
    ],
)
def test_document_types_are_refused(doctype: str) -> None:
    assert read(tags.ixml("<NOTE>&c;</NOTE>", declaration=doctype)) == (None, ["ixml.doctype"])


def test_depth_and_number_of_elements_have_an_end() -> None:
    deep = tags.ixml("<A>" * 50_000 + "</A>" * 50_000 + "<SCENE>1</SCENE>")
    told, found = read(deep)
    assert told is not None
    assert (told.scene, found) == ("1", ["ixml.too-deep"])
    depth, element = 1, told.other[0]
    while element.elements:
        depth, element = depth + 1, element.elements[0]
    assert depth == MAX_DEPTH - 1
    told, found = read(tags.ixml("<A>a</A>" * (MAX_ELEMENTS + 10)))
    assert told is not None
    assert (len(told.other), found) == (MAX_ELEMENTS - 1, ["ixml.too-many"])


def test_names_and_texts_have_an_end() -> None:
    long = "N" * 5000
    told, found = read(tags.ixml(f"<NOTE>{'x' * MAX_TEXT}yy</NOTE><{long}/>"))
    assert told is not None
    assert (len(told.note), len(told.other[0].name), found) == (MAX_TEXT, MAX_NAME, ["text.cut"])
