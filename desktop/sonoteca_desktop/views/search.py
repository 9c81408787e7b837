"""The search field: finds while one types."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.views.buttons import IconButton
from sonoteca_desktop.views.theme import Theme, paint_pixmap

_LONGEST = 500  # what is pasted may be a book, and the mirror takes a few hundred words
_CLEAR = 34  # what the button that clears takes, on the right
_GAP = 8


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
        self._ignored = ""
        self._clear = IconButton(theme, "x", "Clear search", size=24, icon_size=14, parent=self)
        self._clear.setObjectName("clearSearchButton")
        self._clear.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._clear.setCursor(Qt.CursorShape.ArrowCursor)
        self._clear.clicked.connect(self.clear)
        self._clear.hide()
        self.textChanged.connect(self._changed)
        self.set_total(0)

    def show_ignored(self, ignored: tuple[str, ...]) -> None:
        """Say which parts of the words made no sense and were left out; the rest was found."""
        self._ignored = ", ".join(ignored)
        words = "".join(f"\n{part}" for part in ignored)
        told = f"Left out of the search, for it makes no sense:{words}" if ignored else ""
        self.setToolTip(units.tool_tip(told) if told else "")
        self.setAccessibleDescription(told)
        self.setTextMargins(0, 0, self._ignored_width(), 0)
        self.update()

    def set_total(self, total: int) -> None:
        words = f"Search {units.sounds(total)}" if total else "Search sounds"
        self.setPlaceholderText(f"{words} by name, description or tag")

    def begin(self, text: str) -> None:
        """Take the keyboard, and begin anew with what was typed elsewhere."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        self.selectAll()
        self.insert(text)

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
        if self._ignored:
            self._paint_ignored(painter)

    def _paint_ignored(self, painter: QPainter) -> None:
        width = self._ignored_width()
        area = QRectF(self.width() - _CLEAR - width, 0, width - _GAP, self.height())
        font = self._theme.font(11)
        painter.setFont(font)
        painter.setPen(self._theme.color("dim"))
        text = QFontMetricsF(font).elidedText(
            f"left out: {self._ignored}", Qt.TextElideMode.ElideRight, area.width()
        )
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(area, side, text)

    def _ignored_width(self) -> int:
        if not self._ignored:
            return 0
        wanted = QFontMetricsF(self._theme.font(11)).horizontalAdvance(f"left out: {self._ignored}")
        return min(round(wanted) + 2 + _GAP, self.width() // 3)

    def _changed(self, text: str) -> None:
        self._clear.setVisible(bool(text))
        self.wordsChanged.emit(text)
