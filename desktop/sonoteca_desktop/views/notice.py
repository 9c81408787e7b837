"""A sentence about something that is over; it goes by itself, or when it was read."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLabel, QWidget

from sonoteca_desktop.views.buttons import IconButton
from sonoteca_desktop.views.layout import Label, row
from sonoteca_desktop.views.theme import Theme

_SHOWN_MS = 20_000


class Notice(QWidget):
    """A line over the table, with a button to send it away."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._good = False
        self._icon = QLabel(self)
        self._text = Label(theme, "noticeText", self, wrap=True)
        dismiss = IconButton(theme, "x", "Dismiss", size=28, icon_size=14, parent=self)
        dismiss.setObjectName("dismissNotice")
        dismiss.clicked.connect(self.hide)
        box = row(self, spacing=12, margins=(16, 9, 12, 9))
        box.addWidget(self._icon)
        box.addWidget(self._text, 1)
        box.addWidget(dismiss)
        self._timer = QTimer(self, singleShot=True, interval=_SHOWN_MS)
        self._timer.timeout.connect(self.hide)
        theme.changed.connect(self._paint_icon)
        self._paint_icon()
        self.hide()

    def tell(self, sentence: str, *, good: bool = False) -> None:
        """Show a sentence, as `good` news or as trouble; the one before it is gone."""
        self._good = good
        self._paint_icon()
        self._text.setText(sentence)
        self.setAccessibleName(sentence)
        self.setVisible(bool(sentence))
        self._timer.start()

    def add(self, sentence: str, *, good: bool) -> None:
        """Show a sentence, behind a trouble that is still shown: that one must not be missed."""
        if not (self.isHidden() or self._good):
            sentence, good = f"{self._text.text()} {sentence}", False
        self.tell(sentence, good=good)

    def _paint_icon(self) -> None:
        ratio = self.devicePixelRatioF()
        icon, colour = ("circle-check", "done") if self._good else ("circle-alert", "accent")
        self._icon.setPixmap(self._theme.pixmap(icon, colour, 18, ratio=ratio))
