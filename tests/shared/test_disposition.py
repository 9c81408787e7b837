"""Names in Content-Disposition, as they are written and as they are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared.disposition import attachment, parse_filename


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('attachment; filename="a b.wav"', "a b.wav"),
        ("attachment; filename=a.wav", "a.wav"),
        ("attachment;FileName = a.wav ; size=3", "a.wav"),
        ('form-data; name="f"; filename="a\\"b\\\\c.wav"', 'a"b\\c.wav'),
        ('attachment; filename="C:\\takes\\a.wav"', "C:\\takes\\a.wav"),
        ("attachment; filename*=UTF-8''caf%C3%A9.wav", "café.wav"),
        ("attachment; filename*=iso-8859-1'en'caf%E9.wav", "café.wav"),
        ("attachment; filename=\"plain.wav\"; filename*=utf-8''caf%C3%A9.wav", "café.wav"),
        ("attachment; filename*=utf-8''b.wav; filename=a.wav", "b.wav"),
        ("attachment; filename*=bogus''%ff; filename=a.wav", "a.wav"),
        ("attachment; filename*=nothing", None),
        ("inline", None),
        ("", None),
        ("; ; =;", None),
        ('attachment; filename=""', None),
    ],
)
def test_reads_the_name(field: str, expected: str | None) -> None:
    assert parse_filename(field) == expected


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_what_is_written_is_read_again(name: str) -> None:
    field = attachment(name)
    assert field.isascii()
    assert parse_filename(field) == name


@given(st.text())
def test_whatever_is_sent_is_read_or_not(field: str) -> None:
    parse_filename(field)
