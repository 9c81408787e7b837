"""The bar at the bottom: what plays, where in it, how loud; and why nothing is heard."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QSize, Qt, Signal, SignalInstance
from PySide6.QtWidgets import QLabel, QSlider, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.views.buttons import IconButton, RoundButton
from sonoteca_desktop.views.layout import ElidedLabel, Label, column, row
from sonoteca_desktop.views.theme import Theme
from sonoteca_desktop.views.waveform import LargeWaveform, PeaksSource, WaveformPainter
from sonoteca_shared.models import Sound


class Transport(Protocol):
    """What the window asks of the player."""

    started: SignalInstance
    stopped: SignalInstance
    finished: SignalInstance
    failed: SignalInstance
    deviceChanged: SignalInstance

    @property
    def playing(self) -> bool: ...
    @property
    def paused(self) -> bool: ...
    @property
    def buffering(self) -> bool: ...
    @property
    def sound(self) -> Sound | None: ...
    def position(self) -> float: ...
    def toggle(self) -> None: ...
    def seek(self, seconds: float) -> None: ...
    def set_volume(self, volume: float) -> None: ...


class PlayerBar(QWidget):
    """Buttons, name, time, the large waveform and the volume.

    Signals:
        toggleRequested(), previousRequested(), nextRequested(): the buttons.
        seekRequested(float): go to this many seconds from the start.
        volumeChanged(float): 0 to 1; 0 also when the sound was switched off.
    """

    toggleRequested = Signal()
    previousRequested = Signal()
    nextRequested = Signal()
    seekRequested = Signal(float)
    volumeChanged = Signal(float)

    def __init__(
        self,
        theme: Theme,
        waveforms: WaveformPainter,
        source: PeaksSource,
        *,
        volume: float = 1.0,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("playerBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._sound: Sound | None = None
        self._volume = volume
        self._muted = False
        self._trouble = {"device": "", "sound": ""}
        self._previous = self._button("skip-back", "Previous sound", "previousButton")
        self._previous.clicked.connect(self.previousRequested)
        self._play = RoundButton(theme, "Play")
        self._play.setObjectName("playButton")
        self._play.clicked.connect(self.toggleRequested)
        self._next = self._button("skip-forward", "Next sound", "nextButton")
        self._next.clicked.connect(self.nextRequested)
        self._name = ElidedLabel(theme, "playingName", self, token="text", pixels=15, weight=600)  # noqa: S106
        self._time = ElidedLabel(theme, "playingTime", self, token="dim")  # noqa: S106
        self.waveform = LargeWaveform(theme, waveforms, source, self)
        self.waveform.seekRequested.connect(self.seekRequested)
        self._mute = self._button("volume-2", "Mute", "muteButton")
        self._mute.clicked.connect(self._toggle_mute)
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.setObjectName("volumeSlider")
        self._message_icon = QLabel(self)
        self._message = Label(theme, "playerMessage", self, tone="danger", wrap=True)
        self._message_row = QWidget(self)
        self._buffering = False
        self._arrange()
        theme.changed.connect(self._paint_message_icon)
        self._paint_message_icon()
        self.show_sound(None)

    def _button(self, icon: str, name: str, object_name: str) -> IconButton:
        button = IconButton(self._theme, icon, name, size=34, icon_size=18, parent=self)
        button.setObjectName(object_name)
        return button

    def _arrange(self) -> None:
        self._slider.setRange(0, 100)
        self._slider.setValue(round(self._volume * 100))
        self._slider.setAccessibleName("Volume")
        self._slider.setToolTip("Volume")
        self._slider.setFixedWidth(92)
        self._slider.valueChanged.connect(self._slid)
        message = row(self._message_row, spacing=8, margins=(18, 8, 18, 0))
        message.addWidget(self._message_icon)
        message.addWidget(self._message, 1)
        words = QWidget(self)
        words.setFixedWidth(196)
        lines = column(words, spacing=3)
        lines.addStretch(1)
        lines.addWidget(self._name)
        lines.addWidget(self._time)
        lines.addStretch(1)
        main = QWidget(self)
        main.setFixedHeight(76)
        controls = row(main, margins=(16, 0, 18, 0))
        for button in (self._previous, self._play, self._next):
            controls.addWidget(button)
            controls.addSpacing(6)
        controls.addSpacing(12)
        controls.addWidget(words)
        controls.addSpacing(18)
        controls.addWidget(self.waveform, 1)
        controls.addSpacing(18)
        controls.addWidget(self._mute)
        controls.addSpacing(4)
        controls.addWidget(self._slider)
        box = column(self)
        box.addWidget(self._message_row)
        box.addWidget(main)

    # What the player does

    def show_sound(self, sound: Sound | None) -> None:
        self._sound = sound
        self.waveform.set_sound(sound)
        self._name.setText(sound.name if sound else "Nothing selected")
        place = f"{sound.folder}/{sound.name}".lstrip("/") if sound else ""
        self._name.setToolTip(units.tool_tip(place))
        self.set_trouble("sound", "")
        self.show_running(running=False)
        self.show_position(0.0)

    def show_running(self, *, running: bool, buffering: bool = False) -> None:
        self._play.set_icon("pause" if running else "play")
        self._play.set_name("Pause" if running else "Play")
        self._buffering = buffering and running
        self._show_time()

    def show_position(self, seconds: float) -> None:
        self.waveform.set_position(seconds)
        self._show_time()

    def set_trouble(self, source: str, sentence: str) -> None:
        """Why nothing is heard: of the "device" or of the "sound"; empty when all is well."""
        self._trouble[source] = sentence
        text = self._trouble["sound"] or self._trouble["device"]
        self._message.setText(text)
        self._message_row.setVisible(bool(text))

    def set_can_play(self, *, can_play: bool) -> None:
        """Whether there is anything to play or to step to."""
        for button in (self._previous, self._play, self._next):
            button.setEnabled(can_play)

    def sizeHint(self) -> QSize:
        message = self._message_row.sizeHint().height() if self._message.text() else 0
        return QSize(900, 76 + message)

    def _show_time(self) -> None:
        if self._sound is None:
            text = "Select a sound to hear it"
        else:
            now = units.length(min(self.waveform.position, self._sound.duration))
            text = f"{now} / {units.length(self._sound.duration)}"
            if self._buffering:
                text += " · loading"
        if text != self._time.text():
            self._time.setText(text)

    # Volume

    @property
    def volume(self) -> float:
        """What the player is to use, 0 to 1."""
        return 0.0 if self._muted else self._volume

    def _slid(self, value: int) -> None:
        self._volume, self._muted = value / 100, False
        self._show_volume()

    def _toggle_mute(self) -> None:
        self._muted = not self._muted
        self._show_volume()

    def _show_volume(self) -> None:
        loud = self.volume
        self._mute.set_icon("volume-x" if loud == 0 else "volume-1" if loud < 0.5 else "volume-2")
        self._mute.set_name("Unmute" if self._muted else "Mute")
        self.volumeChanged.emit(loud)

    def _paint_message_icon(self) -> None:
        ratio = self.devicePixelRatioF()
        self._message_icon.setPixmap(self._theme.pixmap("triangle-alert", "danger", ratio=ratio))
