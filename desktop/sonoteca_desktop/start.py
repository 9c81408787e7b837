"""Opens the window, once for each data folder, and stays until it is closed."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QMessageBox

from sonoteca_desktop import settings
from sonoteca_desktop.app import Desktop
from sonoteca_desktop.background import Sweeper
from sonoteca_desktop.handover import Call, Door, hand_over
from sonoteca_desktop.settings import Places
from sonoteca_desktop.transfers.plan import PathBlockedError
from sonoteca_desktop.views.theme import Theme
from sonoteca_shared.errors import SonotecaError


def run(server: str | None, folder: Path, files: list[Path]) -> int:
    """Open the window and stay until it is closed, or have the one that runs do it; an exit code.

    What keeps the window from opening is told in a box, and raised as a SonotecaError.
    """
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    application.setApplicationName("Sonoteca")
    application.setDesktopFileName("io.github.sonoteca.Sonoteca")
    call = Call.of(server, files)
    if hand_over(folder, call):
        return 0
    choices = settings.load_choices(Places(folder, "").choices)
    theme = Theme(choices.theme)
    theme.apply(application)
    application.setWindowIcon(QIcon(theme.pixmap("sonoteca", "accent", 64)))
    try:
        desktop = _open((server or choices.server).rstrip("/"), folder, theme)
    except SonotecaError as error:
        if hand_over(folder, call):  # two were started at the same time
            return 0
        _tell(error)
        raise
    return _stay(application, desktop, Door(folder, desktop), call)


def _open(server: str, folder: Path, theme: Theme) -> Desktop:
    try:
        return Desktop(server, folder, theme=theme)
    except (OSError, sqlite3.Error) as error:
        raise PathBlockedError(
            f"Nothing can be kept in {folder}: {error}. Make room or allow it, or name another "
            "folder with --data"
        ) from error


def _stay(application: QApplication, desktop: Desktop, door: Door, call: Call) -> int:
    sweeper = Sweeper(application)
    sys.excepthook = desktop.tell_failure
    door.called.connect(desktop.answer)
    desktop.window.closing.connect(door.close)
    door.open()
    desktop.start()
    if call.files:
        desktop.upload(call.paths)
    code = application.exec()
    desktop.close()
    sweeper.deleteLater()
    return code


def _tell(error: SonotecaError) -> None:
    """Say it to those who started it from a menu: they see no terminal."""
    box = QMessageBox(QMessageBox.Icon.Critical, "Sonoteca", "Sonoteca cannot be opened")
    box.setObjectName("startFailure")
    box.setInformativeText(f"{str(error).rstrip('.')}.")
    box.exec()
