"""A stand-in for a file manager: a window from which the files of the command line can be dragged.

It offers to move them too, as file managers do, and prints what the other side made of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

PLACE = (0, 0, 160, 160)


class Files(QLabel):
    """The files, as one thing to take hold of."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__("\n".join(path.name for path in paths))
        self._paths = paths
        self._dragging = False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        self._dragging = True
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in self._paths])
        drag = QDrag(self)
        drag.setMimeData(mime)
        action = drag.exec(
            Qt.DropAction.CopyAction | Qt.DropAction.MoveAction, Qt.DropAction.MoveAction
        )
        # The other side fetches the list of files only now: it is here until somebody ends it.
        sys.stdout.write(f"{action.name}\n")
        sys.stdout.flush()


def main(paths: list[str]) -> int:
    """Show the files until somebody ends it."""
    application = QApplication([])
    files = Files([Path(path) for path in paths])
    files.setGeometry(*PLACE)
    files.show()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    return application.exec()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
