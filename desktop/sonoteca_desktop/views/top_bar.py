"""The bar at the top: the program's name, search, the server, Upload and the menu."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sonoteca_desktop.views.buttons import IconButton, TextButton
from sonoteca_desktop.views.connection import ServerChip
from sonoteca_desktop.views.layout import row
from sonoteca_desktop.views.search import SearchField
from sonoteca_desktop.views.theme import Theme, paint_pixmap


class _Brand(QWidget):
    """The mark and the name."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(218, 54)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        mark = self._theme.pixmap("sonoteca", "accent", 24, ratio=self.devicePixelRatioF())
        paint_pixmap(painter, QRectF(16, 0, 24, self.height()), mark)
        painter.setFont(self._theme.font(15, 600))
        painter.setPen(self._theme.color("text"))
        name = QRectF(50, 0, 160, self.height())
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter, "Sonoteca")


class TopBar(QWidget):
    """Everything in it is public: the window connects it."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("topBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(54)
        self.search = SearchField(theme, self)
        self.server = ServerChip(theme, self)
        self.upload = TextButton(theme, "Upload", icon="upload", primary=True, parent=self)
        self.upload.setObjectName("uploadButton")
        self.upload.setToolTip("Upload files… (Ctrl+O)")
        self.menu = IconButton(theme, "menu", "Menu", parent=self)
        self.menu.setObjectName("menuButton")
        box = row(self, spacing=10, margins=(0, 0, 12, 0))
        box.addWidget(_Brand(theme, self))
        box.addSpacing(-4)
        box.addWidget(self.search, 1)
        box.addSpacing(2)
        box.addWidget(self.server)
        box.addWidget(self.upload)
        box.addWidget(self.menu)
