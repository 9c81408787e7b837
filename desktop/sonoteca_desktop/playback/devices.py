"""Sound on this computer's audio devices, through QAudioSink in a thread of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QIODevice, QObject, QThread, QTimer, Signal, Slot
from PySide6.QtMultimedia import QAudioDevice, QAudioFormat, QAudioSink, QMediaDevices, QtAudio

from sonoteca_desktop.playback.output import Output, OutputFactory
from sonoteca_desktop.playback.reader import Reader
from sonoteca_desktop.playback.samples import SampleFormat, UnplayableError
from sonoteca_desktop.playback.silence import SilentOutput
from sonoteca_desktop.playback.sound_server import SoundServer

BUFFER_S = 0.1
_TICK_MS = 20
# A device that was pulled out says nothing: its sink stays active and takes no more frames.
# (PulseAudio's null sink, on the other hand, may take a second of them at once.)
_STALL_S = 2.5
# A device that did not work is tried again after this time, or when devices come or go.
_DEAD_S = 5.0
# How often to look whether a sound server that went away is back.
_RETURN_MS = 500

NO_DEVICE = "No audio device found. Sounds play silently until one appears."
NEVER_A_SERVER = (
    "This computer had no sound service when Sonoteca started. Sounds play silently; start "
    "Sonoteca again once there is one."
)
NO_SERVER = (
    "The sound service of this computer has stopped. Sounds play silently; when it runs again and "
    "nothing is heard, start Sonoteca again."
)

_FORMATS = {
    SampleFormat.UINT8: QAudioFormat.SampleFormat.UInt8,
    SampleFormat.INT16: QAudioFormat.SampleFormat.Int16,
    SampleFormat.INT32: QAudioFormat.SampleFormat.Int32,
    SampleFormat.FLOAT: QAudioFormat.SampleFormat.Float,
}


class DeviceOutputs(OutputFactory):
    """Plays on the default audio device, and silently when there is none."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._dead: dict[bytes, float] = {}
        self._server = SoundServer()
        self._return = QTimer(self, interval=_RETURN_MS)
        self._return.timeout.connect(self._look_for_server)
        self._devices = QMediaDevices(self)
        self._devices.audioOutputsChanged.connect(self._on_devices_changed)
        self._thread = QThread(self)
        self._thread.setObjectName("audio")
        self._player = _SinkPlayer()
        self._player.moveToThread(self._thread)
        self._player.ended.connect(self._on_ended)
        self._player.lost.connect(self._on_lost)
        self._thread.finished.connect(self._player.end)
        self._thread.start()

    def missing(self) -> str:
        if self._device() is not None:
            return ""
        if self._server.lost:
            return NO_SERVER
        devices = QMediaDevices.audioOutputs()
        if not devices:
            return NEVER_A_SERVER if self._server.was_never_there else NO_DEVICE
        name = devices[0].description()
        return f"The audio device “{name}” takes no sound. Sounds play silently until one does."

    def create(self, reader: Reader) -> Output:
        device = self._device()
        if device is None:
            return SilentOutput(reader, self.ended.emit)
        return _SinkOutput(reader, device, _accepted_format(device, reader), self._player)

    def suits(self, output: Output) -> bool:
        device = self._device()
        if device is None or not isinstance(output, _SinkOutput):
            return device is None and isinstance(output, SilentOutput)
        # When another device becomes the default, the sound server moves what plays to it.
        return any(each.id() == output.device.id() for each in QMediaDevices.audioOutputs())

    def shutdown(self) -> None:
        self._thread.quit()
        self._thread.wait(2000)

    def _device(self) -> QAudioDevice | None:
        """The default device, or another one when that does not work."""
        if self._server.lost:
            self._return.start()
            return None
        now = time.monotonic()
        devices = [QMediaDevices.defaultAudioOutput(), *QMediaDevices.audioOutputs()]
        for device in devices:
            if not device.isNull() and now - self._dead.get(_name(device), 0.0) > _DEAD_S:
                return device
        return None

    @Slot()
    def _look_for_server(self) -> None:
        if not self._server.lost:
            self._return.stop()
            self._on_devices_changed()  # they may be the same as before, and then Qt says nothing

    @Slot()
    def _on_devices_changed(self) -> None:
        self._dead.clear()
        self.changed.emit()

    @Slot(object)
    def _on_ended(self, output: _SinkOutput) -> None:
        self.ended.emit(output)

    @Slot(object)
    def _on_lost(self, output: _SinkOutput) -> None:
        self._dead[_name(output.device)] = time.monotonic()
        self.broke.emit(output)


def _name(device: QAudioDevice) -> bytes:
    return bytes(device.id().data())


def _accepted_format(device: QAudioDevice, reader: Reader) -> QAudioFormat:
    """The format to play a sound in; its channels are mixed down when the device wants that."""
    form = _format_of(reader)
    if not device.isFormatSupported(form) and reader.source.channels > 2:
        reader.source = reader.source.in_stereo()
        form = _format_of(reader)
    if not device.isFormatSupported(form):
        source = reader.source
        raise UnplayableError(
            f"The audio device “{device.description()}” does not take {source.channels} channels "
            f"at {source.rate} Hz."
        )
    return form


