"""How a row of the sound table is painted, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from sonoteca_desktop.models.sounds import (
    Column,
    ProgressRole,
    SoundRole,
    Where,
    WhereRole,
)
from sonoteca_desktop.views.theme import Theme, paint_pixmap
from sonoteca_desktop.views.waveform import WaveformPainter
from sonoteca_shared.models import Sound

Index: TypeAlias = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 44
PADDING = 8
_STATES = {
    Where.LOCAL: ("circle-check", "done"),
    Where.KEPT: ("pin", "done"),
    Where.KEEPING: ("pin", "dim"),
}
RIGHT_ALIGNED = frozenset({Column.LENGTH, Column.SIZE})


@dataclass(frozen=True, slots=True)
class Playing:
    """The sound in the player: which, how far (0 to 1), and whether it runs."""

    sound_id: str
    fraction: float
    running: bool


class RowDelegate(QStyledItemDelegate):
    """Paints rows from the theme; icons and waveforms come from caches."""

    def __init__(self, theme: Theme, waveforms: WaveformPainter, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._waveforms = waveforms
        self._name = theme.font(13, 500)
        self._plain = theme.font(13)
        self._small = theme.font(11)
        self.playing: Playing | None = None
        self.hovered: tuple[int, int] = (-1, -1)  # row and column under the mouse

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(80, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        rect: QRect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        sound = index.data(SoundRole)
        self._paint_ground(painter, rect, index, selected=selected)
        if isinstance(sound, Sound):
            column = Column(index.column())
            area = QRectF(rect.adjusted(PADDING, 0, -PADDING, 0))
            match column:
                case Column.PLAY:
                    self._paint_play(painter, QRectF(rect), sound, index.row())
                case Column.NAME:
                    self._paint_name(painter, area, sound)
                case Column.WAVEFORM:
                    self._paint_waveform(painter, area, sound)
                case Column.STATE:
                    self._paint_state(painter, QRectF(rect), index)
                case _:
                    self._paint_text(painter, area, str(index.data()), column)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, rect: QRect, index: Index, *, selected: bool
    ) -> None:
        if selected:
            painter.fillRect(rect, self._theme.color("selection"))
        elif index.row() == self.hovered[0]:
            painter.fillRect(rect, self._theme.color("hover"))
        line = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(line, self._theme.color("hairline"))
        if selected and index.column() == Column.PLAY:
            bar = QRect(rect.left(), rect.top(), 3, rect.height() - 1)
            painter.fillRect(bar, self._theme.color("accent"))

    def _paint_play(self, painter: QPainter, rect: QRectF, sound: Sound, row: int) -> None:
        mine = self.playing is not None and self.playing.sound_id == sound.id
        running = mine and self.playing is not None and self.playing.running
        token = "accent" if mine else ("text" if row == self.hovered[0] else "faint")
        ratio = painter.device().devicePixelRatioF()
        icon = self._theme.pixmap("pause" if running else "play", token, 16, ratio=ratio)
        paint_pixmap(painter, rect.translated(2, 0), icon)

    def _paint_name(self, painter: QPainter, area: QRectF, sound: Sound) -> None:
        mine = self.playing is not None and self.playing.sound_id == sound.id
        name_area = QRectF(area)
        if sound.folder:
            name_area = QRectF(area.x(), area.y() + 5, area.width(), 18)
            folder = QRectF(area.x(), area.y() + 23, area.width(), 15)
            painter.setPen(self._theme.color("dim"))
            self._draw(painter, folder, sound.folder, self._small, Qt.TextElideMode.ElideMiddle)
        painter.setPen(self._theme.color("accent" if mine else "text"))
        # The middle goes first: the ends of names tell takes apart.
        self._draw(painter, name_area, sound.name, self._name, Qt.TextElideMode.ElideMiddle)

    def _paint_waveform(self, painter: QPainter, area: QRectF, sound: Sound) -> None:
        fraction = None
        if self.playing is not None and self.playing.sound_id == sound.id:
            fraction = self.playing.fraction
        self._waveforms.paint(painter, area.adjusted(0, 8, 0, -8), sound, fraction)

    def _paint_text(self, painter: QPainter, area: QRectF, text: str, column: Column) -> None:
        painter.setPen(self._theme.color("dim"))
        side = Qt.AlignmentFlag.AlignLeft
        if column in RIGHT_ALIGNED:
            side = Qt.AlignmentFlag.AlignRight
        self._draw(painter, area, text, self._plain, Qt.TextElideMode.ElideRight, side)

    def _paint_state(self, painter: QPainter, rect: QRectF, index: Index) -> None:
        where = index.data(WhereRole)
        if where == Where.DOWNLOADING:
            self._paint_ring(painter, rect.center(), float(index.data(ProgressRole) or 0.0))
            return
        hovered = self.hovered == (index.row(), Column.STATE)
        name, token = _STATES.get(where, ("cloud", "cloud"))
        if where == Where.CLOUD and hovered:
            name, token = "download", "accent"
        ratio = painter.device().devicePixelRatioF()
        paint_pixmap(painter, rect, self._theme.pixmap(name, token, 16, ratio=ratio))

    def _paint_ring(self, painter: QPainter, middle: QPointF, fraction: float) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        circle = QRectF(middle.x() - 7, middle.y() - 7, 14, 14)
        painter.setPen(QPen(self._theme.color("hairline"), 2.5))
        painter.drawEllipse(circle)
        pen = QPen(self._theme.color("accent"), 2.5)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawArc(circle, 90 * 16, -round(max(fraction, 0.02) * 360 * 16))

    def _draw(
        self,
        painter: QPainter,
        area: QRectF,
        text: str,
        font: QFont,
        elide: Qt.TextElideMode,
        side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    ) -> None:
        painter.setFont(font)
        short = QFontMetricsF(font).elidedText(text, elide, area.width())
        painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter, short)
