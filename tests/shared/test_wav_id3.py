"""Text frames of ID3 tags in WAVs, in both versions and all charsets."""

from __future__ import annotations

import struct

import pytest

from sonoteca_shared.wav import id3
from tests.judge import tags
from tests.judge.tags import frame

TITLE = frame(b"TIT2", b"\3Title")


def read(payload: bytes) -> tuple[dict[str, str], list[str], int]:
    """The texts, what is odd, and how many bytes were read."""
    found: list[str] = []
    read_bytes = 0

    def read_at(offset: int, count: int) -> bytes:
        nonlocal read_bytes
        part = payload[offset : offset + count]
        read_bytes += len(part)
        return part

    texts = id3.read_id3(read_at, len(payload), find=found.append, codec="cp1252")
    return texts, found, read_bytes


@pytest.mark.parametrize("version", [3, 4])
def test_tells_texts_in_all_charsets_and_steps_over_pictures(version: int) -> None:
    frames = [
        (b"TIT2", b"\3" + "Größe".encode()),
        (b"APIC", bytes(50_000)),
        (b"TPE1", b"\1" + "Größe".encode("utf-16")),
        (b"TPE2", b"\1\xfe\xff" + "Größe".encode("utf-16-be")),
        (b"TPE3", b"\2" + "Größe".encode("utf-16-be")),
        (b"TALB", b"\0" + "Größe".encode("latin-1") + b"\0"),
        (b"TCON", b"\3One\0Two\0"),
        (b"TXXX", b"\3Scene\x0012A"),
        (b"TXXX", b"\3\0Nameless"),
        (b"COMM", b"\3eng\0A comment"),
        (b"COMM", b"\3engby\0Another"),
        (b"TCOP", b""),
        (b"WXXX", b"\0http://127.0.0.1"),
    ]
    payload = tags.id3(*(frame(*each, version=version) for each in frames), version=version)
    texts, found, count = read(payload + bytes(20))
    assert texts == {
        "TIT2": "Größe",
        "TPE1": "Größe",
        "TPE2": "Größe",
        "TPE3": "Größe",
        "TALB": "Größe",
        "TCON": "One / Two",
        "TXXX:Scene": "12A",
        "TXXX": "Nameless",
        "COMM": "A comment",
        "COMM:by": "Another",
    }
    assert found == []
    assert count < 600


def test_a_tag_that_was_made_safe_for_players_is_undone() -> None:
    text = b"\1" + "ÿÿ".encode("utf-16")
    guarded = frame(b"TIT2", text, version=3).replace(b"\xff", b"\xff\0")
    assert read(tags.id3(guarded, version=3, flags=0x80))[:2] == ({"TIT2": "ÿÿ"}, [])
    later = struct.pack(">I", len(text)) + text.replace(b"\xff", b"\xff\0")
    assert read(tags.id3(frame(b"TIT2", later, flags=3), flags=0x80))[:2] == ({"TIT2": "ÿÿ"}, [])


@pytest.mark.parametrize(("version", "extra"), [(3, b"\0\0\0\6" + bytes(6)), (4, b"\0\0\0\6\1\0")])
def test_an_extended_header_is_stepped_over(version: int, extra: bytes) -> None:
    title = frame(b"TIT2", b"\3Title", version=version)
    payload = tags.id3(title, version=version, flags=0x40, extra=extra)
    assert read(payload)[:2] == ({"TIT2": "Title"}, [])


def test_plain_lengths_where_they_should_be_in_sevens_are_understood() -> None:
    text = b"\3" + b"x" * 199
    payload = tags.id3(frame(b"TIT2", text, version=3), TITLE)
    assert read(payload)[0] == {"TIT2": "x" * 199}


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (b"ID3\4", ["id3.malformed"]),
        (b"TAG" + bytes(125), ["id3.malformed"]),
        (tags.id3(version=2), ["id3.version"]),
        (tags.id3(TITLE, b"tit\xe9" + bytes(20)), ["id3.malformed"]),
        (tags.id3(TITLE, b"TPE1\0\0\1\0\0\0short"), ["id3.malformed"]),
        (tags.id3(TITLE, frame(b"TPE1", b"\3x", flags=8)), ["id3.frame-flags"]),
        (tags.id3(TITLE, frame(b"TPE1", b"\3" + b"x" * 70_000)), ["text.cut"]),
        (tags.id3(TITLE, *[frame(b"PRIV", b"")] * id3.MAX_FRAMES), ["id3.too-many"]),
        (tags.id3(TITLE, *[frame(b"TPE1", b"x" * 60_000)] * 18), ["id3.too-many"]),
        (tags.id3(TITLE)[:-2], ["id3.malformed"]),
        (tags.id3(), []),
    ],
)
def test_what_is_wrong_with_a_tag_is_told(payload: bytes, found: list[str]) -> None:
    assert read(payload)[1] == found


def test_frames_that_are_compressed_are_left_out_in_the_older_version_too() -> None:
    payload = tags.id3(frame(b"TPE1", b"\3x", version=3, flags=0x80), version=3)
    assert read(payload)[:2] == ({}, ["id3.frame-flags"])
