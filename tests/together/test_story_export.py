"""Exported and downloaded as zip: asked for in the window, made by the server, there as files."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import requests
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QAbstractButton, QComboBox, QDialog, QLineEdit, QPlainTextEdit
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.sounds import Column
from sonoteca_desktop.models.transfers import LineRole
from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.views.archive_dialogs import LinksDialog, ZipDialog
from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.export_dialog import ExportDialog
from sonoteca_desktop.views.missing import MissingDialog
from tests.kit.api import Api
from tests.kit.converting import decoded, tone
from tests.kit.desktop import desktop, is_in, transfer, wait_for
from tests.kit.engines import require
from tests.kit.http import serve, server_process
from tests.kit.throttle import line
from tests.kit.upstream import File, Upstream, upstream
from tests.kit.wavs import Plan, build_wav, write_wav

pytestmark = pytest.mark.timeout(90)
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
MIB = 1 << 20
Asked = TypeVar("Asked", bound=QDialog)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Where files are to go."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def select(qtbot: QtBot, client: Desktop, *rows: int) -> None:
    wait_for(qtbot, lambda: client.sounds.rowCount() > max(rows))
    table = client.window.library.table
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    table.clearSelection()
    for row in rows:
        table.selectionModel().select(client.sounds.index(row, Column.NAME), flags)


def ask(qtbot: QtBot, client: Desktop, command: Command, kind: type[Asked]) -> Asked:
    """The question that a command asks, once the command can be used."""
    action = client.window.commands[command]
    wait_for(qtbot, action.isEnabled)
    action.trigger()
    [found] = client.window.findChildren(kind)
    return found


def press(qtbot: QtBot, question: QDialog, name: str) -> None:
    button = question.findChild(QAbstractButton, name)
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def write(question: QDialog, **texts: str | Path) -> None:
    for name, text in texts.items():
        field = question.findChild(QLineEdit, name)
        assert field is not None
        field.setText(str(text))


def choose(question: QDialog, name: str, words: str) -> None:
    field = question.findChild(QComboBox, name)
    assert field is not None
    place = field.findText(words, Qt.MatchFlag.MatchStartsWith)
    assert place >= 0, [field.itemText(each) for each in range(field.count())]
    field.setCurrentIndex(place)
    field.activated.emit(place)


def contents(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return sorted(archive.namelist())


def test_the_selected_sounds_come_as_one_zip(qtbot: QtBot, tmp_path: Path, there: Path) -> None:
    with serve(tmp_path / "library") as server:
        names = sorted(each["name"] for each in Api(server).uploads(1, 2, 3))
        with desktop(qtbot, server, tmp_path / "client") as client:
            select(qtbot, client, 0, 1)
            wait_for(qtbot, client.window.commands[Command.ZIP].isEnabled)
            qtbot.keyClick(client.window, Qt.Key.Key_D, CONTROL | SHIFT)
            [question] = client.window.findChildren(ZipDialog)
            write(question, zipFolderLine=there, zipName="two of them")
            wait_for(qtbot, question.isActiveWindow)
            qtbot.keyClick(question, Qt.Key.Key_Return)
            wait_for(qtbot, lambda: is_in(client, "two of them.zip", State.DONE))
            assert client.choices.export_folder == str(there)
    assert contents(there / "two of them.zip") == names[1:]


def test_a_search_and_a_collection_come_as_zips(qtbot: QtBot, tmp_path: Path, there: Path) -> None:
    with serve(tmp_path / "library") as server:
        api = Api(server)
        one, two = api.upload(1, "door.wav", folder="field"), api.upload(2, "rain.wav")
        api.upload(3, "door 2.wav")
        made = api.post("/collections", name="Wet").json()
        assert api.post(f"/collections/{made['id']}/sounds", ids=[two["id"]]).ok
        with desktop(qtbot, server, tmp_path / "client") as client:
            wait_for(qtbot, lambda: client.sounds.rowCount() == 3)
            client.window.top.search.setText("door")
            wait_for(qtbot, lambda: client.sounds.rowCount() == 2)
            question = ask(qtbot, client, Command.ZIP, ZipDialog)
            write(question, zipFolderLine=there)
            press(qtbot, question, "zipGo")
            wait_for(qtbot, lambda: is_in(client, "door.zip", State.DONE))
            question = ask(qtbot, client, Command.ZIP, ZipDialog)
            what = question.findChild(QComboBox, "zipWhat")
            assert what is not None
            wait_for(qtbot, lambda: what.findText("Collection “Wet”") > 0)
            choose(question, "zipWhat", "Collection “Wet”")
            press(qtbot, question, "zipGo")
            wait_for(qtbot, lambda: is_in(client, "Wet.zip", State.DONE))
    assert contents(there / "door.zip") == ["door 2.wav", "field/door.wav"]
    assert contents(there / "Wet.zip") == ["rain.wav"]
    assert one["folder"] == "field"


def test_cut_killed_and_restarted_in_the_middle_of_a_zip(
    qtbot: QtBot, tmp_path: Path, there: Path
) -> None:
    sources = [
        write_wav(tmp_path / f"{name}.wav", frames=2 * MIB, seed=ord(name)) for name in "abc"
    ]
    with server_process(tmp_path / "library") as server, line(server.url) as counted:
        for source in sources:
            named = {"name": source.name}
            requests.post(f"{server.url}/post", params=named, data=source.read_bytes(), timeout=30)
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            client.queue.set_limit(4 * MIB)
            wait_for(qtbot, lambda: client.sounds.rowCount() == 3)
            question = ask(qtbot, client, Command.ZIP, ZipDialog)
            write(question, zipFolderLine=there, zipName="all")
            press(qtbot, question, "zipGo")
            wait_for(qtbot, lambda: transfer(client, "all.zip").done > 2 * MIB)
            counted.cut()
            wait_for(qtbot, lambda: transfer(client, "all.zip").done > 4 * MIB)
            server.kill()
            wait_for(qtbot, lambda: is_in(client, "all.zip", State.WAITING))
            server.start()
            client.queue.retry_waiting()
            wait_for(qtbot, lambda: transfer(client, "all.zip").done > 8 * MIB)
        assert not (there / "all.zip").exists()
        with desktop(qtbot, counted.url, tmp_path / "client") as client:
            client.queue.set_limit(None)
            wait_for(qtbot, lambda: is_in(client, "all.zip", State.DONE), seconds=30)
        size = (there / "all.zip").stat().st_size
        assert counted.sent < 1.3 * size  # what lay in sockets goes with a cut
    with zipfile.ZipFile(there / "all.zip") as archive:
        for source in sources:
            assert archive.read(source.name) == source.read_bytes()
    assert [path.name for path in there.iterdir()] == ["all.zip"]


def test_links_come_as_a_zip_and_what_is_missing_is_shown(
    qtbot: QtBot, tmp_path: Path, there: Path, remote: Upstream
) -> None:
    good = remote.url("/good.wav", File(build_wav(Plan(frames=100))))
    gone = remote.url("/gone.wav")
    with (
        serve(tmp_path / "library", fetch_allow=remote.place) as server,
        desktop(qtbot, server, tmp_path / "client") as client,
    ):
        question = ask(qtbot, client, Command.ZIP_LINKS, LinksDialog)
        lines = question.findChild(QPlainTextEdit, "zipLinks")
        assert lines is not None
        lines.setPlainText(f"\n {good}\n{gone}\n")
        write(question, zipFolderLine=there, zipName="found.zip")
        press(qtbot, question, "zipGo")
        wait_for(qtbot, lambda: is_in(client, "found.zip", State.DONE), seconds=20)
        row = client.transfers.index(0)
        wait_for(qtbot, lambda: str(row.data(LineRole)).endswith(" · 1 file is missing"))
        rows = client.window.transfers.list
        rows.asked.emit([transfer(client, "found.zip")], "Show what is missing…")
        [shown] = client.window.findChildren(MissingDialog)
        listed = shown.findChild(QPlainTextEdit, "missingList")
        assert listed is not None
        assert listed.toPlainText().startswith(gone)
        qtbot.keyClick(shown, Qt.Key.Key_Escape)
        question = ask(qtbot, client, Command.ZIP_LINKS, LinksDialog)
        lines = question.findChild(QPlainTextEdit, "zipLinks")
        assert lines is not None
        assert lines.toPlainText() == f"{good}\n{gone}"
    assert contents(there / "found.zip") == ["MANIFEST.json", "good.wav"]


def test_a_sound_is_exported_as_asked_and_that_is_remembered(
    qtbot: QtBot, tmp_path: Path, there: Path
) -> None:
    require("ffmpeg")
    with serve(tmp_path / "library") as server:
        data = tone(seconds=4.0, channels=1)
        assert requests.post(f"{server}/post?name=tone.wav", data=data, timeout=9).ok
        with desktop(qtbot, server, tmp_path / "client") as client:
            select(qtbot, client, 0)
            wait_for(qtbot, client.window.commands[Command.EXPORT].isEnabled)
            qtbot.keyClick(client.window, Qt.Key.Key_E, CONTROL)
            [question] = client.window.findChildren(ExportDialog)
            choose(question, "exportFormat", "FLAC")
            choose(question, "exportBitdepth", "16")
            choose(question, "exportSamplerate", "24000")
            write(question, exportStart="1", exportEnd="3", exportFolderLine=there)
            press(qtbot, question, "exportGo")
            wait_for(qtbot, lambda: is_in(client, "tone.flac", State.DONE), seconds=20)
        with desktop(qtbot, server, tmp_path / "client") as client:
            select(qtbot, client, 0)
            question = ask(qtbot, client, Command.EXPORT, ExportDialog)
            kept = {"format": "flac", "bitdepth": "16", "samplerate": "24000"}
            assert question.options() == kept
    samples, rate = decoded((there / "tone.flac").read_bytes())
    assert (rate, len(samples)) == (24_000, 48_000)


def test_a_preset_of_the_server_fills_the_fields(qtbot: QtBot, tmp_path: Path, there: Path) -> None:
    require("ffmpeg")
    with serve(tmp_path / "library") as server:
        api = Api(server)
        for name in ("a.wav", "b.wav"):
            data = tone(seconds=1.0 + len(name))
            assert requests.post(f"{server}/post?name={name}", data=data, timeout=9).ok
        options = {"format": "mp3", "bitrate": 96_000, "normalize_lufs": -26.5}
        assert api.post("/presets", name="podcast", **options).ok
        with desktop(qtbot, server, tmp_path / "client") as client:
            select(qtbot, client, 0, 1)
            question = ask(qtbot, client, Command.EXPORT, ExportDialog)
            presets = question.findChild(QComboBox, "exportPreset")
            assert presets is not None
            wait_for(qtbot, presets.isVisible)
            choose(question, "exportPreset", "podcast")
            filled = {"format": "mp3", "bitrate": "96000", "normalize_lufs": "-26.5"}
            assert question.options() == filled
            write(question, exportFolderLine=there)
            press(qtbot, question, "exportGo")
            wait_for(qtbot, lambda: len(list(there.glob("*.mp3"))) == 2, seconds=20)


def test_asked_for_with_the_server_away_it_comes_when_the_server_is_back(
    qtbot: QtBot, tmp_path: Path, there: Path
) -> None:
    with server_process(tmp_path / "library") as server:
        Api(server.url).upload(1, "one.wav")
        with desktop(qtbot, server.url, tmp_path / "client") as client:
            select(qtbot, client, 0)
            wait_for(qtbot, lambda: not client.window.library.banner.isVisible())
            server.kill()
            wait_for(qtbot, client.window.library.banner.isVisible)
            qtbot.keyClick(client.window, Qt.Key.Key_E, CONTROL)
            [question] = client.window.findChildren(ExportDialog)
            choose(question, "exportFormat", "WAV")
            write(question, exportFolderLine=there)
            press(qtbot, question, "exportGo")
            wait_for(qtbot, lambda: is_in(client, "one.wav", State.WAITING))
            row = client.transfers.index(0)
            wait_for(qtbot, lambda: "cannot be reached" in str(row.data(LineRole)))
            assert client.window.commands[Command.ZIP_LINKS].isEnabled()
            server.start()
            wait_for(qtbot, lambda: is_in(client, "one.wav", State.DONE), seconds=30)
    assert (there / "one.wav").exists()
