"""The header of the sound table: small capitals, and an arrow where it is ordered."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter
from PySide6.QtWidgets import QHeaderView, QWidget

from sonoteca_desktop.models.sounds import SORTS, TITLES, Column
from sonoteca_desktop.views.delegates import PADDING, RIGHT_ALIGNED
from sonoteca_desktop.views.theme import Theme, paint_pixmap

_ARROW = 12


class SoundHeader(QHeaderView):
    """Columns that have an order of their own can be clicked, and say so under the mouse."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("soundHeader")
        self.setAccessibleName("Columns")
        self._theme = theme
        self.setSectionsClickable(True)
        self.setSortIndicatorShown(True)
        self.setHighlightSections(False)
        self.setSectionsMovable(False)
        self.setFixedHeight(34)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme.changed.connect(self.viewport().update)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), 34)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # Else a click on the waveform column would take the arrow away from the real order.
        if self.logicalIndexAt(event.position().toPoint()) in tuple(SORTS):
            super().mousePressEvent(event)

    def paintSection(self, painter: QPainter, rect: QRect, logical: int) -> None:
        column = Column(logical)
        painter.save()
        painter.fillRect(rect, self._theme.color("background"))
        rule = QRect(rect.left(), rect.bottom(), rect.width(), 1)
        painter.fillRect(rule, self._theme.color("hairline"))
        area = QRectF(rect.adjusted(PADDING, 0, -PADDING, 0))
        sorted_by = self.isSortIndicatorShown() and self.sortIndicatorSection() == logical
        sorted_by = sorted_by and column in SORTS
        painter.setFont(self._theme.font(11, 600))
        painter.setPen(self._theme.color("text" if sorted_by else "dim"))
        title = TITLES[column]
        width = painter.fontMetrics().horizontalAdvance(title)
        if column == Column.STATE:
            side = Qt.AlignmentFlag.AlignHCenter
            left = area.center().x() - width / 2
        elif column in RIGHT_ALIGNED:
            side = Qt.AlignmentFlag.AlignRight
            left = area.right() - width
        else:
            side = Qt.AlignmentFlag.AlignLeft
            left = area.left()
        painter.drawText(area, side | Qt.AlignmentFlag.AlignVCenter, title)
        if sorted_by:
            before = column in RIGHT_ALIGNED
            x = left - _ARROW - 4 if before else left + width + 4
            descending = self.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder
            arrow = self._theme.pixmap(
                "chevron-down" if descending else "chevron-up",
                "accent",
                _ARROW,
                ratio=painter.device().devicePixelRatioF(),
            )
            paint_pixmap(painter, QRectF(x, area.y(), _ARROW, area.height()), arrow)
        painter.restore()
