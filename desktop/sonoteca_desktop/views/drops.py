"""Files dragged over the window: how many, and where they may fall."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QRectF, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QMainWindow, QWidget

from sonoteca_desktop.views.theme import Theme, paint_pixmap


def dropped_paths(mime: QMimeData) -> list[Path]:
    """The local files and folders of a drag; what is not on this computer is left out."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    return [path for path in paths if path.exists()]


def drop_words(paths: list[Path]) -> str:
    """What a drop would do: `Drop to upload 2 files and 1 folder`."""
    folders = sum(path.is_dir() for path in paths)
    parts = [
        f"{number} {noun}{'' if number == 1 else 's'}"
        for number, noun in ((len(paths) - folders, "file"), (folders, "folder"))
        if number
    ]
    return f"Drop to upload {' and '.join(parts)}"


class DropOverlay(QWidget):
    """Covers its parent while files are held over it."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("dropOverlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._theme = theme
        self.words = ""
        self.hide()

    def cover(self, words: str) -> None:
        """Show what a drop here would do."""
        self.words = words
        self.setAccessibleName(words)
        parent = self.parentWidget()
        assert parent is not None
        self.setGeometry(parent.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = self._theme.color("background")
        veil.setAlphaF(0.94)
        area = QRectF(self.rect())
        painter.fillRect(area, veil)
        tint = self._theme.color("accent")
        tint.setAlphaF(0.07)
        pen = QPen(self._theme.color("accent"), 2, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(tint)
        painter.drawRoundedRect(area.adjusted(14, 14, -14, -14), 12, 12)
        middle = area.center().y()
        icon = self._theme.pixmap("upload", "accent", 40, ratio=self.devicePixelRatioF())
        paint_pixmap(painter, QRectF(0, middle - 62, area.width(), 48), icon)
        painter.setPen(self._theme.color("text"))
        painter.setFont(self._theme.font(15, 600))
        line = QRectF(0, middle, area.width(), 24)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, self.words)
        painter.setPen(self._theme.color("dim"))
        painter.setFont(self._theme.font(13))
        line = QRectF(0, middle + 26, area.width(), 22)
        painter.drawText(
            line, Qt.AlignmentFlag.AlignCenter, "Your files stay where they are; copies are sent."
        )


class DropWindow(QMainWindow):
    """A window that files can be dropped on; only ever to be copied.

    Signals:
        filesDropped(list[Path]): files and folders to upload.
    """

    filesDropped = Signal(list)
    overlay: DropOverlay

    def cover_with(self, overlay: DropOverlay) -> None:
        """Take drops from now on, with this over the window meanwhile."""
        self.overlay = overlay
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths := dropped_paths(event.mimeData()):
            self.overlay.cover(drop_words(paths))
            _take_copies(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if not self.overlay.isHidden():
            _take_copies(event)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.overlay.hide()
        if paths := dropped_paths(event.mimeData()):
            _take_copies(event)
            self.filesDropped.emit(paths)


def _take_copies(event: QDropEvent) -> None:
    # A file manager may offer to move: recordings must stay where they are.
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()
