"""The whole client, as a user opens it: in the test's own process, or as one that can be killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.sounds import Column
from sonoteca_desktop.playback.output import OutputFactory
from sonoteca_desktop.transfers.queue import State, Transfer
from sonoteca_desktop.views.theme import Theme

T = TypeVar("T")


@contextlib.contextmanager
def desktop(
    qtbot: QtBot, server: str, folder: Path, *, output: OutputFactory | None = None
) -> Iterator[Desktop]:
    """A client with its window open; closed, threads and all, when the block is left."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme = Theme()
    theme.apply(application)
    client = Desktop(server, folder, theme=theme, output=output)
    client.start()
    try:
        yield client
    finally:
        client.close()
        client.window.deleteLater()
        client.deleteLater()
        qtbot.wait(0)


def drop(client: Desktop, *paths: Path) -> Qt.DropAction:
    """Drop files on the window as a file manager does; what it was told became of them."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    offered = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(400, 300), offered, mime, left, none)
    QApplication.sendEvent(client.window, enter)
    assert enter.isAccepted()
    dropped = QDropEvent(QPoint(400, 300), offered, mime, left, none)
    QApplication.sendEvent(client.window, dropped)
    return dropped.dropAction()


def rows(client: Desktop) -> list[tuple[str, str]]:
    """Folder and name of every row of the table, as they stand there."""
    sounds = (client.sounds.sound(row) for row in range(client.sounds.rowCount()))
    return [(sound.folder, sound.name) for sound in sounds if sound is not None]


def cells(client: Desktop, column: Column) -> list[str]:
    """What a column of the table says, from top to bottom."""
    indexes = (client.sounds.index(row, column) for row in range(client.sounds.rowCount()))
    return [str(index.data()) for index in indexes]


def wait_for(qtbot: QtBot, look: Callable[[], T], *, seconds: float = 10) -> T:
    """What `look` gives as soon as it is something, with the window alive meanwhile."""
    seen: list[T] = []

    def found() -> bool:
        seen[:] = [look()]
        return bool(seen[0])

    qtbot.waitUntil(found, timeout=round(seconds * 1000))
    return seen[0]


def transfer(client: Desktop, name: str) -> Transfer:
    """The newest transfer of this name."""
    return [one for one in client.queue.snapshot() if one.name == name][-1]


def is_in(client: Desktop, name: str, state: State) -> bool:
    """Whether there is a transfer of this name, and it is in this state."""
    return any(one.name == name and one.state is state for one in client.queue.snapshot())


class ClientProcess:
    """The client as its own process, without a screen, that downloads everything it sees."""

    def __init__(self, server: str, folder: Path, downloads: Path, *, limit: int = 0) -> None:
        command = [sys.executable, "-m", "tests.kit.downloader", server, str(folder)]
        self._command = [*command, str(downloads), str(limit)]
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        root = Path(__file__).parents[2]
        env = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
        self._process = subprocess.Popen(self._command, cwd=root, env=env)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait()
