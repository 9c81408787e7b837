"""The client as it is started from a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from sonoteca_desktop.__main__ import main
from sonoteca_shared import __version__
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import write_wav


def start(*words: str, folder: Path | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sonoteca_desktop", *words]
    env = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    return subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_help_and_version_need_no_window() -> None:
    with start("--version") as program:
        assert program.communicate(timeout=15)[0] == f"Sonoteca {__version__}\n"
    with start("--help") as program:
        assert "example: sonoteca" in program.communicate(timeout=15)[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["pusj"], "there is no file and no command “pusj”; did you mean push?"),
        (["--data", "x", "lst"], "there is no file and no command “lst”; did you mean list?"),
        (["pusj", "--folder", "x"], "did you mean push?"),
        (["zzz"], "the commands are push, pull, list, sync"),
        (["--server", "nonsense://x"], "“nonsense://x” is no address of a server"),
        (["--server", "studio"], "one looks like http://studio:8282"),
    ],
)
def test_a_mistyped_word_opens_no_window(words: list[str], told: str, tmp_path: Path) -> None:
    with start(*words, folder=tmp_path) as program:
        shown = program.communicate(timeout=15)
    assert (program.returncode, shown[0]) == (2, "")
    assert told in shown[1]


@pytest.mark.timeout(60)
def test_files_on_the_command_line_are_uploaded(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "take1.wav", seconds=0.2)
    with serve(tmp_path / "library") as server:
        data = ("--data", str(tmp_path / "client"))
        with start("--server", server, *data, str(path)) as program:
            try:
                names = until(lambda: requests.get(f"{server}/list", timeout=10).json(), seconds=30)
            finally:
                program.kill()
    assert names == ["take1.wav"]


@pytest.mark.timeout(60)
def test_a_second_start_hands_its_files_to_the_window_that_is_open(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "take2.wav", seconds=0.2)
    with serve(tmp_path / "library") as server:
        words = ("--server", server, "--data", str(tmp_path / "client"))
        with start(*words) as first:
            try:
                until((tmp_path / "client" / "journal.sqlite").exists, seconds=30)
                with start(*words, path.name, folder=tmp_path) as second:
                    told = second.communicate(timeout=30)
                    assert (second.returncode, told) == (0, ("", ""))
                names = until(lambda: requests.get(f"{server}/list", timeout=10).json(), seconds=30)
                assert first.poll() is None
            finally:
                first.kill()
    assert names == ["take2.wav"]


@pytest.mark.qt_log_ignore("This plugin does not support", "pipewire", extend=True)
def test_what_keeps_the_window_from_opening_is_told_in_a_box(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"no database at all. " * 400)
    told: list[str] = []

    def dismiss() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        told.append(box.informativeText())
        qtbot.keyClick(box, Qt.Key.Key_Return)

    QTimer.singleShot(300, dismiss)
    assert main(["--data", str(tmp_path)]) == 1
    [sentence] = told
    assert sentence.startswith("The list of transfers")
