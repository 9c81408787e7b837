"""What stands in place of the table when there is nothing to list: why, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from sonoteca_desktop.views.buttons import TextButton
from sonoteca_desktop.views.layout import Label, column, row
from sonoteca_desktop.views.theme import Theme, paint_pixmap

_WIDTH = 420


class Way(StrEnum):
    """A way out of an empty table; the words are those on its button."""

    UPLOAD_FILES = "Upload files…"
    UPLOAD_FOLDER = "Upload folder…"
    CLEAR_SEARCH = "Clear search"
    SHOW_ALL = "Show all sounds"
    RETRY = "Retry now"
    REFRESH = "Try again"


@dataclass(frozen=True, slots=True)
class Picture:
    """An icon, what is the matter, what to do, and the buttons that do it."""

    icon: str
    title: str
    text: str
    ways: tuple[Way, ...] = ()


class Disc(QWidget):
    """An icon in a quiet round field."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._icon = "upload"
        self.setFixedSize(QSize(72, 72))
        theme.changed.connect(self.update)

    def set_icon(self, name: str) -> None:
        self._icon = name
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(self._theme.color("hairline"))
        painter.setBrush(self._theme.color("raised"))
        area = QRectF(self.rect())
        painter.drawEllipse(area.adjusted(0.5, 0.5, -0.5, -0.5))
        icon = self._theme.pixmap(self._icon, "accent", 28, ratio=self.devicePixelRatioF())
        paint_pixmap(painter, area, icon)


class EmptyState(QWidget):
    """A picture in the middle of the free place.

    Signals:
        wayTaken(str): a button was pressed; the value of its Way.
    """

    wayTaken = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("emptyState")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._picture: Picture | None = None
        self._disc = Disc(theme, self)
        self._title = Label(theme, "emptyTitle", self, pixels=15, weight=600, wrap=True)
        self._text = Label(theme, "emptyText", self, tone="dim", wrap=True)
        self._buttons = row(spacing=10)
        self._buttons.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        box = column(self)
        box.addStretch(4)
        box.addWidget(self._disc, 0, Qt.AlignmentFlag.AlignHCenter)
        box.addSpacing(18)
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            label.setFixedWidth(_WIDTH)
            box.addWidget(label, 0, Qt.AlignmentFlag.AlignHCenter)
            box.addSpacing(8)
        box.addSpacing(14)
        box.addLayout(self._buttons)
        box.addStretch(5)

    @property
    def picture(self) -> Picture | None:
        return self._picture

    def show_picture(self, picture: Picture) -> None:
        before, self._picture = self._picture, picture
        self._disc.set_icon(picture.icon)
        self._title.setText(picture.title)
        self._text.setText(picture.text)
        self._text.setVisible(bool(picture.text))
        for label in (self._title, self._text):
            # Centred in the layout a label would get the height of a single line.
            label.setFixedHeight(max(label.heightForWidth(_WIDTH), 0))
        if before is None or before.ways != picture.ways:
            self._show_ways(picture.ways)

    def _show_ways(self, ways: Sequence[Way]) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for place, way in enumerate(ways):
            button = TextButton(self._theme, str(way), primary=place == 0, height=36, parent=self)
            button.setObjectName(f"way{way.name.title().replace('_', '')}")
            button.setProperty("way", str(way))
            button.clicked.connect(self._take_way)
            self._buttons.addWidget(button)
            button.show()

    def _take_way(self) -> None:
        self.wayTaken.emit(self.sender().property("way"))
