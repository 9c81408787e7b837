"""What goes wrong on this computer is told as such, and what the server can do is still done."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from sonoteca_desktop.settings import Places
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.views.commands import Command
from tests.kit.desktop import desktop, wait_for
from tests.kit.http import serve

pytestmark = pytest.mark.slow


def test_a_copy_that_cannot_be_written_is_not_a_server_that_is_away(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with serve(tmp_path / "library") as server:
        places = Places(tmp_path / "client", server)
        Mirror(places.mirror).close()
        with contextlib.closing(sqlite3.connect(places.mirror)) as copy:
            copy.execute("DROP TABLE facts")
            copy.execute("CREATE VIEW facts AS SELECT NULL AS name, NULL AS value")
        with desktop(qtbot, server, tmp_path / "client") as client:
            text = client.window.findChild(QLabel, "emptyText")
            assert isinstance(text, QLabel)
            wait_for(qtbot, lambda: "on this computer cannot be written" in text.text())
            assert "reached" not in client.window.top.server.accessibleName()
            assert client.window.commands[Command.ZIP_LINKS].isEnabled()
