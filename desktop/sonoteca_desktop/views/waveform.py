"""Draws waveforms: small ones for the cells of the table, and the large one that is played."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPixmapCache,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.views.theme import Theme
from sonoteca_shared.models import Sound
from sonoteca_shared.peaks import Peaks

_STEP = 3  # pixels from bar to bar
_KEPT = 2000
_STRIDE_SECONDS = 5.0


class PeaksSource(Protocol):
    """Where overviews come from: at once when they are here, else fetched and announced.

    Signals:
        arrived(str): the overview of the sound with this SHA-256 is here now.
    """

    arrived: SignalInstance

    def get(self, sound: Sound, points: int) -> Peaks | None:
        """An overview of at least `points` steps where there is one; None until it has come."""
        ...


def bars(peaks: Peaks, count: int) -> list[float]:
    """The loudest sample of each of `count` equal stretches, 0 to 1, over all channels."""
    values, length = peaks.values, peaks.length
    full = float(1 << (peaks.bits - 1))
    wide = 2 * peaks.channels  # lowest and highest of each channel
    if not length:
        return [0.0] * count
    heights = []
    for bar in range(count):
        first = bar * length // count
        last = max((bar + 1) * length // count, first + 1)
        stretch = values[first * wide : last * wide]
        heights.append(min(1.0, max(max(stretch), -min(stretch)) / full))
    return heights


class WaveformPainter:
    """Waveforms as pixmaps, made once for each sound, size and colour."""

    def __init__(self, theme: Theme, source: PeaksSource) -> None:
        self._theme = theme
        self._source = source
        self._bars: OrderedDict[tuple[str, int], list[float]] = OrderedDict()

    def pixmap(self, sound: Sound, size: QSize, token: str, ratio: float) -> QPixmap | None:
        """The whole waveform in one colour; None while its peaks are not here."""
        count = size.width() // _STEP
        if count < 2 or size.height() < 4:
            return None
        color = self._theme.color(token)
        key = f"wave/{sound.sha256}/{size.width()}x{size.height()}/{color.name()}/{ratio}"
        pixmap = QPixmap()
        if QPixmapCache.find(key, pixmap):
            return pixmap
        heights = self._heights(sound, count)
        if heights is None:
            return None
        pixmap = _draw_bars(heights, size, color, ratio)
        QPixmapCache.insert(key, pixmap)
        return pixmap

    def paint(
        self, painter: QPainter, rect: QRectF, sound: Sound, fraction: float | None = None
    ) -> None:
        """A waveform in its place, the played fraction of it in the accent colour."""
        size = rect.toAlignedRect().size()
        ratio = painter.device().devicePixelRatioF()
        rest = self.pixmap(sound, size, "waveform", ratio)
        if rest is None:
            painter.fillRect(
                QRectF(rect.x(), rect.center().y(), rect.width(), 1), self._theme.color("hairline")
            )
            return
        corner = QPointF(rect.toAlignedRect().topLeft())
        if fraction is None:
            painter.drawPixmap(corner, rest)
            return
        played = self.pixmap(sound, size, "accent", ratio)
        split = size.width() * min(max(fraction, 0.0), 1.0)
        for pixmap, left, width in ((played, 0.0, split), (rest, split, size.width() - split)):
            if pixmap is not None and width > 0:
                part = QRectF(left * ratio, 0, width * ratio, size.height() * ratio)
                place = QRectF(corner.x() + left, corner.y(), width, size.height())
                painter.drawPixmap(place, pixmap, part)

    def _heights(self, sound: Sound, count: int) -> list[float] | None:
        key = (sound.sha256, count)
        if (heights := self._bars.get(key)) is not None:
            return heights
        peaks = self._source.get(sound, count)
        if peaks is None:
            return None
        heights = self._bars[key] = bars(peaks, count)
        if len(self._bars) > _KEPT:
            self._bars.popitem(last=False)
        return heights


def _draw_bars(heights: list[float], size: QSize, color: QColor, ratio: float) -> QPixmap:
    pixmap = QPixmap(size * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(color, 2)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    middle, room = size.height() / 2, size.height() / 2 - 0.5
    lines = []
    for bar, height in enumerate(heights):
        # Quiet recordings still show their shape: the ear, too, is not linear.
        half = max(height**0.7 * room, 0.75)
        x = bar * _STEP + 1
        lines.append(QLineF(x, middle - half, x, middle + half))
    painter.drawLines(lines)
    painter.end()
    return pixmap


class LargeWaveform(QWidget):
    """The sound that is played: a click or a drag in it goes to that place.

    Signals:
        seekRequested(float): go to this many seconds from the start.
    """

    seekRequested = Signal(float)

    def __init__(
        self, theme: Theme, waveforms: WaveformPainter, source: PeaksSource, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setObjectName("largeWaveform")
        self.setAccessibleName("Position in the sound")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMouseTracking(True)
        self.setMinimumWidth(160)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._theme = theme
        self._waveforms = waveforms
        self._sound: Sound | None = None
        self._position = 0.0
        self._painted_x = 0.0
        self._hover: float | None = None
        source.arrived.connect(self._arrived)
        theme.changed.connect(self.update)

    def set_sound(self, sound: Sound | None) -> None:
        self._sound = sound
        self._position = 0.0
        self.setCursor(Qt.CursorShape.PointingHandCursor if sound else Qt.CursorShape.ArrowCursor)
        self.update()

    def set_position(self, seconds: float) -> None:
        """Move the playhead; paints only when it is seen to move."""
        self._position = seconds
        # Compared with what is seen, not with the last step: in a long sound each step is tiny.
        if abs(self._x(seconds) - self._painted_x) >= 0.3:
            self.update()

    @property
    def position(self) -> float:
        return self._position

    def sizeHint(self) -> QSize:
        return QSize(600, 56)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = QRectF(self.rect())
        if self._sound is None:
            middle = QRectF(0, area.center().y(), area.width(), 1)
            painter.fillRect(middle, self._theme.color("hairline"))
        else:
            wave = area.adjusted(0, 12, 0, -12)
            x = self._painted_x = self._x(self._position)
            self._waveforms.paint(painter, wave, self._sound, x / max(area.width(), 1))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            head = QRectF(x - 0.75, 8, 1.5, area.height() - 16)
            painter.fillRect(head, self._theme.color("text"))
            if self._hover is not None:
                self._paint_hover(painter, self._hover)
        if self.hasFocus():
            painter.setPen(self._theme.color("accent"))
            painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))

    def _paint_hover(self, painter: QPainter, x: float) -> None:
        painter.fillRect(QRectF(x - 0.5, 8, 1, self.height() - 16), self._theme.color("dim"))
        painter.setFont(self._theme.font(11, 500))
        text = units.length(self._seconds(x))
        width = painter.fontMetrics().horizontalAdvance(text) + 12
        left = min(max(x - width / 2, 0), self.width() - width)
        label = QRectF(left, 0, width, 18)
        painter.setPen(self._theme.color("hairline"))
        painter.setBrush(self._theme.color("raised"))
        painter.drawRoundedRect(label.adjusted(0.5, 0.5, -0.5, -0.5), 5, 5)
        painter.setPen(self._theme.color("text"))
        painter.drawText(label, Qt.AlignmentFlag.AlignCenter, text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._seek(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover = min(max(event.position().x(), 0.0), float(self.width()))
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._seek(event.position().x())
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hover = event.position().x()
        self.update()

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -_STRIDE_SECONDS, Qt.Key.Key_Right: _STRIDE_SECONDS}
        if self._sound is not None and event.key() in step:
            target = self._position + step[Qt.Key(event.key())]
            self.seekRequested.emit(min(max(target, 0.0), self._sound.duration))
            return
        super().keyPressEvent(event)

    def _seek(self, x: float) -> None:
        if self._sound is not None:
            seconds = self._seconds(x)
            self.set_position(seconds)
            self.seekRequested.emit(seconds)

    def _x(self, seconds: float) -> float:
        if self._sound is None or not self._sound.duration:
            return 0.0
        return self.width() * min(max(seconds / self._sound.duration, 0.0), 1.0)

    def _seconds(self, x: float) -> float:
        if self._sound is None:
            return 0.0
        return self._sound.duration * min(max(x / max(self.width(), 1), 0.0), 1.0)

    def _arrived(self, sha256: str) -> None:
        if self._sound is not None and self._sound.sha256 == sha256:
            self.update()
