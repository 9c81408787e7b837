"""The preferences in the real client: what is chosen applies at once, and is there next time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QComboBox, QDoubleSpinBox, QLabel
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.settings import load_choices
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_desktop.views.dialogs import ClosingAnswer
from sonoteca_desktop.views.preferences import PreferencesDialog
from tests.kit.desktop import desktop, wait_for

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
NOWHERE = "http://127.0.0.1:9"
MB = 1_000_000


@pytest.fixture
def client(qtbot: QtBot, tmp_path: Path) -> Iterator[Desktop]:
    with desktop(qtbot, NOWHERE, tmp_path) as client:
        client.window.activateWindow()
        qtbot.waitUntil(client.window.isActiveWindow)
        yield client


@pytest.fixture
def dialog(client: Desktop, qtbot: QtBot) -> PreferencesDialog:
    """The dialog, opened as a user opens it."""
    qtbot.keyClick(client.window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    return opened(client, qtbot)


def opened(client: Desktop, qtbot: QtBot) -> PreferencesDialog:
    [dialog] = wait_for(qtbot, lambda: client.window.findChildren(PreferencesDialog))
    qtbot.waitUntil(dialog.isActiveWindow)
    return dialog


def hear(cache: SoundCache, name: str) -> None:
    """Leave a megabyte of a sound in the cache."""
    heard = cache.open(name, MB)
    heard.write(0, bytes(range(250)) * 4000)
    heard.keep()


def used(dialog: PreferencesDialog) -> str:
    label = dialog.findChild(QLabel, "cacheUsed")
    assert label is not None
    return label.text()


def field(dialog: PreferencesDialog) -> QDoubleSpinBox:
    found = dialog.findChild(QDoubleSpinBox, "cacheBudget")
    assert found is not None
    return found


def type_budget(dialog: PreferencesDialog, qtbot: QtBot, text: str) -> None:
    field(dialog).selectAll()
    qtbot.keyClicks(field(dialog), text)
    qtbot.keyClick(field(dialog), Qt.Key.Key_Tab)


def test_a_smaller_budget_applies_at_once_and_next_time(
    client: Desktop, dialog: PreferencesDialog, qtbot: QtBot
) -> None:
    hear(client.heard, "rain")
    assert field(dialog).hasFocus()
    type_budget(dialog, qtbot, "0")
    wait_for(qtbot, lambda: used(dialog).startswith("0 B in use"))
    wait_for(qtbot, lambda: not list(client.places.sounds.glob("*.heard")))
    hear(client.heard, "wind")
    hear(client.heard, "fire")
    assert not (client.places.sounds / "wind.heard").exists()
    assert load_choices(client.places.choices).cache_bytes == 0


def test_what_is_used_is_shown_and_can_be_given_back(client: Desktop, qtbot: QtBot) -> None:
    hear(client.heard, "rain")
    playing = client.heard.open("wind", MB)
    playing.write(0, bytes(1000))
    playing.keep()
    qtbot.keyClick(client.window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    dialog = opened(client, qtbot)
    wait_for(qtbot, lambda: used(dialog).startswith("1.0 MB in use"))
    empty = dialog.findChild(QAbstractButton, "cacheEmpty")
    assert empty is not None
    empty.setFocus()
    qtbot.keyClick(empty, Qt.Key.Key_Space)
    wait_for(qtbot, lambda: used(dialog).startswith("4.1 KB in use"))  # what is held stays
    assert [each.stem for each in client.places.sounds.glob("*.heard")] == ["wind"]
    assert playing.read(0, 1000) == bytes(1000)


def test_several_connections_are_allowed_at_once_and_next_time(
    client: Desktop, dialog: PreferencesDialog, qtbot: QtBot
) -> None:
    box = dialog.findChild(QCheckBox, "severalConnections")
    assert box is not None
    assert not box.isChecked()
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert client.queue.arrangement.several
    client.close()
    journal = Journal(client.places.journal)
    assert journal.several()
    journal.close()


@pytest.mark.parametrize(
    ("row", "answer", "kept"),
    [(1, ClosingAnswer.KEEP, "keep"), (2, ClosingAnswer.STOP, "stop")],
)
def test_what_closing_means_is_chosen_here_too(
    client: Desktop, dialog: PreferencesDialog, row: int, answer: ClosingAnswer, kept: str
) -> None:
    choice = dialog.findChild(QComboBox, "closingChoice")
    assert choice is not None
    assert choice.currentIndex() == 0
    choice.setCurrentIndex(row)
    assert client.window.leaving.choice is answer
    assert load_choices(client.places.choices).closing == kept


def test_the_speed_limit_is_the_same_as_in_the_panel(
    client: Desktop, dialog: PreferencesDialog
) -> None:
    dialog.limit.menu.actions()[2].trigger()
    assert client.queue.limit == 1_000_000
    assert client.window.transfers.limit.text() == dialog.limit.text() == "Up to 1 MB/s"
    client.transfers.set_limit(None)
    assert dialog.limit.text() == "No speed limit"


def test_every_field_has_a_name_and_is_reached_by_tab(
    dialog: PreferencesDialog, qtbot: QtBot
) -> None:
    reached = []
    for _ in range(6):
        focused = dialog.focusWidget()
        assert focused is not None
        reached.append(focused.objectName())
        qtbot.keyClick(focused, Qt.Key.Key_Tab)
    assert {"cacheBudget", "limitButton", "severalConnections", "closingChoice"} <= set(reached)
    assert "preferencesDone" in reached
    for widget in (field(dialog), dialog.limit, dialog.findChild(QComboBox, "closingChoice")):
        assert widget is not None
        assert widget.accessibleName()


def test_enter_is_done(client: Desktop, dialog: PreferencesDialog, qtbot: QtBot) -> None:
    qtbot.keyClick(field(dialog), Qt.Key.Key_Return)
    wait_for(qtbot, lambda: not client.window.findChildren(PreferencesDialog))
