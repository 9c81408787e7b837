"""The questions about exports and zips: what they offer, and what they say of a slip."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import requests
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from sonoteca_desktop.client import Client
from sonoteca_desktop.models.offers import Offer, Offers, Preset, find_offer
from sonoteca_desktop.sync.mirror import Scope
from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.views.archive_dialogs import LinksDialog, Source, ZipDialog
from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.dialogs import Question
from sonoteca_desktop.views.export_dialog import ExportDialog
from sonoteca_desktop.views.exporting import Exporting
from sonoteca_desktop.views.theme import Theme
from tests.kit.http import serve
from tests.kit.window import opened, sound

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
ONE = [sound("Rain.wav", number=2)]  # 12 seconds
SOURCES = [Source("“Rain.wav” (1 KB)", "Rain", Wish(sounds=("a",)))]


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    theme = Theme()
    theme.apply(qapp)
    return theme


@pytest.fixture
def window(qtbot: QtBot) -> QWidget:
    """Whose questions they are: those that were answered are gone before it is."""
    window = QWidget()
    qtbot.addWidget(window)
    return window


@pytest.fixture
def export(qtbot: QtBot, theme: Theme, tmp_path: Path, window: QWidget) -> ExportDialog:
    dialog = ExportDialog(theme, ONE, {}, tmp_path, window)
    dialog.open()
    qtbot.waitUntil(dialog.isActiveWindow)
    return dialog


def field(question: Question, name: str) -> QWidget:
    found = question.findChild(QWidget, name)
    assert found is not None
    return found


def write(question: Question, name: str, text: str) -> None:
    found = field(question, name)
    if isinstance(found, QComboBox):
        found.setEditText(text)
    else:
        assert isinstance(found, QLineEdit)
        found.setText(text)


def choose(question: Question, name: str, words: str) -> None:
    found = field(question, name)
    assert isinstance(found, QComboBox)
    found.setCurrentIndex(found.findText(words))


def go(qtbot: QtBot, question: Question, name: str) -> None:
    button = question.findChild(QAbstractButton, name)
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def complaint(question: Question, name: str) -> str:
    """What stands below a field, where something does."""
    label = question.findChild(QLabel, f"{name}Error")
    assert label is not None
    return label.text() if label.isVisible() else ""


@pytest.mark.parametrize(
    ("target", "name", "text", "says"),
    [
        ("MP3", "exportSamplerate", "12345", "“Sample rate” of mp3 is one of 8000, 11025"),
        ("WAV", "exportSamplerate", "fast", "“Sample rate” takes a whole number, not “fast”"),
        ("Opus", "exportBitrate", "900k", "“Bitrate” of opus is between 6k and 510k"),
        ("MP3", "exportChannels", "6", "“Channels” of mp3 is between 1 and 2, not 6"),
        ("FLAC", "exportStart", "-1", "“From” is -1 seconds; it cannot be negative"),
        ("FLAC", "exportStart", "13", "The sound is over by then"),
        ("FLAC", "exportEnd", "soon", "“To” takes seconds or a time such as 1:30.5, not “soon”"),
        ("FLAC", "exportEnd", "1:zwei", "“To” takes seconds or a time such as 1:30.5, not “1:zw"),
        ("FLAC", "exportStart", "0:12.0", "The sound is over by then: it is 0:12.0 long"),
        ("FLAC", "exportEnd", "12.001", "The sound is over by then: it is 0:12.0 long"),
        ("FLAC", "exportEnd", "1:00", "The sound is over by then: it is 0:12.0 long"),
        ("FLAC", "exportEnd", "0", "“To” (0 seconds) has to come after “From”"),
        ("WAV", "exportNormalizeLufs", "3", "“Loudness” is between -70 and 0, not 3"),
    ],
)
def test_a_slip_is_told_below_its_field(
    qtbot: QtBot, export: ExportDialog, target: str, name: str, text: str, says: str
) -> None:
    choose(export, "exportFormat", target)
    height = export.height()
    write(export, name, text)
    go(qtbot, export, "exportGo")
    option = {"exportNormalizeLufs": "normalize_lufs"}.get(name, name.removeprefix("export"))
    told = complaint(export, option.lower())
    assert told.startswith(says)
    assert field(export, name).accessibleDescription() == told
    assert field(export, name).hasFocus()
    assert export.isVisible()
    assert export.height() > height  # else the sentence would be cut off
    write(export, name, "")
    with qtbot.waitSignal(export.wanted):
        go(qtbot, export, "exportGo")


@pytest.mark.parametrize(
    ("start", "end", "sent"),
    [
        ("0:01.5", "0:12.0", ("1.5", "12.0")),
        ("0:00:01.125", "12", ("1.125", "12")),
        ("0.25", "00:02", ("0.25", "2.0")),
    ],
)
def test_places_are_typed_as_the_window_shows_them(
    qtbot: QtBot, export: ExportDialog, start: str, end: str, sent: tuple[str, str]
) -> None:
    write(export, "exportStart", start)
    write(export, "exportEnd", end)
    with qtbot.waitSignal(export.wanted) as wanted:
        go(qtbot, export, "exportGo")
    assert wanted.args is not None
    assert (wanted.args[0]["start"], wanted.args[0]["end"]) == sent


def test_only_what_the_format_has_is_asked(export: ExportDialog) -> None:
    for target, depth, bitrate in (("WAV", True, False), ("MP3", False, True)):
        choose(export, "exportFormat", target)
        assert field(export, "exportBitdepth").isVisible() is depth
        assert field(export, "exportBitrate").isVisible() is bitrate
    write(export, "exportBitrate", "192k")
    choose(export, "exportFormat", "FLAC")
    assert export.options() == {"format": "flac"}  # what is not seen does not count


def test_parts_are_of_one_sound_alone(theme: Theme, tmp_path: Path, window: QWidget) -> None:
    dialog = ExportDialog(
        theme, [*ONE, sound("Wind.wav", number=3)], {"end": "3"}, tmp_path, window
    )
    dialog.show()
    assert not field(dialog, "exportStart").isVisible()
    assert dialog.options() == {"format": "wav"}


def test_what_the_server_has_not_is_not_offered(export: ExportDialog) -> None:
    choose(export, "exportFormat", "FLAC")
    write(export, "exportSamplerate", "44100")
    export.show_offer(Offer(("wav", "flac"), (Preset("cd", {"format": "wav", "bitdepth": "16"}),)))
    formats = field(export, "exportFormat")
    assert isinstance(formats, QComboBox)
    assert [formats.itemText(place) for place in range(formats.count())] == ["WAV", "FLAC"]
    assert export.options() == {"format": "flac", "samplerate": "44100"}
    presets = field(export, "exportPreset")
    assert isinstance(presets, QComboBox)
    assert presets.isVisible()
    presets.activated.emit(1)
    assert export.options() == {"format": "wav", "bitdepth": "16"}


def test_a_preset_keeps_every_option_to_its_last_digit(
    qtbot: QtBot, export: ExportDialog, tmp_path: Path
) -> None:
    options = {"format": "wav", "samplerate": "48000", "channels": "1", "bitdepth": "24"}
    options |= {"start": "3.1234567", "end": "11.9999999", "normalize_lufs": "-23.4567891"}
    with serve(tmp_path / "library") as server, contextlib.closing(Client(server)) as client:
        address = f"{server}/api/v1/presets"
        requests.post(address, json={"name": "Voice"} | options, timeout=10).raise_for_status()
        export.show_offer(find_offer(client))
    presets = field(export, "exportPreset")
    assert isinstance(presets, QComboBox)
    presets.activated.emit(1)
    assert export.options() == options
    with qtbot.waitSignal(export.wanted) as wanted:
        go(qtbot, export, "exportGo")
    assert wanted.args is not None
    assert wanted.args[0] == options


def test_a_folder_that_is_not_there_is_told(qtbot: QtBot, export: ExportDialog) -> None:
    for text, says in (("", "Name a folder"), ("there", "Name a folder"), ("/no/such", "This fol")):
        write(export, "exportFolderLine", text)
        go(qtbot, export, "exportGo")
        assert complaint(export, "folder").startswith(says)
        assert field(export, "exportFolderLine").hasFocus()


def test_the_keyboard_goes_through_the_fields_in_order_and_esc_leaves(
    qtbot: QtBot, export: ExportDialog
) -> None:
    names = []
    for _ in range(10):
        focus = export.focusWidget()
        assert focus is not None
        names.append(focus.objectName())
        assert focus.accessibleName()
        qtbot.keyClick(focus, Qt.Key.Key_Tab)
    assert names == [
        *("exportFormat", "exportSamplerate", "exportBitdepth", "exportChannels"),
        *("exportStart", "exportEnd", "exportNormalizeLufs"),
        *("exportFolderLine", "exportFolderChoose", "exportCancel"),
    ]
    qtbot.keyClick(export, Qt.Key.Key_Escape)
    assert not export.isVisible()


def test_what_no_query_finds_has_to_be_selected_for_a_zip(
    qtbot: QtBot, theme: Theme, tmp_path: Path
) -> None:
    with (
        opened(qtbot, tmp_path, ONE) as parts,
        contextlib.closing(Client("http://127.0.0.1:9")) as client,
    ):
        offers = Offers(client, parts.window)
        Exporting(theme, parts.window, parts.sounds, offers, folder=tmp_path, options={})
        command = parts.window.commands[Command.ZIP]
        assert command.isEnabled()
        with qtbot.waitSignal(parts.sounds.swapped):
            parts.sounds.set_local([ONE[0].sha256])
        with qtbot.waitSignal(parts.sounds.swapped):
            parts.window.sidebar.choose(Scope("local"))
        assert parts.sounds.rowCount() == 1
        assert (command.isEnabled(), command.toolTip()) == (False, "Select sounds first.")
        parts.window.library.table.select_row(0)
        assert command.isEnabled()


def test_a_zip_needs_a_name_and_gets_its_ending(
    qtbot: QtBot, theme: Theme, tmp_path: Path, window: QWidget
) -> None:
    dialog = ZipDialog(theme, SOURCES, tmp_path, window)
    dialog.open()
    assert dialog.name.text() == "Rain.zip"
    dialog.name.setText(" ")
    go(qtbot, dialog, "zipGo")
    assert complaint(dialog, "name") == "Say what the zip is to be called"
    dialog.name.setText("a/b: c.ZIP")
    with qtbot.waitSignal(dialog.wanted) as wanted:
        go(qtbot, dialog, "zipGo")
    assert wanted.args == [Wish(sounds=("a",), name="a_b_ c.zip"), tmp_path / "a_b_ c.zip"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (" \n\n", "Write or paste at least one link"),
        ("https://a.example/1\nftp://b.example/2", "Link 2 is none: “ftp://b.example/2”"),
        ("https://", "Link 1 is none"),
        ("https://[::1/a", "Link 1 is none"),
        ("https://a.example/one two", "Link 1 is none"),
        ("https://a.example/1\n" * 10_001, "10,001 links are too many"),
    ],
)
def test_what_is_no_link_is_told_before_the_server_is_asked(
    qtbot: QtBot, theme: Theme, tmp_path: Path, window: QWidget, text: str, says: str
) -> None:
    dialog = LinksDialog(theme, [], tmp_path, window)
    dialog.open()
    lines = field(dialog, "zipLinks")
    assert isinstance(lines, QPlainTextEdit)
    lines.setPlainText(text)
    go(qtbot, dialog, "zipGo")
    assert complaint(dialog, "links").startswith(says)
    lines.setPlainText(" https://a.example/1 \n\nhttp://b.example:8080/2?x=y\n")
    with qtbot.waitSignal(dialog.wanted) as wanted:
        go(qtbot, dialog, "zipGo")
    urls = ("https://a.example/1", "http://b.example:8080/2?x=y")
    assert wanted.args == [Wish(urls=urls, name="links.zip"), tmp_path / "links.zip"]