def _format_of(reader: Reader) -> QAudioFormat:
    form = QAudioFormat()
    form.setSampleRate(reader.source.rate)
    form.setChannelCount(reader.source.channels)
    form.setSampleFormat(_FORMATS[reader.source.format])
    return form


class _SinkOutput:
    """One sound on one device; what is done happens in the audio thread."""

    def __init__(
        self, reader: Reader, device: QAudioDevice, form: QAudioFormat, player: _SinkPlayer
    ) -> None:
        self.reader = reader
        self.device = device
        self.form = form
        self.volume = 1.0
        self.clock = _Clock()
        self._player = player
        self._heard = 0

    def start(self) -> None:
        self._player.begun.emit(self)

    def stop(self) -> None:
        self.reader.abandon()
        self._player.stopped.emit(self)

    def set_volume(self, volume: float) -> None:
        self.volume = volume
        self._player.adjusted.emit(self)

    def heard(self) -> int:
        """Taken from the device's clock, which moves in steps, and drawn out between them."""
        clock = self.clock
        past = time.monotonic() - clock.at if clock.running else 0.0
        now = clock.frames + int(min(past, BUFFER_S) * self.reader.rate)
        self._heard = max(self._heard, now)
        return self._heard


@dataclass(frozen=True, slots=True)
class _Clock:
    """How many frames the device had played at a moment."""

    frames: int = 0
    at: float = 0.0
    running: bool = False


class _SinkPlayer(QObject):
    """Lives in the audio thread, and makes, feeds and drops the sinks there, one at a time.

    `ended(output)`, `lost(output)`: as in `OutputFactory`. The other signals are its orders, sent
    from the window thread: they only ever queue, so the window never waits for a device.
    """

    ended = Signal(object)
    lost = Signal(object)
    begun = Signal(object)
    stopped = Signal(object)
    adjusted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._output: _SinkOutput | None = None
        self._sink: QAudioSink | None = None
        self._pipe: _Pipe | None = None
        self._moved = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.begun.connect(self._begin)
        self.stopped.connect(self._stop)
        self.adjusted.connect(self._adjust)

    @Slot(object)
    def _begin(self, output: _SinkOutput) -> None:
        self.end()
        self._output = output
        self._pipe = _Pipe(output.reader, self)
        self._sink = QAudioSink(output.device, output.form, self)
        self._sink.setBufferFrameCount(int(BUFFER_S * output.reader.rate))
        self._sink.setVolume(output.volume)
        self._sink.stateChanged.connect(self._on_state)
        self._moved = time.monotonic()
        self._timer.start()
        self._sink.start(self._pipe)

    @Slot(object)
    def _stop(self, output: _SinkOutput) -> None:
        if output is self._output:
            self.end()

    @Slot(object)
    def _adjust(self, output: _SinkOutput) -> None:
        if output is self._output and self._sink is not None:
            self._sink.setVolume(output.volume)

    @Slot()
    def end(self) -> None:
        """Be silent, and let go of the device."""
        self._timer.stop()
        self._output = None
        sink, self._sink = self._sink, None
        pipe, self._pipe = self._pipe, None
        if sink is not None:
            sink.stateChanged.disconnect(self._on_state)
            sink.stop()
            sink.deleteLater()
        if pipe is not None:
            pipe.deleteLater()

    @Slot()  # without arguments: PySide6 6.11 cannot convert QAudio::State in a worker thread
    def _on_state(self) -> None:
        output, sink = self._output, self._sink
        if output is None or sink is None:
            return
        if sink.state() == QtAudio.State.IdleState and output.reader.ended:
            self.end()
            self.ended.emit(output)
        elif sink.state() == QtAudio.State.StoppedState:
            self.end()
            self.lost.emit(output)

    @Slot()
    def _tick(self) -> None:
        output, sink = self._output, self._sink
        if output is None or sink is None:
            return
        frames = sink.processedUSecs() * output.reader.rate // 1_000_000
        now = time.monotonic()
        if frames != output.clock.frames:
            self._moved = now
            output.clock = _Clock(frames, now, running=True)
        elif now - self._moved > _STALL_S:
            self.end()
            self.lost.emit(output)


class _Pipe(QIODevice):
    """The reader as the device that a sink pulls from."""

    def __init__(self, reader: Reader, parent: QObject) -> None:
        super().__init__(parent)
        self._reader = reader
        self.open(QIODevice.OpenModeFlag.ReadOnly | QIODevice.OpenModeFlag.Unbuffered)

    def isSequential(self) -> bool:
        return True

    def bytesAvailable(self) -> int:
        return 1 << 20  # always: there is silence where there is no sound

    def readData(self, maxlen: int) -> bytes:
        return self._reader.pull(maxlen // self._reader.source.frame_bytes)

    def writeData(self, data: bytes | QByteArray, length: int) -> int:  # type: ignore[override]  # noqa: ARG002
        return -1
