"""Recipes of conversions: what people type, what it means, and what makes no sense."""

from __future__ import annotations

import pytest

from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.names import with_ending
from sonoteca_shared.recipes import TARGETS, Recipe, parse_recipe, texts_of


@pytest.mark.parametrize(
    ("given", "recipe"),
    [
        ({"format": " WAV ", "bitdepth": ""}, Recipe(format="wav")),
        ({"format": "wav", "bitdepth": "FLOAT"}, Recipe(format="wav", bitdepth="float")),
        ({"format": "mp3", "bitrate": "192K"}, Recipe(format="mp3", bitrate=192_000)),
        ({"format": "opus", "samplerate": "48000"}, Recipe(format="opus", samplerate=48_000)),
        (
            {"format": "flac", "start": "1.5", "end": "2", "normalize_lufs": "-23"},
            Recipe(format="flac", start=1.5, end=2.0, normalize_lufs=-23.0),
        ),
    ],
)
def test_reads_what_people_type(given: dict[str, str], recipe: Recipe) -> None:
    assert parse_recipe(given) == recipe


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "wav, flac"),
        ({"format": "mp4"}, "did you mean"),
        ({"format": "wav", "samplrate": "1"}, "did you mean “samplerate”"),
        ({"format": "wav", "samplerate": "999"}, "between 1000"),
        ({"format": "wav", "samplerate": "1e5"}, "whole number"),
        ({"format": "wav", "start": "nan"}, "a number of seconds"),
        ({"format": "wav", "normalize_lufs": "0"}, "between -70 and 0"),
        ({"format": "flac", "bitdepth": "float"}, "16, 24"),
    ],
)
def test_names_what_makes_no_sense(given: dict[str, str], words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        parse_recipe(given)


def test_offers_only_what_there_is() -> None:
    with pytest.raises(BadRequestError, match=r"known are: wav, flac$"):
        parse_recipe({"format": "mp3"}, ("flac", "wav"))


def test_numbers_of_json_are_written_as_people_type_them() -> None:
    given = {"format": "mp3", "bitrate": 96_000, "normalize_lufs": -0.00001, "channels": None}
    texts = texts_of(given)
    assert texts == {"format": "mp3", "bitrate": "96000", "normalize_lufs": "-0.00001"}
    assert parse_recipe(texts).target is TARGETS["mp3"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("take1.wav", "take1.mp3"),
        ("take", "take.mp3"),
        (".wav", ".wav.mp3"),
        ("a.b.wav", "a.b.mp3"),
        ("Dr. No meets everybody", "Dr. No meets everybody.mp3"),
        ("é" * 200, "é" * 125 + ".mp3"),
    ],
)
def test_a_name_gets_another_ending(name: str, expected: str) -> None:
    assert with_ending(name, "mp3") == expected
