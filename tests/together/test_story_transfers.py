"""Many transfers in hand: all paused, put in order, started again, all resumed, cleared."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.transfers import LineRole
from sonoteca_desktop.transfers.queue import State
from tests.kit.desktop import desktop, wait_for
from tests.kit.http import server_process
from tests.kit.throttle import line
from tests.kit.wavs import write_wav

MIB = 1 << 20


def names(client: Desktop) -> list[str]:
    """The names of the rows, from top to bottom."""
    return [str(client.transfers.index(row).data()) for row in range(client.transfers.rowCount())]


def states(client: Desktop) -> set[State]:
    return {each.state for each in client.queue.snapshot()}


def click(qtbot: QtBot, client: Desktop, name: str) -> None:
    button = client.window.findChild(QAbstractButton, name)
    assert button is not None
    wait_for(qtbot, button.isEnabled)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.timeout(90)
def test_paused_put_in_order_restarted_and_resumed(qtbot: QtBot, tmp_path: Path) -> None:
    files = [write_wav(tmp_path / f"{name}.wav", frames=MIB, seed=ord(name)) for name in "abcde"]
    with server_process(tmp_path / "library") as server, line(server.url) as counted:
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            client.queue.set_limit(2 * MIB)
            client.upload(files)
            wait_for(qtbot, lambda: counted.asked > MIB)
            click(qtbot, client, "pauseAllButton")
            wait_for(qtbot, lambda: states(client) <= {State.PAUSED, State.DONE})
            stopped = counted.asked
            rows = client.window.transfers.list
            rows.setFocus()
            rows.setCurrentIndex(client.transfers.index(names(client).index("e.wav")))
            qtbot.keyClick(rows, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
            assert names(client)[0] == "e.wav"
            order = names(client)
            client.queue.arrangement.set_at_once(1)
            client.window.close()  # nothing runs: nothing is asked
        server.stop()
        server.start()
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            assert (names(client), client.queue.arrangement.at_once) == (order, 1)
            assert states(client) == {State.PAUSED}
            assert str(client.transfers.index(0).data(LineRole)).startswith("Paused at ")
            client.queue.set_limit(None)
            click(qtbot, client, "resumeAllButton")
            wait_for(qtbot, lambda: states(client) == {State.DONE}, seconds=40)
            said = wait_for(qtbot, client.window.library.notice.accessibleName)
            assert said == "5 transfers are done."
            click(qtbot, client, "clearFinishedButton")
            assert names(client) == []
        sent = counted.asked
        listed = requests.get(f"{server.url}/list", timeout=10).json()
    assert listed[0] == "e.wav"  # the first to be done
    assert sorted(listed) == [path.name for path in files]
    total = sum(path.stat().st_size for path in files)
    assert MIB < stopped < total < sent < total + 2 * MIB  # hardly a byte was sent twice


@pytest.mark.timeout(60)
def test_finished_and_failed_ones_are_there_after_a_restart(qtbot: QtBot, tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav")
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"ID3 this is no WAV")
    with server_process(tmp_path / "library") as server:
        with desktop(qtbot, server.url, tmp_path / "client") as client:
            client.upload([good, bad])
            wait_for(qtbot, lambda: states(client) == {State.DONE, State.FAILED})
        with desktop(qtbot, server.url, tmp_path / "client") as client:
            assert names(client) == ["bad.wav", "good.wav"]
            failed = str(client.transfers.index(0).data(LineRole))
            assert failed.startswith("This is not a WAV file that can be used")
            assert failed.endswith(
                "Put a WAV file there, saved as such in an editor, then try again."
            )


@pytest.mark.long
@pytest.mark.timeout(300)
def test_two_thousand_small_files_come_and_the_memory_stays_flat(
    qtbot: QtBot, tmp_path: Path
) -> None:
    def resident() -> int:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])

    folder = tmp_path / "field"
    for number in range(2000):
        write_wav(folder / f"{number}.wav", frames=400, seed=number)
    with (
        server_process(tmp_path / "library") as server,
        desktop(qtbot, server.url, tmp_path / "client") as client,
    ):
        client.upload([folder])
        wait_for(qtbot, lambda: len(client.queue.snapshot()) == 2000, seconds=60)
        before = resident()
        wait_for(qtbot, lambda: states(client) == {State.DONE}, seconds=240)
        assert resident() - before < 40 * MIB
