"""A folder is dropped on the window; a colleague sees it arrive."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import requests
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sonoteca_desktop.transfers.queue import State
from tests.kit import engines
from tests.kit.desktop import desktop, drop, is_in, rows, transfer, wait_for
from tests.kit.http import serve, server_process
from tests.kit.wavs import write_broken, write_wav


def make_tree(folder: Path) -> Path:
    """Three different take1.wav, the first of them twice, and two that are broken."""
    tree = folder / "Field trip"
    for seed, day in enumerate(("monday", "tuesday", "wednesday")):
        (tree / day).mkdir(parents=True)
        write_wav(tree / day / "take1.wav", seconds=0.5, seed=seed)
    shutil.copy(tree / "monday" / "take1.wav", tree / "wednesday" / "copy of take1.wav")
    write_broken(tree / "monday" / "notes.wav", "text")
    write_broken(tree / "tuesday" / "stub.wav", "cut header")
    (tree / "readme.txt").write_text("not a sound")
    return tree


@pytest.mark.timeout(60)
def test_a_dropped_tree_arrives_with_its_folders_and_bad_files_say_why(
    qtbot: QtBot, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path)
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    with (
        server_process(tmp_path / "library") as server,
        desktop(qtbot, server.url, tmp_path / "one") as client,
        desktop(qtbot, server.url, tmp_path / "two") as colleague,
    ):
        assert drop(client, tree) is Qt.DropAction.CopyAction
        ended = (State.DONE, State.FAILED)
        wait_for(
            qtbot,
            lambda: (
                len(client.queue.snapshot()) == 6
                and all(one.state in ended for one in client.queue.snapshot())
            ),
        )
        finished = time.monotonic()
        expected = {
            (f"Field trip/{day}", "take1.wav") for day in ("monday", "tuesday", "wednesday")
        }
        wait_for(qtbot, lambda: len(rows(colleague)) == 3)
        assert time.monotonic() - finished < 2  # what the colleague is promised
        wait_for(qtbot, lambda: len(rows(client)) == 3)
        first_or_copy = {("Field trip/wednesday", "copy of take1.wav")}
        # Which of two equal files came first is up to the line; the other one is the duplicate.
        assert set(rows(colleague)) <= expected | first_or_copy
        assert len({name for _, name in rows(colleague)} & {"take1.wav"}) == 1
        assert rows(client) == rows(colleague)
        notes = {one.name: one.note.lower() for one in client.queue.snapshot()}
        doubles = [one for one in client.queue.snapshot() if "already" in one.note.lower()]
        assert len(doubles) == 1
        assert "already there as Field trip/" in doubles[0].note
        assert transfer(client, "notes.wav").state is State.FAILED
        assert transfer(client, "stub.wav").state is State.FAILED
        assert "text, not a wav" in notes["notes.wav"]
        assert "at byte" in notes["stub.wav"]
        wait_for(
            qtbot, lambda: "1 file that is no WAV" in client.window.library.notice.accessibleName()
        )
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


@pytest.mark.timeout(60)
def test_real_recordings_arrive_whole(qtbot: QtBot, tmp_path: Path, real_wavs: Path) -> None:
    recordings = [path for path in real_wavs.iterdir() if path.suffix.lower() == ".wav"]
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "one") as client,
    ):
        drop(client, real_wavs)
        wait_for(qtbot, lambda: len(rows(client)) == len(recordings), seconds=40)
        sounds = requests.get(f"{server}/info", timeout=10).json()
        kept = {sound["name"]: (sound["folder"], sound["size"]) for sound in sounds}
        assert kept == {path.name: (real_wavs.name, path.stat().st_size) for path in recordings}


@pytest.mark.timeout(60)
def test_files_of_the_system_are_taken(qtbot: QtBot, tmp_path: Path) -> None:
    folder = engines.require("alsa-utils").parent
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "one") as client,
    ):
        drop(client, folder / "Noise.wav", folder / "Front_Center.wav")
        wait_for(
            qtbot, lambda: sorted(rows(client)) == [("", "Front_Center.wav"), ("", "Noise.wav")]
        )


@pytest.mark.timeout(60)
def test_a_server_that_is_away_keeps_uploads_waiting(qtbot: QtBot, tmp_path: Path) -> None:
    write_wav(tmp_path / "late.wav", seconds=0.2)
    with server_process(tmp_path / "library") as server:
        server.kill()
        with desktop(qtbot, server.url, tmp_path / "one") as client:
            drop(client, tmp_path / "late.wav")
            wait_for(qtbot, lambda: is_in(client, "late.wav", State.WAITING))
            assert "reach" in transfer(client, "late.wav").note
            server.start()
            wait_for(qtbot, lambda: rows(client) == [("", "late.wav")], seconds=30)
