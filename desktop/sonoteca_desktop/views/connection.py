"""Whether the server can be reached: the chip with its name, and the banner when it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.views.buttons import TextButton
from sonoteca_desktop.views.layout import Label, row
from sonoteca_desktop.views.theme import Theme, paint_pixmap


class Reach(StrEnum):
    """How the server answers."""

    CONNECTING = "Connecting"
    ONLINE = "Connected"
    STUCK = "Cannot be followed"
    OFFLINE = "Cannot be reached"


@dataclass(frozen=True, slots=True)
class Connection:
    """The server by name, whether it answers, and in how many seconds we ask it again.

    `trouble` is the reason in one sentence when it does not, or when it cannot be followed.
    """

    reach: Reach
    name: str
    retry_in: float | None = None
    trouble: str = ""

    @property
    def is_up(self) -> bool:
        """Whether nothing is in the way, so far as is known."""
        return self.reach in (Reach.CONNECTING, Reach.ONLINE)

    @property
    def reason(self) -> str:
        """The trouble, with a full stop."""
        return f"{self.trouble.rstrip('.')}." if self.trouble else ""


class ServerChip(QWidget):
    """The name of the server and a dot: green when it answers."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("serverChip")
        self._theme = theme
        self._connection = Connection(Reach.CONNECTING, "")
        self.setFont(theme.font(13, 500))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_connection(self, connection: Connection) -> None:
        self._connection = connection
        reach = f"{connection.name}: {str(connection.reach).lower()}"
        self.setToolTip(units.tool_tip(f"{reach}\n{connection.reason}".rstrip()))
        self.setAccessibleName(f"Server {connection.name}: {str(connection.reach).lower()}")
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance(self._connection.name)
        return QSize(min(width, 180) + 58, 32)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect())
        painter.setPen(self._theme.color("hairline"))
        painter.setBrush(self._theme.color("raised"))
        painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        icon = self._theme.pixmap("server", "dim", ratio=self.devicePixelRatioF())
        paint_pixmap(painter, QRectF(10, 0, 16, area.height()), icon)
        painter.setPen(self._theme.color("text"))
        room = area.width() - 58
        name = self.fontMetrics().elidedText(
            self._connection.name, Qt.TextElideMode.ElideMiddle, round(room) + 1
        )
        place = QRectF(33, 0, room + 2, area.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, name)
        tokens = {Reach.ONLINE: "done", Reach.CONNECTING: "faint"}
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color(tokens.get(self._connection.reach, "danger")))
        painter.drawEllipse(QPointF(area.right() - 13, area.center().y()), 3.5, 3.5)


class OfflineBanner(QWidget):
    """Says that the server is away, or what else is in the way, and counts down to the next try.

    Signals:
        retryRequested(): Retry now was pressed.
        ticked(): the words changed, a second has gone by.
    """

    retryRequested = Signal()
    ticked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("offlineBanner")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._connection = Connection(Reach.CONNECTING, "")
        self._retry_at: float | None = None
        self._icon = QLabel(self)
        self._text = Label(theme, "offlineText", self, wrap=True)
        retry = TextButton(theme, "Retry now", height=30, parent=self)
        retry.setObjectName("retryButton")
        retry.clicked.connect(self.retryRequested)
        box = row(self, spacing=12, margins=(16, 9, 12, 9))
        box.addWidget(self._icon)
        box.addWidget(self._text, 1)
        box.addWidget(retry)
        self._timer = QTimer(self, interval=500)
        self._timer.timeout.connect(self._tick)
        theme.changed.connect(self._paint_icon)
        self._paint_icon()
        self.hide()

    def show_connection(self, connection: Connection) -> None:
        """Take note of how the server answers; whether to show is for the window to say."""
        self._connection = connection
        wait = connection.retry_in
        self._retry_at = None if wait is None else monotonic() + wait
        if connection.is_up:
            self._timer.stop()
        else:
            self._timer.start()
        self._tick()

    @property
    def next_try(self) -> str:
        """When we try again, as a sentence."""
        left = 0.0 if self._retry_at is None else self._retry_at - monotonic()
        return f"Trying again in {round(left)} s." if left >= 0.5 else "Trying again now."

    def _tick(self) -> None:
        now = self._connection
        if now.reach is Reach.STUCK:
            text = f"What is shown is no longer up to date. {now.reason} {self.next_try}"
        else:
            text = (
                f"The library on {now.name} cannot be reached. "
                f"You can browse and play what is on this computer. {self.next_try}"
            )
        if text != self._text.text():
            self._text.setText(text)
            self.ticked.emit()

    def _paint_icon(self) -> None:
        ratio = self.devicePixelRatioF()
        self._icon.setPixmap(self._theme.pixmap("cloud-off", "danger", 18, ratio=ratio))
