"""Downloaded as zip: asked for in the window, put together by the server, there as one file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QAbstractButton, QDialog, QLineEdit
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.sounds import Column
from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.views.archive_dialogs import ZipDialog
from sonoteca_desktop.views.commands import Command
from tests.kit.api import Api
from tests.kit.desktop import desktop, is_in, wait_for
from tests.kit.http import serve

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier


def select(client: Desktop, *rows: int) -> None:
    table = client.window.library.table
    flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
    table.clearSelection()
    for row in rows:
        table.selectionModel().select(client.sounds.index(row, Column.NAME), flags)


def dialog(client: Desktop) -> QDialog:
    found = client.window.findChild(QDialog)
    assert found is not None
    return found


def press(qtbot: QtBot, parent: QDialog, name: str) -> None:
    button = parent.findChild(QAbstractButton, name)
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def type_into(parent: QDialog, name: str, text: str) -> None:
    field = parent.findChild(QLineEdit, name)
    assert field is not None
    field.setText(text)


@pytest.mark.timeout(60)
def test_the_selected_sounds_come_as_one_zip(qtbot: QtBot, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    with serve(tmp_path / "library") as server:
        names = sorted(each["name"] for each in Api(server).uploads(1, 2, 3))
        with desktop(qtbot, server, tmp_path / "client") as client:
            wait_for(qtbot, lambda: client.sounds.rowCount() == 3)
            wait_for(qtbot, client.window.commands[Command.ZIP].isEnabled)
            select(client, 0, 1)
            qtbot.keyClick(client.window, Qt.Key.Key_D, CONTROL | SHIFT)
            asked = wait_for(qtbot, lambda: client.window.findChild(ZipDialog))
            assert asked is not None
            type_into(asked, "zipFolderLine", str(there))
            type_into(asked, "zipName", "two of them")
            press(qtbot, asked, "zipGo")
            wait_for(qtbot, lambda: is_in(client, "two of them.zip", State.DONE))
            assert client.choices.export_folder == str(there)
    with zipfile.ZipFile(there / "two of them.zip") as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == names[1:]
