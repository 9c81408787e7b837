"""Labels and boxes in our measures, and the thin lines between surfaces."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from sonoteca_desktop.views.theme import Theme


class Label(QLabel):
    """Words in one of the three sizes; a tone ("dim", "danger") is a colour of the style sheet."""

    def __init__(
        self,
        theme: Theme,
        name: str,
        parent: QWidget,
        *,
        text: str = "",
        tone: str = "",
        pixels: int = 13,
        weight: int = 400,
        wrap: bool = False,
    ) -> None:
        super().__init__(text, parent)
        self.setObjectName(name)
        self.setFont(theme.font(pixels, weight))
        self.setTextFormat(Qt.TextFormat.PlainText)  # names of files are not markup
        self.setWordWrap(wrap)
        if tone:
            self.setProperty("tone", tone)


class ElidedLabel(QLabel):
    """One line of text that gives up its middle when there is no room."""

    def __init__(
        self,
        theme: Theme,
        name: str,
        parent: QWidget,
        *,
        token: str,
        pixels: int = 13,
        weight: int = 400,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setFont(theme.font(pixels, weight))
        self._theme = theme
        self._token = token
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self._theme.color(self._token))
        text = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideMiddle, self.width()
        )
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, text)


def row(
    parent: QWidget | None = None,
    *,
    spacing: int = 0,
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> QHBoxLayout:
    """A box from left to right; margins are left, top, right, bottom."""
    box = QHBoxLayout() if parent is None else QHBoxLayout(parent)
    box.setSpacing(spacing)
    box.setContentsMargins(*margins)
    return box


def column(
    parent: QWidget | None = None,
    *,
    spacing: int = 0,
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> QVBoxLayout:
    """A box from top to bottom; margins are left, top, right, bottom."""
    box = QVBoxLayout() if parent is None else QVBoxLayout(parent)
    box.setSpacing(spacing)
    box.setContentsMargins(*margins)
    return box


def rule(name: str, parent: QWidget, *, vertical: bool = False) -> QFrame:
    """A line one pixel thick."""
    line = QFrame(parent)
    line.setObjectName(name)
    if vertical:
        line.setFixedWidth(1)
    else:
        line.setFixedHeight(1)
    return line
