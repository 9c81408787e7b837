"""The icon in the tray, where there is one: how far transfers are, and the way back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QIcon, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from sonoteca_desktop.models.transfers import TransfersModel
from sonoteca_desktop.views.theme import Theme, paint_pixmap

_SIZE = 64
_STEPS = 32
"""The ring is painted anew when it is longer by one of these."""


def tray_pixmap(theme: Theme, share: float | None) -> QPixmap:
    """Our icon, with a ring that closes as `share` goes from 0 to 1; None is without a ring."""
    pixmap = QPixmap(_SIZE, _SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    whole = QRectF(0, 0, _SIZE, _SIZE)
    icon = theme.pixmap("sonoteca", "accent", _SIZE if share is None else _SIZE * 5 // 8)
    paint_pixmap(painter, whole, icon)
    if share is not None:
        ring = whole.adjusted(4, 4, -4, -4)
        painter.setPen(QPen(theme.color("faint"), 6))
        painter.drawEllipse(ring)
        painter.setPen(QPen(theme.color("accent"), 6))
        painter.drawArc(ring, 90 * 16, -round(360 * 16 * share))  # from the top, clockwise
    painter.end()
    return pixmap


class Tray(QObject):
    """Shows progress and sentences, and brings the window back.

    Signals:
        showRequested(): the icon was clicked, or its message.
    """

    showRequested = Signal()

    def __init__(
        self, theme: Theme, transfers: TransfersModel, actions: Sequence[QAction], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._transfers = transfers
        self._step: int | None = None
        self._menu = QMenu()
        show = self._menu.addAction("Show Sonoteca")
        show.triggered.connect(self._ask)
        self._menu.addActions(list(actions))
        self.icon = QSystemTrayIcon(self)
        self.icon.setContextMenu(self._menu)
        self.icon.activated.connect(self._activated)
        self.icon.messageClicked.connect(self._ask)
        transfers.statusChanged.connect(self._show)
        theme.changed.connect(self._paint)
        self._paint()
        self._show()
        self.icon.show()

    @staticmethod
    def is_there() -> bool:
        """Whether this desktop has a tray at all."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def tell(self, sentence: str) -> None:
        """Say something where the window may not be seen."""
        self.icon.showMessage("Sonoteca", sentence, self.icon.icon())

    def close(self) -> None:
        """Take the icon away."""
        self.icon.hide()
        self._menu.deleteLater()

    def _show(self) -> None:
        totals = self._transfers.totals
        self.icon.setToolTip("\n".join(each for each in ("Sonoteca", totals.words()) if each))
        step = round(totals.share * _STEPS) if totals.open else None
        if step != self._step:
            self._step = step
            self._paint()

    def _paint(self) -> None:
        share = None if self._step is None else self._step / _STEPS
        self.icon.setIcon(QIcon(tray_pixmap(self._theme, share)))

    def _activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason != QSystemTrayIcon.ActivationReason.Context:
            self._ask()

    def _ask(self) -> None:
        self.showRequested.emit()
