"""How sizes, rates, lengths and dates are written."""

from datetime import UTC, datetime

import msgspec
import pytest
from PySide6.QtGui import QTextDocument

from sonoteca_desktop.models import units
from sonoteca_shared.models import Loudness
from tests.kit.window import sound


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (9_940, "9.9 KB"),
        (9_960, "10 KB"),
        (999_600, "1.0 MB"),
        (412_000_000, "412 MB"),
        (5e18, "5000 PB"),
    ],
)
def test_sizes_have_two_or_three_digits(count: float, words: str) -> None:
    assert units.size(count) == words


@pytest.mark.parametrize(
    ("done", "total", "words"),
    [
        (412e6, 980e6, "412 of 980 MB"),
        (999e3, 5e6, "999 KB of 5.0 MB"),
        (0, 22e6, "0 of 22 MB"),
    ],
)
def test_a_part_of_a_whole_says_the_unit_once(done: float, total: float, words: str) -> None:
    assert units.size_of(done, total) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0:00.0"),
        (7.56, "0:07.5"),
        (59.99, "0:59.9"),
        (0.3, "0:00.3"),
        (193.1, "3:13.1"),
        (3723.5, "1:02:03.5"),
        (-1.0, "0:00.0"),
    ],
)
def test_lengths_are_cut_not_rounded(seconds: float, words: str) -> None:
    assert units.length(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s left"),
        (89, "89 s left"),
        (100, "2 min left"),
        (4800, "80 min left"),
        (5400, "1 h 30 min left"),
        (200_000, "2 days left"),
    ],
)
def test_the_longer_it_takes_the_rougher_it_is_told(seconds: float, words: str) -> None:
    assert units.time_left(seconds) == words


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "48 kHz · 24"),
        ({"samplerate": 44_100, "bitdepth": 16}, "44.1 kHz · 16"),
        ({"samplerate": 192_000, "bitdepth": 32, "format": "float"}, "192 kHz · 32f"),
        ({"samplerate": 11_025, "bitdepth": 8, "format": "alaw"}, "11.025 kHz · A-law"),
        ({"samplerate": 44_100, "bitdepth": 0, "format": "mp3"}, "44.1 kHz · mp3"),
    ],
)
def test_the_format_in_short(facts: dict[str, object], words: str) -> None:
    shown = msgspec.structs.replace(sound("a.wav"), **facts)
    assert units.sample_format(shown) == words


def test_a_tag_in_a_name_is_no_markup() -> None:
    assert units.tool_tip("day 1/take & 2.wav\nloud") == "day 1/take & 2.wav\nloud"
    document = QTextDocument()
    document.setHtml(units.tool_tip("<b>take</b> & 2.wav\n<img src=x>"))
    assert document.toPlainText() == "<b>take</b> & 2.wav\n<img src=x>"


def test_numbers_and_days() -> None:
    assert units.speed(12_100_000) == "12.1 MB/s"
    assert units.speed(256_000) == "256 KB/s"
    assert units.speed(1_000_000) == "1 MB/s"
    assert [units.channels(n) for n in (1, 2, 6)] == ["Mono", "Stereo", "6 channels"]
    assert units.sounds(1) == "1 sound"
    assert units.sounds(48_213).replace("\N{NARROW NO-BREAK SPACE}", " ") == "48 213 sounds"
    assert units.date(datetime(2026, 3, 4, 12, tzinfo=UTC)) == "4 Mar 2026"


@pytest.mark.parametrize(
    ("measured", "words"),
    [
        (Loudness(integrated=-23.0), "−23.0 LUFS"),
        (Loudness(integrated=1.25, true_peak=0.04), "1.2 LUFS · true peak 0.0 dBTP"),
        (Loudness(true_peak=-60.04), "too quiet or too short to be loud · true peak −60.0 dBTP"),
        (Loudness(), "too quiet or too short to be loud"),
    ],
)
def test_loudness_has_the_units_of_its_standard(measured: Loudness, words: str) -> None:
    assert units.loudness(measured) == words
