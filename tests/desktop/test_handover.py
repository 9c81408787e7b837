"""A second start hands over what it was asked for, and the window says what it does of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sonoteca_desktop.handover import Call, Door
from tests.kit.desktop import desktop, wait_for

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", "pipewire", extend=True)


_KNOCK = """
import sys
from pathlib import Path
from sonoteca_desktop.handover import Call, hand_over
folder, server, *files = map(Path, sys.argv[1:])
sys.exit(not hand_over(folder, Call.of(sys.argv[2], files)))
"""


def knock(qtbot: QtBot, folder: Path, server: str = "", *files: Path) -> bool:
    """Hand a call over as another process, while the window goes on."""
    with subprocess.Popen([sys.executable, "-c", _KNOCK, folder, server, *files]) as program:
        wait_for(qtbot, lambda: program.poll() is not None)
        return program.returncode == 0


def test_files_come_as_they_are_called_whatever_that_is(qtbot: QtBot, tmp_path: Path) -> None:
    files = [tmp_path / "a\nb.wav", tmp_path / os.fsdecode(b"caf\xe9.wav")]
    door = Door(tmp_path)
    door.open()
    heard: list[Call] = []
    door.called.connect(heard.append)
    assert knock(qtbot, tmp_path, "http://studio:8282", *files)
    assert [each.server for each in heard] == ["http://studio:8282"]
    assert heard[0].paths == files
    door.close()
    assert not knock(qtbot, tmp_path)


def test_other_folders_have_other_windows(qtbot: QtBot, tmp_path: Path) -> None:
    door = Door(tmp_path)
    door.open()
    assert not knock(qtbot, tmp_path / "other")
    door.close()


def test_the_window_comes_to_the_front_and_stays_with_its_server(
    qtbot: QtBot, tmp_path: Path
) -> None:
    server = "http://127.0.0.1:9"
    with desktop(qtbot, server, tmp_path) as client:
        client.window.setWindowState(Qt.WindowState.WindowMinimized)
        client.answer(Call.of(f"{server}/", []))
        assert not client.window.isMinimized()
        notice = client.window.library.notice
        assert not notice.isVisible()
        client.answer(Call.of("http://elsewhere:1", []))
        assert notice.accessibleName() == (
            "This window stays with 127.0.0.1:9. Quit it first to open http://elsewhere:1."
        )
