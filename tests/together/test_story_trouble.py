"""What goes wrong on this computer is told as such, and what the server can do is still done."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
import requests
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from sonoteca_desktop.settings import Places
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.views.commands import Command
from tests.kit.desktop import desktop, rows, wait_for
from tests.kit.http import serve, server_process
from tests.kit.wavs import Plan, build_wav

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


def test_another_library_at_the_same_address_is_told_of(qtbot: QtBot, tmp_path: Path) -> None:
    with server_process(tmp_path / "one") as server:
        port = server.url.rpartition(":")[2]
        data = build_wav(Plan(frames=100))
        requests.post(f"{server.url}/post?name=a.wav", data=data, timeout=10)
        with desktop(qtbot, server.url, tmp_path / "client") as client:
            wait_for(qtbot, lambda: rows(client) == [("", "a.wav")])
            server.stop()
            with server_process(tmp_path / "two", "--port", port):
                notice = client.window.library.notice
                wait_for(qtbot, notice.isVisible, seconds=15)
                said = [each.text() for each in notice.findChildren(QLabel)]
                assert any("is another library than before" in text for text in said), said
                wait_for(qtbot, lambda: rows(client) == [])
