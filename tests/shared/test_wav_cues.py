"""Markers, regions, loops and texts of lists, right and wrong."""

from __future__ import annotations

import struct

import pytest

from sonoteca_shared.models import Loop, Marker, Sampler
from sonoteca_shared.wav import cues, info, riff, sampler
from tests.judge import tags
from tests.kit.wavs import chunk


def parts(payload: bytes, order: str = "<") -> list[tuple[bytes, bytes]]:
    return [
        (name, payload[start : start + size])
        for name, start, size in riff.sub_chunks(payload, order)
    ]


def read(
    cue: bytes, adtl: bytes = b"", *, order: str = "<", codec: str = "cp1252"
) -> tuple[tuple[Marker, ...], list[str]]:
    """The markers of a sound of one second at 1,000 Hz."""
    found: list[str] = []
    labels = cues.Labels()
    cues.read_labels(
        parts(b"adtl" + adtl, order), labels, order=order, find=found.append, codec=codec
    )
    known = cues.read_cues(cue, order=order, find=found.append)
    told = cues.markers(known, labels, samplerate=1000, frames=1000, find=found.append)
    return told, found


@pytest.mark.parametrize("order", ["<", ">"])
def test_markers_and_regions_are_told_in_seconds(order: str) -> None:
    adtl = (
        tags.label(1, b"One", order=order)
        + tags.label(2, "Zwölf".encode(), kind=b"note", order=order)
        + tags.region(2, 250, order=order)
        + chunk(b"file", b"abc", order=order)
    )
    told, found = read(tags.cues({2: 500, 1: 100}, order=order), adtl, order=order)
    assert told == (
        Marker(at=0.1, label="One"),
        Marker(at=0.5, length=0.25, note="Zwölf"),
    )
    assert found == []


def test_a_region_may_bring_its_label_and_its_charset() -> None:
    adtl = tags.region(1, 10, "Дверь".encode("cp1251"), codepage=1251) + tags.region(1, 99)
    assert read(tags.cues({1: 0}), adtl)[0] == (Marker(at=0.0, length=0.01, label="Дверь"),)


def test_a_cue_that_only_has_a_place_in_the_playlist_stands_there() -> None:
    payload = struct.pack("<III4sIII", 1, 7, 300, b"data", 0, 0, 0)
    assert read(payload)[0] == (Marker(at=0.3),)


@pytest.mark.parametrize(
    ("cue", "adtl", "count", "found"),
    [
        (b"", b"", 0, ["cue.short"]),
        (tags.cues({1: 5}, claimed=2), b"", 1, ["cue.short"]),
        (tags.cues({1: 5, 2: 6}, claimed=1), b"", 1, []),
        (tags.cues({1: 5}, claimed=0xFFFFFFFF), b"", 1, ["cue.too-many"]),
        (tags.cues({1: 5}, claimed=2) + tags.cues({1: 6})[4:], b"", 1, ["cue.repeated"]),
        (tags.cues({1: 1001}), b"", 1, ["cue.beyond-end"]),
        (tags.cues({1: 999}), tags.region(1, 5), 1, ["cue.beyond-end"]),
        (tags.cues({1: 5}), tags.label(2, b"Two"), 1, ["adtl.no-cue"]),
        (tags.cues({1: 5}), chunk(b"labl", b"abc") + chunk(b"ltxt", b""), 1, ["adtl.short"] * 2),
    ],
)
def test_what_is_wrong_with_cues_is_told(
    cue: bytes, adtl: bytes, count: int, found: list[str]
) -> None:
    told, codes = read(cue, adtl)
    assert (len(told), codes) == (count, found)


def read_info(payload: bytes) -> tuple[dict[str, str], list[str]]:
    found: list[str] = []
    told: dict[str, str] = {}
    info.read_info(parts(payload), told, find=found.append, codec="cp1252")
    return told, found


def test_info_is_told_by_its_letters() -> None:
    payload = tags.info({b"INAM": b"Door", b"IART": b"Fran\xe7ois", b"ICMT": b""})
    assert read_info(payload) == ({"INAM": "Door", "IART": "François"}, [])


def test_the_first_field_of_a_name_counts() -> None:
    payload = tags.info({b"INAM": b"One"}) + tags.info({b"INAM": b"Two"})[4:]
    assert read_info(payload) == ({"INAM": "One"}, [])


def test_info_without_padding_is_read_all_the_same() -> None:
    payload = b"INFO" + chunk(b"INAM", b"abc", pad=False) + chunk(b"IART", b"me\0")
    assert read_info(payload) == ({"INAM": "abc", "IART": "me"}, [])


def test_names_that_are_none_and_fields_without_end_are_told() -> None:
    assert read_info(tags.info({b"\0\0\0\0": b"x", b"\xff\xff\xff\xff": b"x"})) == (
        {},
        ["info.malformed"] * 2,
    )
    many = {f"{number:04}".encode(): b"x" for number in range(info.MAX_FIELDS + 5)}
    told, found = read_info(tags.info(many))
    assert (len(told), found) == (info.MAX_FIELDS, ["info.too-many"])


def test_a_field_that_claims_more_than_there_is_is_cut() -> None:
    assert read_info(b"INFO" + chunk(b"INAM", b"abcd", size=1 << 31)) == ({"INAM": "abcd"}, [])
    assert read_info(b"INFO" + b"INAM\4") == ({}, [])


def read_sampler(payload: bytes, order: str = "<") -> tuple[Sampler | None, list[str]]:
    found: list[str] = []
    return sampler.read_sampler(payload, order=order, frames=100, find=found.append), found


@pytest.mark.parametrize("order", ["<", ">"])
def test_tells_note_and_loops(order: str) -> None:
    loops = [(0, 0, 99, 0), (1, 10, 20, 3), (2, 30, 40, 1), (32, 50, 60, 0)]
    payload = tags.sampler(loops, note=69, fraction=1 << 31, order=order)
    assert read_sampler(payload, order) == (
        Sampler(
            unity_note=69,
            pitch_fraction=0.5,
            loops=(
                Loop(start=0, end=99, kind="forward", count=0),
                Loop(start=10, end=20, kind="alternating", count=3),
                Loop(start=30, end=40, kind="backward", count=1),
                Loop(start=50, end=60, kind="kind-32", count=0),
            ),
        ),
        [],
    )


@pytest.mark.parametrize(
    ("payload", "loops", "found"),
    [
        (bytes(35), None, ["smpl.short"]),
        (tags.sampler([(0, 0, 9, 0)], claimed=2), 1, ["smpl.short"]),
        (tags.sampler([(0, 0, 9, 0)], claimed=1 << 31), 1, ["smpl.too-many"]),
        (tags.sampler([(0, 0, 100, 0)]), 1, ["smpl.beyond-end"]),
        (tags.sampler([(0, 9, 8, 0)]), 1, ["smpl.beyond-end"]),
        (tags.sampler(note=128), 0, ["smpl.note"]),
    ],
)
def test_what_is_wrong_with_loops_is_told(
    payload: bytes, loops: int | None, found: list[str]
) -> None:
    told, codes = read_sampler(payload)
    assert (len(told.loops) if told else None, codes) == (loops, found)
