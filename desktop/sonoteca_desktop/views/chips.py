"""Small round buttons that stay pressed: one of a few is chosen."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QWidget

from sonoteca_desktop.views.buttons import ThemedButton
from sonoteca_desktop.views.theme import Theme

_HEIGHT = 22


class Chip(ThemedButton):
    """One choice of a few; it says itself whether it is chosen."""

    def __init__(self, theme: Theme, text: str, parent: QWidget) -> None:
        super().__init__(theme, "", parent)
        self.setCheckable(True)
        self.setFont(theme.font(11, 500))
        self.setText(text)

    def setText(self, text: str) -> None:
        if text != self.text():
            super().setText(text)
            self.setAccessibleName(text)
            self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 18, _HEIGHT)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = self._painter()
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        chosen, hovered = self.isChecked(), self.underMouse()
        surface = "accent" if chosen else "raised"
        painter.setBrush(self.theme.color(surface if chosen or hovered else "panel"))
        painter.setPen(self.theme.color("accent" if chosen else "hairline"))
        painter.drawRoundedRect(area, _HEIGHT / 2 - 1, _HEIGHT / 2 - 1)
        painter.setPen(self.theme.color("on_accent" if chosen else "dim"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())
        self._paint_focus(painter, _HEIGHT / 2 - 1)
