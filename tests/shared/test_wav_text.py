"""Text is read in whichever charset it was written, and never without end."""

from __future__ import annotations

import pytest

from sonoteca_shared.wav.text import MAX_TEXT, codec_of, read_text


@pytest.mark.parametrize(
    ("raw", "codec", "text"),
    [
        ("Größe".encode(), "cp1252", "Größe"),
        ("Größe".encode("cp1252"), "cp1252", "Größe"),
        ("Москва".encode("cp1251"), "cp1251", "Москва"),
        ("東京".encode("cp932"), "cp932", "東京"),
        (b"undefined \x81", "cp1252", "undefined \ufffd"),
        (b" A name \r\n\0rubbish\xff", "cp1252", "A name"),
        (b"", "cp1252", ""),
    ],
)
def test_text_is_utf8_or_else_what_the_file_says(raw: bytes, codec: str, text: str) -> None:
    found: list[str] = []
    assert (read_text(raw, found.append, codec), found) == (text, [])


@pytest.mark.parametrize("extra", range(4))
def test_text_is_cut_between_characters(extra: int) -> None:
    found: list[str] = []
    text = read_text(b"x" * extra + "…".encode() * MAX_TEXT, found.append)
    assert MAX_TEXT - 3 < len(text.encode()) <= MAX_TEXT
    assert set(text[extra:]) == {"…"}
    assert found == ["text.cut"]


@pytest.mark.parametrize(
    ("page", "codec"),
    [
        (1252, "cp1252"),
        (65001, "utf-8"),
        (28591, "latin-1"),
        (932, "cp932"),
        (0, None),
        (1200, None),
        (65000, None),
        (37, None),
    ],
)
def test_only_harmless_code_pages_are_known(page: int, codec: str | None) -> None:
    assert codec_of(page) == codec
    assert "".encode(codec or "utf-8") == b""
