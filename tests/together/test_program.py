"""The client as it is started from a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sonoteca_shared import __version__
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import write_wav


def start(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sonoteca_desktop", *words]
    env = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_help_and_version_need_no_window() -> None:
    with start("--version") as program:
        assert program.communicate(timeout=15)[0] == f"Sonoteca {__version__}\n"
    with start("--help") as program:
        assert "example: sonoteca" in program.communicate(timeout=15)[0]


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
def test_a_second_window_on_the_same_data_is_refused_in_words(tmp_path: Path) -> None:
    with serve(tmp_path / "library") as server:
        words = ("--server", server, "--data", str(tmp_path / "client"))
        with start(*words) as first:
            try:
                journal = tmp_path / "client" / "journal.sqlite"
                until(journal.exists, seconds=30)
                until(lambda: (tmp_path / "client" / "servers").exists(), seconds=30)
                with start(*words) as second:
                    told = second.communicate(timeout=30)[1]
                    assert second.returncode == 1
            finally:
                first.kill()
    assert told.startswith("sonoteca: ")
    assert "Traceback" not in told
