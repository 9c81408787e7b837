"""Waveforms: the heights of their bars, and that they are there when their peaks are."""

from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.sounds import Column
from sonoteca_desktop.views.waveform import bars
from sonoteca_shared.peaks import Peaks
from tests.kit.window import Parts, opened, sound

RAIN = sound("Rain.wav", number=1)
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path, [RAIN]) as parts:
        yield parts


@pytest.mark.parametrize(
    ("peaks", "count", "heights"),
    [
        (Peaks(48_000, 256, 1, 16, array("h", [-16384, 0, 0, 32767])), 2, [0.5, 32767 / 32768]),
        (Peaks(48_000, 256, 1, 8, array("b", [-128, 0, 0, 64])), 2, [1.0, 0.5]),
        # Two channels: the louder one counts.
        (Peaks(48_000, 256, 2, 8, array("b", [0, 0, -64, 0, 0, 32, 0, 0])), 2, [0.5, 0.25]),
        # More steps than bars, and more bars than steps.
        (Peaks(48_000, 256, 1, 8, array("b", [0, 64, 0, 32, 0, 16, 0, 8])), 2, [0.5, 0.125]),
        (Peaks(48_000, 256, 1, 8, array("b", [0, 64])), 3, [0.5, 0.5, 0.5]),
        (Peaks(48_000, 256, 1, 8, array("b")), 2, [0.0, 0.0]),
    ],
)
def test_a_bar_is_as_high_as_its_loudest_sample(
    peaks: Peaks, count: int, heights: list[float]
) -> None:
    assert bars(peaks, count) == pytest.approx(heights)


def colours(image: QImage) -> set[str]:
    return {
        image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())
    }


def cell(parts: Parts) -> QImage:
    table = parts.window.library.table
    place = table.visualRect(parts.sounds.index(0, Column.WAVEFORM))
    return table.viewport().grab(place).toImage()


def test_a_waveform_appears_when_its_peaks_arrive(parts: Parts) -> None:
    shade = QColor(parts.theme.tokens.waveform).name()
    parts.peaks.here = False
    other = sound("Wind.wav", number=1, sha256="b" * 64)
    parts.sounds._pages[0] = [other]  # a sound whose waveform was never drawn
    assert shade not in colours(cell(parts))
    parts.peaks.here = True
    parts.peaks.arrived.emit(other.sha256)
    assert shade in colours(cell(parts))


def test_the_played_part_is_in_the_accent_colour(parts: Parts) -> None:
    accent = QColor(parts.theme.tokens.accent).name()
    assert accent not in colours(cell(parts))
    parts.window.library.table.select_row(0)
    parts.player.at = RAIN.duration / 2
    parts.window.player_bar.seekRequested.emit(RAIN.duration / 2)
    image = cell(parts)
    assert accent in colours(image.copy(0, 0, image.width() // 2 - 4, image.height()))
    right = image.copy(image.width() // 2 + 4, 0, image.width() // 2 - 4, image.height())
    assert accent not in colours(right)
    large = parts.window.player_bar.waveform.grab().toImage()
    assert accent in colours(large.copy(0, 0, large.width() // 2 - 4, large.height()))


class Paints(QObject):
    """Counts how often a widget is painted."""

    count = 0

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_the_playhead_of_a_long_sound_is_seen_to_move(parts: Parts, qtbot: QtBot) -> None:
    waveform = parts.window.player_bar.waveform
    waveform.set_sound(RAIN)
    qtbot.wait(20)
    paints = Paints()
    waveform.installEventFilter(paints)
    for step in range(1, 101):  # of a sixth of a pixel, as in the minutes of an ambience
        waveform.set_position(RAIN.duration * step / waveform.width() / 6)
        QApplication.processEvents()
    waveform.removeEventFilter(paints)
    assert 16 <= paints.count <= 60
