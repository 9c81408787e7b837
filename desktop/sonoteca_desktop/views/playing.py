"""Keeps the player, the player bar and the row of the table in step."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from sonoteca_desktop.views.delegates import Playing
from sonoteca_desktop.views.player_bar import PlayerBar, Transport
from sonoteca_desktop.views.table import SoundTable
from sonoteca_shared.models import Sound

_FRAME_MS = 16
_IDLE_MS = 200


class PlayerLink(QObject):
    """Shows what the player does, and hands it what the user wants.

    Signals:
        playRequested(Sound, float): play a sound from so many seconds on.
        runningChanged(bool): whether something is heard now.
        shownChanged(): another sound stands in the bar.
    """

    playRequested = Signal(object, float)
    runningChanged = Signal(bool)
    shownChanged = Signal()

    def __init__(
        self, player: Transport, bar: PlayerBar, table: SoundTable, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._player = player
        self._bar = bar
        self._table = table
        self._running = False
        self.shown: Sound | None = None
        self._frame = QTimer(self, interval=_IDLE_MS)
        self._frame.timeout.connect(self.follow)
        bar.toggleRequested.connect(self.toggle)
        bar.previousRequested.connect(self.previous)
        bar.nextRequested.connect(self.next)
        bar.seekRequested.connect(self.seek)
        bar.volumeChanged.connect(player.set_volume)
        table.auditionRequested.connect(self.play)
        table.toggleRequested.connect(self.toggle_sound)
        player.started.connect(self._told)
        player.stopped.connect(self._told)
        player.finished.connect(self._told)
        player.failed.connect(self._failed)
        player.deviceChanged.connect(self._device_changed)
        player.set_volume(bar.volume)
        self._frame.start()

    def stop(self) -> None:
        """Look at the player no more."""
        self._frame.stop()

    def play(self, sound: Sound) -> None:
        self._bar.set_trouble("sound", "")
        self.playRequested.emit(sound, 0.0)
        self.follow()

    def hush(self) -> None:
        """Pause what runs: nobody could, once the window is away."""
        if self._player.playing:
            self._player.toggle()
            self.follow()

    def toggle(self) -> None:
        """Pause or go on; with nothing in the player, play what is selected."""
        chosen, loaded = self._table.current_sound(), self._player.sound
        elsewhere = chosen is not None and loaded is not None and chosen.id != loaded.id
        if loaded is not None and not (self._player.paused and elsewhere):
            self._player.toggle()
            self.follow()
        elif (target := chosen or self.shown) is not None:
            self.play(target)
        else:
            self._table.step(1)

    def toggle_sound(self, sound: Sound) -> None:
        """Pause or go on with this sound, or begin it."""
        loaded = self._player.sound
        if loaded is not None and loaded.id == sound.id:
            self._player.toggle()
            self.follow()
        else:
            self.play(sound)

    def previous(self) -> None:
        self._table.step(-1)

    def next(self) -> None:
        self._table.step(1)

    def seek(self, seconds: float) -> None:
        """Go to a place; a sound that has ended begins there again."""
        if self._player.sound is not None:
            self._player.seek(seconds)
        elif self.shown is not None:
            self.playRequested.emit(self.shown, seconds)
        self.follow()

    def follow(self) -> None:
        """Show where the player is; sixty times a second while it runs."""
        player, sound = self._player, self._player.sound
        if sound is not None and (self.shown is None or self.shown.id != sound.id):
            self.shown = sound
            self._bar.show_sound(sound)
            self.shownChanged.emit()
        running = sound is not None and player.playing
        self._bar.show_running(running=running, buffering=running and player.buffering)
        position = player.position() if sound is not None else 0.0
        self._bar.show_position(position)
        self._show_row(sound, position, running=running)
        self._set_running(running)

    def _show_row(self, sound: Sound | None, position: float, *, running: bool) -> None:
        if sound is None:
            self._table.show_playing(None)
            return
        fraction = position / sound.duration if sound.duration else 0.0
        # The small waveform has some sixty bars: it need not be painted for less.
        self._table.show_playing(Playing(sound.id, round(fraction * 300) / 300, running))

    def _set_running(self, running: bool) -> None:
        if running != self._running:
            self._running = running
            self._frame.setInterval(_FRAME_MS if running else _IDLE_MS)
            self.runningChanged.emit(running)

    def _told(self, _sound_id: str) -> None:
        self.follow()

    def _failed(self, _sound_id: str, sentence: str) -> None:
        self.follow()
        self._bar.set_trouble("sound", sentence)

    def _device_changed(self, sentence: str) -> None:
        self._bar.set_trouble("device", sentence)
