"""Names as people give them, made harmless and sortable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared.names import (
    MAX_BYTES,
    clean_folder,
    clean_name,
    is_repository,
    numbered,
    sort_key,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("take1.wav", "take1.wav"),
        ("C:\\takes\\take1.wav", "take1.wav"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nb\0.wav", "ab.wav"),
        ("a\u202egpj.wav", "agpj.wav"),
        ("cafe\u0301.wav", "café.wav"),
        ("  padded.wav ", "padded.wav"),
        ("..", ""),
        ("a/", ""),
        ("", ""),
        ("\ud800.wav", ".wav"),
        ("y" * 300 + ".wav", "y" * 251 + ".wav"),
        ("ü" * 150 + ".wav", "ü" * 125 + ".wav"),
        ("a." + "b" * 300, "a." + "b" * 253),
    ],
)
def test_a_name_is_the_last_part_without_what_deceives(text: str, expected: str) -> None:
    assert clean_name(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a/b", "a/b"), ("/a//b/", "a/b"), ("a\\b", "a/b"), ("../a/./..", "a"), ("", "")],
)
def test_a_folder_never_leads_upwards(text: str, expected: str) -> None:
    assert clean_folder(text) == expected


@given(st.text())
def test_whatever_is_given_the_name_is_short_and_one_part(text: str) -> None:
    name = clean_name(text)
    assert len(name.encode()) <= MAX_BYTES
    assert "/" not in name
    assert "\\" not in name
    assert name not in (".", "..")
    assert clean_name(name) == name
    assert ".." not in clean_folder(text).split("/")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("take1.wav", "take1 (2).wav"),
        ("no ending", "no ending (2)"),
        (".hidden", ".hidden (2)"),
        ("a.b.wav", "a.b (2).wav"),
    ],
)
def test_the_number_stands_before_the_ending(name: str, expected: str) -> None:
    assert numbered(name, 2) == expected


def test_a_numbered_name_is_not_too_long() -> None:
    long = "ü" * 125 + ".wav"
    assert len(numbered(long, 12).encode()) <= MAX_BYTES
    assert numbered(long, 12).endswith(" (12).wav")


def test_names_sort_as_people_expect() -> None:
    names = ["take 10", "Take 2", "take 002b", "äther", "Zoo", "take"]
    assert sorted(names, key=sort_key) == ["take", "Take 2", "take 002b", "take 10", "Zoo", "äther"]


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("main", True),
        ("A.b-c_9", True),
        ("", False),
        ("-a", False),
        ("a/b", False),
        ("a" * 101, False),
    ],
)
def test_repositories_have_plain_names(name: str, fine: bool) -> None:
    assert is_repository(name) is fine
