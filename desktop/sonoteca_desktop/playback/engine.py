"""The player: one sound at a time, from its bytes to the ear."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from sonoteca_desktop.playback.devices import DeviceOutputs
from sonoteca_desktop.playback.opening import Opener, Opening
from sonoteca_desktop.playback.output import Output, OutputFactory
from sonoteca_desktop.playback.reader import Reader
from sonoteca_desktop.playback.samples import UnplayableError
from sonoteca_desktop.playback.source import Source
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_desktop.transfers.stream import Remote
from sonoteca_shared.models import Sound


class Player(QObject):
    """Plays a sound from this computer or from the server; lives in the window thread.

    No call waits: bytes are found in a thread for each sound, come over the network in another,
    and are handed to the device in a third.

    `started(sound id)`: its first frames are on their way to the device.
    `stopped(sound id)`: by the user, or since another one was played.
    `finished(sound id)`: its end was heard.
    `failed(sound id, sentence)`: it cannot be played, or not to its end.
    `deviceChanged(sentence)`: why nothing can be heard, empty when something can; also once after
    the start of the program.
    """

    started = Signal(str)
    stopped = Signal(str)
    finished = Signal(str)
    failed = Signal(str, str)
    deviceChanged = Signal(str)  # as Qt writes its signals
    _opened = Signal(object)

    def __init__(
        self,
        client: Remote,
        heard: SoundCache,
        output: OutputFactory | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.sound: Sound | None = None
        """What is played, paused, or on its way."""
        self.paused = False
        self.volume = 1.0
        self._opener = Opener(client, heard)
        self._opening: Opening | None = None
        self._source: Source | None = None
        self._reader: Reader | None = None
        self._output: Output | None = None
        self._at = 0.0
        """Where playing goes on, in seconds, whenever there is no output."""
        self._awaited = 0
        """After a seek: the output frame from which on its target is heard."""
        self._outputs = output or DeviceOutputs(self)
        self._outputs.ended.connect(self._on_ended)
        self._outputs.broke.connect(self._on_broke)
        self._outputs.changed.connect(self._on_devices_changed)
        self._opened.connect(self._on_opened)
        self._device_problem: str | None = None
        # When the event loop runs, so that the window had the time to connect.
        QTimer.singleShot(0, self._tell_devices)

    @property
    def playing(self) -> bool:
        """Whether a sound runs, or will as soon as its bytes are there."""
        return self.sound is not None and not self.paused

    @property
    def buffering(self) -> bool:
        """Whether a sound should run, but its bytes are still on their way."""
        if not self.playing:
            return False
        return self._reader is None or self._reader.starved

    def play(self, sound: Sound, *, local: Path | None, start: float = 0.0) -> None:
        """Play a sound from `start` seconds on, in place of what is played now."""
        self.stop()
        self.sound = sound
        self._at = max(0.0, start)
        self._opening = self._opener.open(sound, local, self._at, self._opened.emit)

    def pause(self) -> None:
        """Be silent, but keep the place."""
        if self.playing:
            self._leave_output()
            self.paused = True

    def resume(self) -> None:
        """Go on after a pause."""
        if self.sound is not None and self.paused:
            self.paused = False
            self._start_output()

    def toggle(self) -> None:
        """Pause or go on."""
        if self.paused:
            self.resume()
        else:
            self.pause()

    def stop(self) -> None:
        """Be silent, and drop the connection to the server at once."""
        if self.sound is not None:
            self.stopped.emit(self._forget().id)

    def seek(self, seconds: float) -> None:
        """Go on at another place, playing or paused."""
        if self.sound is None:
            return
        self._at = max(0.0, seconds)
        if self._reader is not None:
            self._awaited = self._reader.handed_out
            self._reader.seek(self._frame())
        elif self._source is not None:
            self._source.aim(self._frame())

    def position(self) -> float:
        """Where in the sound we are, in seconds."""
        reader, output = self._reader, self._output
        if reader is None or output is None:
            return self._at
        heard = output.heard()
        # What the device still holds from before a seek is no longer where we are.
        if heard < self._awaited:
            return self._at
        return reader.source_at(heard) / reader.rate

    def set_volume(self, volume: float) -> None:
        """From 0 to 1, linear; at 1 the samples reach the device unchanged."""
        self.volume = min(max(volume, 0.0), 1.0)
        if self._output is not None:
            self._output.set_volume(self.volume)

    def shutdown(self) -> None:
        """Stop, and end all threads."""
        opening = self._opening
        self.stop()
        if opening is not None:
            opening.cancel(wait=2.0)
        self._outputs.shutdown()

    def _frame(self) -> int:
        """The frame at `_at`, which may lie behind the end of the sound."""
        assert self._source is not None
        return min(round(self._at * self._source.rate), self._source.frames)

    def _start_output(self) -> None:
        """Play on from where we are, if the sound is there by now and nobody paused it."""
        if self._source is None or self.paused:
            return
        reader = Reader(self._source, self._frame())
        try:
            output = self._outputs.create(reader)
        except UnplayableError as error:
            self._fail(str(error))
            return
        self._reader, self._output, self._awaited = reader, output, 0
        output.set_volume(self.volume)
        output.start()
        self._tell_devices()

    def _leave_output(self) -> None:
        """Stop the output, and keep in mind where it was."""
        self._at = self.position()
        if self._output is not None:
            self._output.stop()
        self._reader = self._output = None

    def _forget(self) -> Sound:
        """Let go of the sound and all that served it."""
        assert self.sound is not None
        sound, self.sound = self.sound, None
        self._leave_output()
        if self._opening is not None:
            self._opening.cancel()
        self._opening = self._source = None
        self.paused = False
        self._at = 0.0
        return sound

    def _fail(self, reason: str) -> None:
        sound = self._forget()
        sentence = reason[:1].upper() + reason[1:].rstrip(".")
        self.failed.emit(sound.id, f"“{sound.name}” cannot be played. {sentence}.")

    @Slot(object)
    def _on_opened(self, opening: Opening) -> None:
        if opening is not self._opening:
            return  # the user went on to another sound
        if opening.source is None:
            self._fail(opening.failure)
            return
        self._source = opening.source
        self._start_output()
        if self.sound is opening.sound:
            self.started.emit(opening.sound.id)

    @Slot(object)
    def _on_ended(self, output: Output) -> None:
        if output is not self._output or self._reader is None:
            return
        if self._reader.failure:
            self._fail(self._reader.failure)
        else:
            self.finished.emit(self._forget().id)

    @Slot(object)
    def _on_broke(self, output: Output) -> None:
        if output is self._output:
            self._leave_output()
            self._start_output()
        self._tell_devices()

    @Slot()
    def _on_devices_changed(self) -> None:
        if self._output is not None and not self._outputs.suits(self._output):
            self._leave_output()
            self._start_output()
        self._tell_devices()

    @Slot()
    def _tell_devices(self) -> None:
        problem = self._outputs.missing()
        if problem != self._device_problem:
            self._device_problem = problem
            self.deviceChanged.emit(problem)
