"""A real mouse drags real files from another program onto the window (XDND)."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from tests.kit import dragger, engines
from tests.kit.audio import CapturingOutputs
from tests.kit.desktop import desktop, rows, wait_for
from tests.kit.http import serve
from tests.kit.wavs import write_wav

pytestmark = [pytest.mark.window, pytest.mark.timeout(60)]


def glide(xdotool: Path, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press, leave the start threshold, glide in small steps, and let go."""

    def mouse(*words: object) -> None:
        subprocess.run([xdotool, *map(str, words)], check=True)
        time.sleep(0.02)

    mouse("mousemove", *start)
    mouse("mousedown", 1)
    steps = 25
    for step in range(1, steps + 1):
        here = (round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))
        mouse("mousemove", *here)
    mouse("mousemove", end[0] + 2, end[1])
    time.sleep(0.2)
    mouse("mousemove", *end)
    time.sleep(0.2)
    mouse("mouseup", 1)


def drag(qtbot: QtBot, client: Desktop, *paths: Path) -> str:
    """Drag files from the other program to the middle of our window; what it was answered."""
    xdotool = engines.require("xdotool")
    client.window.setGeometry(200, 0, 1000, 640)
    qtbot.waitExposed(client.window)
    command = [sys.executable, "-m", dragger.__name__, *map(str, paths)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        qtbot.wait(500)
        answer: list[str] = []
        output = other.stdout

        def move() -> str:
            glide(xdotool, (80, 80), (700, 320))
            return output.readline().strip()

        client.bridge.run(move, answer.append)
        wait_for(qtbot, lambda: answer, seconds=20)
        wait_for(qtbot, lambda: rows(client))
        other.terminate()
        return answer[0]


@pytest.fixture
def client(qtbot: QtBot, tmp_path: Path) -> Iterator[Desktop]:
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        yield client


def test_a_file_is_dragged_in(qtbot: QtBot, client: Desktop, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "wïnd & ünïcode 50%.wav", seconds=0.2)
    assert drag(qtbot, client, path) == "CopyAction"
    wait_for(qtbot, lambda: rows(client) == [("", path.name)])
    assert path.exists()


def test_a_folder_is_dragged_in(qtbot: QtBot, client: Desktop, tmp_path: Path) -> None:
    for seed, place in enumerate(("day 1", "day 2/roof")):
        folder = tmp_path / "field trip" / place
        folder.mkdir(parents=True)
        write_wav(folder / "take1.wav", seconds=0.2, seed=seed)
    assert drag(qtbot, client, tmp_path / "field trip") == "CopyAction"
    expected = [("field trip/day 1", "take1.wav"), ("field trip/day 2/roof", "take1.wav")]
    wait_for(qtbot, lambda: sorted(rows(client)) == expected)
