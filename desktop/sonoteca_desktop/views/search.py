"""The search field: finds while one types."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.views.buttons import IconButton
from sonoteca_desktop.views.theme import Theme, paint_pixmap

_LONGEST = 500  # what is pasted may be a book, and the mirror takes a few hundred words


class SearchField(QLineEdit):
    """Words to look for; Esc clears them, the arrow down goes to the sounds.

    Signals:
        wordsChanged(str): the words are others now.
        leftDownwards(): the arrow down was pressed.
    """

    wordsChanged = Signal(str)
    leftDownwards = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("searchField")
        self.setAccessibleName("Search sounds")
        self.setAcceptDrops(False)  # dropped files are for the window
        self.setMaxLength(_LONGEST)
        self._theme = theme
        self._clear = IconButton(theme, "x", "Clear search", size=24, icon_size=14, parent=self)
        self._clear.setObjectName("clearSearchButton")
        self._clear.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._clear.setCursor(Qt.CursorShape.ArrowCursor)
        self._clear.clicked.connect(self.clear)
        self._clear.hide()
        self.textChanged.connect(self._changed)
        self.set_total(0)

    def set_total(self, total: int) -> None:
        words = f"Search {units.sounds(total)}" if total else "Search sounds"
        self.setPlaceholderText(f"{words} by name or description")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Escape if self.text():
                self.clear()
            case Qt.Key.Key_Escape | Qt.Key.Key_Down | Qt.Key.Key_Return | Qt.Key.Key_Enter:
                self.leftDownwards.emit()
            case _:
                super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        size = self._clear.sizeHint()
        self._clear.setGeometry(
            self.width() - size.width() - 5,
            (self.height() - size.height()) // 2,
            size.width(),
            size.height(),
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        token = "accent" if self.hasFocus() else "dim"
        icon = self._theme.pixmap("search", token, ratio=self.devicePixelRatioF())
        paint_pixmap(painter, QRectF(10, 0, 16, self.height()), icon)

    def _changed(self, text: str) -> None:
        self._clear.setVisible(bool(text))
        self.wordsChanged.emit(text)
