"""One of a few, chosen from a list that opens."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox, QWidget

from sonoteca_desktop.views.theme import Theme, paint_pixmap


class Choice(QComboBox):
    """A combo box with the arrow of the theme: Qt paints none beside a background of ours."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        arrow = self._theme.pixmap("chevron-down", "dim", 12, ratio=self.devicePixelRatioF())
        area = QRectF(self.width() - 24, 0, 12, self.height())
        with QPainter(self) as painter:
            paint_pixmap(painter, area, arrow)
