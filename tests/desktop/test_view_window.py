"""The window as a whole: dropping files, the player bar, closing, and names for everything."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSize, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QSlider, QWidget
from pytestqt.qtbot import QtBot

from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.connection import Connection, Reach
from sonoteca_desktop.views.dialogs import ClosingQuestion
from sonoteca_desktop.views.drops import drop_words
from tests.kit.window import Parts, opened, sound

RAIN, WIND = sound("Rain.wav", folder="wet", number=1), sound("Wind.wav", number=2)

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support", extend=True)


@pytest.fixture
def parts(qtbot: QtBot, tmp_path: Path) -> Iterator[Parts]:
    with opened(qtbot, tmp_path, [RAIN, WIND]) as parts:
        yield parts


def button(parts: Parts, name: str) -> QAbstractButton:
    found = parts.window.findChild(QAbstractButton, name)
    assert isinstance(found, QAbstractButton), name
    return found


def text(parts: Parts, name: str) -> str:
    found = parts.window.findChild(QLabel, name)
    assert isinstance(found, QLabel), name
    return found.text()


# ---- dropping


@pytest.fixture
def dragged(tmp_path: Path) -> QMimeData:
    (tmp_path / "drag" / "takes").mkdir(parents=True)
    recording = tmp_path / "drag" / "wïnd & ünïcode 50%.wav"
    recording.write_bytes(b"RIFF")
    mime = QMimeData()
    mime.setUrls(
        [
            QUrl.fromLocalFile(str(recording)),
            QUrl.fromLocalFile(str(tmp_path / "drag" / "takes")),
            QUrl("https://example.org/far.wav"),
            QUrl.fromLocalFile(str(tmp_path / "drag" / "gone.wav")),
        ]
    )
    return mime


_BOTH = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction
_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def drop(window: QWidget, mime: QMimeData) -> QDropEvent:
    """Glide over the window and let go, as a file manager that would rather move."""
    place = QPoint(400, 300)
    QApplication.sendEvent(window, QDragEnterEvent(place, _BOTH, mime, _LEFT, _NONE))
    QApplication.sendEvent(window, QDragMoveEvent(place, _BOTH, mime, _LEFT, _NONE))
    dropped = QDropEvent(QPointF(place), _BOTH, mime, _LEFT, _NONE)
    dropped.setDropAction(Qt.DropAction.MoveAction)
    QApplication.sendEvent(window, dropped)
    return dropped


def test_a_drop_gives_local_files_and_folders_and_only_copies(
    parts: Parts, qtbot: QtBot, dragged: QMimeData, tmp_path: Path
) -> None:
    with qtbot.waitSignal(parts.window.filesDropped) as told:
        event = drop(parts.window, dragged)
    folder = tmp_path / "drag"
    assert told.args == [[folder / "wïnd & ünïcode 50%.wav", folder / "takes"]]
    assert event.isAccepted()
    assert event.dropAction() == Qt.DropAction.CopyAction
    assert not parts.window.overlay.isVisible()


def test_while_files_are_held_over_it_the_window_says_what_it_would_do(
    parts: Parts, dragged: QMimeData
) -> None:
    window = parts.window
    entering = QDragEnterEvent(QPoint(9, 9), _BOTH, dragged, _LEFT, _NONE)
    QApplication.sendEvent(window, entering)
    assert window.overlay.isVisible()
    assert window.overlay.words == "Drop to upload 1 file and 1 folder"
    assert entering.dropAction() == Qt.DropAction.CopyAction
    assert window.overlay.size() == window.size()
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert not window.overlay.isVisible()


def test_text_and_links_are_not_taken(parts: Parts, qtbot: QtBot) -> None:
    mime = QMimeData()
    mime.setText("hello")
    mime.setUrls([QUrl("https://example.org/far.wav")])
    with qtbot.assertNotEmitted(parts.window.filesDropped):
        drop(parts.window, mime)
    assert not parts.window.overlay.isVisible()


def test_the_words_of_a_drop(tmp_path: Path) -> None:
    assert drop_words([Path("a.wav")]) == "Drop to upload 1 file"
    assert drop_words([tmp_path, tmp_path]) == "Drop to upload 2 folders"


# ---- the player bar


def test_a_click_in_the_large_waveform_seeks(parts: Parts, qtbot: QtBot) -> None:
    parts.window.library.table.select_row(0)
    wave = parts.window.player_bar.waveform
    place = QPoint(wave.width() * 3 // 4, 20)
    qtbot.mouseClick(wave, Qt.MouseButton.LeftButton, pos=place)
    assert parts.player.at == pytest.approx(WIND.duration * 0.75, abs=0.1)
    assert text(parts, "playingTime").startswith("0:08.9 / 0:12.0")
    parts.player.end()
    qtbot.mouseClick(wave, Qt.MouseButton.LeftButton, pos=place)
    assert parts.player.played[-1][0] == "Wind.wav"
    assert parts.player.played[-1][1] == pytest.approx(9.0, abs=0.1)


def test_the_arrows_move_the_playhead_when_the_waveform_has_the_focus(
    parts: Parts, qtbot: QtBot
) -> None:
    parts.window.library.table.select_row(0)
    wave = parts.window.player_bar.waveform
    qtbot.keyClick(wave, Qt.Key.Key_Right)
    assert parts.player.at == 5.0
    qtbot.keyClick(wave, Qt.Key.Key_Left)
    qtbot.keyClick(wave, Qt.Key.Key_Left)
    assert parts.player.at == 0.0


def test_buttons_step_and_pause(parts: Parts, qtbot: QtBot) -> None:
    play = button(parts, "playButton")
    assert (play.accessibleName(), play.isEnabled()) == ("Play", True)
    qtbot.mouseClick(play, Qt.MouseButton.LeftButton)
    assert parts.player.sound == WIND
    assert play.accessibleName() == "Pause"
    qtbot.mouseClick(button(parts, "nextButton"), Qt.MouseButton.LeftButton)
    assert parts.player.sound == RAIN
    qtbot.mouseClick(button(parts, "previousButton"), Qt.MouseButton.LeftButton)
    assert parts.player.sound == WIND
    qtbot.mouseClick(play, Qt.MouseButton.LeftButton)
    assert parts.player.paused
    assert parts.window.commands[Command.PLAY].text() == "Play"


def test_the_space_bar_presses_a_button_that_has_the_focus(parts: Parts, qtbot: QtBot) -> None:
    mute = button(parts, "muteButton")
    mute.setFocus()
    qtbot.keyClick(mute, Qt.Key.Key_Space)
    assert parts.player.volume == 0.0
    assert parts.player.sound is None  # and did not begin to play
    qtbot.keyClick(mute, Qt.Key.Key_Return)
    assert parts.player.volume == 0.5


def test_the_volume_reaches_the_player_and_is_told(parts: Parts, qtbot: QtBot) -> None:
    slider = parts.window.findChild(QSlider, "volumeSlider")
    assert isinstance(slider, QSlider)
    assert (slider.value(), parts.player.volume) == (50, 0.5)
    with qtbot.waitSignal(parts.window.volumeChanged) as told:
        slider.setValue(80)
    assert told.args == [0.8]
    assert parts.player.volume == 0.8


def test_without_a_device_the_bar_says_so_until_there_is_one(parts: Parts) -> None:
    bar = parts.window.player_bar
    parts.player.deviceChanged.emit("There is no audio device.")
    assert text(parts, "playerMessage") == "There is no audio device."
    parts.window.library.table.select_row(0)
    parts.player.sound = None
    parts.player.failed.emit(WIND.id, "“Wind.wav” cannot be played.")
    assert text(parts, "playerMessage") == "“Wind.wav” cannot be played."
    parts.window.library.table.select_row(1)
    assert text(parts, "playerMessage") == "There is no audio device."
    parts.player.deviceChanged.emit("")
    message = bar.findChild(QLabel, "playerMessage")
    assert isinstance(message, QLabel)
    assert not message.isVisible()


def test_while_bytes_are_on_their_way_the_time_says_so(parts: Parts) -> None:
    parts.player.buffering = True
    parts.window.library.table.select_row(0)
    assert text(parts, "playingTime") == "0:00.0 / 0:12.0 · loading"


def test_what_a_server_that_was_away_spoilt_is_not_told_beside_a_green_dot(parts: Parts) -> None:
    message = parts.window.findChild(QLabel, "playerMessage")
    assert isinstance(message, QLabel)
    parts.window.library.table.select_row(0)
    parts.player.sound = None
    parts.player.failed.emit(WIND.id, "“Wind.wav” cannot be played. Nothing answers there.")
    parts.window.show_connection(Connection(Reach.ONLINE, "studio"))  # it was not noticed yet
    parts.window.show_connection(Connection(Reach.OFFLINE, "studio", 5.0))
    assert message.text() == "“Wind.wav” cannot be played. Nothing answers there."
    parts.window.show_connection(Connection(Reach.ONLINE, "studio"))
    assert not message.isVisible()


# ---- closing


def test_nothing_is_asked_when_nothing_runs(parts: Parts, qtbot: QtBot) -> None:
    with qtbot.waitSignal(parts.window.closing):
        parts.window.close()
    assert not parts.window.isVisible()


def closing_question(parts: Parts, tmp_path: Path) -> ClosingQuestion:
    parts.queue.download(RAIN, tmp_path)
    parts.transfers.poll()
    parts.window.close()
    parts.window.close()  # a second click asks no second question
    questions = parts.window.findChildren(ClosingQuestion)
    assert len(questions) == 1
    assert parts.window.isVisible()
    return questions[0]


def test_closing_over_transfers_asks_and_stops_when_told(
    parts: Parts, qtbot: QtBot, tmp_path: Path
) -> None:
    question = closing_question(parts, tmp_path)
    assert question.accessibleName() == "1 transfer is still running"
    stop = question.findChild(QAbstractButton, "closingStop")
    with qtbot.waitSignal(parts.window.closing):
        qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    assert not parts.window.isVisible()


def test_keep_running_minimises_the_window(parts: Parts, qtbot: QtBot, tmp_path: Path) -> None:
    question = closing_question(parts, tmp_path)
    keep = question.findChild(QAbstractButton, "closingKeep")
    with qtbot.assertNotEmitted(parts.window.closing):
        qtbot.mouseClick(keep, Qt.MouseButton.LeftButton)
    assert parts.window.isMinimized()


def test_cancel_and_escape_leave_everything_as_it_was(
    parts: Parts, qtbot: QtBot, tmp_path: Path
) -> None:
    question = closing_question(parts, tmp_path)
    with qtbot.assertNotEmitted(parts.window.closing):
        qtbot.keyClick(question, Qt.Key.Key_Escape)
    assert parts.window.isVisible()
    assert not parts.window.isMinimized()


# ---- names, and the look


def test_every_widget_that_takes_the_focus_has_a_name_to_be_read_out(parts: Parts) -> None:
    nameless = [
        f"{type(widget).__name__} {widget.objectName()}"
        for widget in parts.window.findChildren(QWidget)
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus
        and not widget.accessibleName()
        and not widget.objectName().startswith("qt_")
    ]
    assert nameless == []


def test_every_action_has_words_and_no_key_is_given_twice(parts: Parts) -> None:
    actions = [parts.window.commands[command] for command in Command]
    keys = [action.shortcut().toString() for action in actions if not action.shortcut().isEmpty()]
    assert all(action.text() and action.objectName() for action in actions)
    assert len(set(keys)) == len(keys)


def test_the_panel_of_transfers_can_be_hidden(parts: Parts, qtbot: QtBot) -> None:
    show = parts.window.commands[Command.SHOW_TRANSFERS]
    width = parts.window.library.width()
    show.trigger()
    assert not parts.window.transfers.isVisible()
    qtbot.waitUntil(lambda: parts.window.library.width() > width)


def test_the_theme_changes_at_once_and_is_told(parts: Parts, qtbot: QtBot) -> None:
    dark = parts.window.grab().toImage().pixelColor(300, 85)
    with qtbot.waitSignal(parts.window.themeChosen) as told:
        parts.window.commands[Command.SWITCH_THEME].trigger()
    light = parts.window.grab().toImage().pixelColor(300, 85)
    assert told.args == ["light"]
    assert dark.lightness() < 60 < 200 < light.lightness()
    assert parts.window.commands[Command.SWITCH_THEME].text() == "Dark theme"


def test_another_theme_leaves_the_words_and_icon_of_what_plays(parts: Parts) -> None:
    parts.window.library.table.select_row(0)
    parts.window.commands[Command.SWITCH_THEME].trigger()
    play = parts.window.commands[Command.PLAY]
    size = QSize(16, 16)
    pause = parts.theme.icon("pause").pixmap(size).toImage()
    assert play.text() == "Pause"
    assert play.icon().pixmap(size).toImage() == pause
