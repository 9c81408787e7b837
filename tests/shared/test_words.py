"""Words as they are searched, ids, digests, paths and header fields."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared import routes
from sonoteca_shared.digests import etag, is_digest, repr_digest
from sonoteca_shared.disposition import attachment
from sonoteca_shared.ids import is_id, new_id
from sonoteca_shared.query import searchable, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Café walla, Lisbon", ["cafe", "walla", "lisbon"]),
        ("DOORWood_Metal-door.wav", ["doorwood", "metal", "door", "wav"]),
        ("Straße №5", ["strasse", "no5"]),
        ("100% '\" OR 1=1 --", ["100", "or", "1", "1"]),
        ("", []),
    ],
)
def test_words_are_folded_and_harmless(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_each_word_can_be_found_by_its_beginning() -> None:
    column = searchable("Rain on_roof.wav", "a Café")
    assert all(f" {word}" in column for word in ("rain", "ro", "caf", "wav"))
    assert " oof" not in column


def test_ids_sort_by_time_and_have_their_version() -> None:
    ids = [new_id(now_ns=1_700_000_000_000_000_000 + step * 1_000) for step in range(2_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert all(is_id(one) for one in ids)
    assert all(one[14] == "7" and one[19] in "89ab" for one in ids)
    assert is_id(new_id())


@pytest.mark.parametrize("text", ["", "x", new_id().upper(), new_id() + "0", new_id()[:-1]])
def test_what_is_no_id_is_none(text: str) -> None:
    assert not is_id(text)


def test_a_digest_as_tag_and_as_field() -> None:
    sha256 = hashlib.sha256(b"").hexdigest()
    assert etag(sha256) == f'"sha256-{sha256}"'
    assert repr_digest(sha256) == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    assert is_digest(sha256)
    assert not is_digest(sha256.upper())
    assert not is_digest(sha256[:-1])


def test_paths_are_filled_and_quoted() -> None:
    assert routes.fill(routes.SOUND, id="a/b c") == "/api/v1/sounds/a%2Fb%20c"
    assert routes.with_query("/x", a="1 2", b="") == "/x?a=1%202"
    assert routes.with_query("/x", a="") == "/x"
    assert routes.content_path("main", "0" * 64, "ü.wav").endswith("?filename=%C3%BC.wav")


@pytest.mark.parametrize(
    ("name", "plain", "extended"),
    [
        ("take 1.wav", "take 1.wav", "take%201.wav"),
        ("wïnd.wav", "wind.wav", "w%C3%AFnd.wav"),
        ('a"b;c.wav', "abc.wav", "a%22b%3Bc.wav"),
        ("雨", "download.wav", "%E9%9B%A8"),
    ],
)
def test_a_download_keeps_its_name(name: str, plain: str, extended: str) -> None:
    assert attachment(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"


@given(st.text())
def test_no_name_breaks_out_of_its_field(name: str) -> None:
    try:
        field = attachment(name)
    except UnicodeEncodeError:
        return  # lone surrogates never get past clean_name
    assert field.isascii()
    assert field.isprintable()
    assert field.count('"') == 2
