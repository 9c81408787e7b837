"""Ears: outputs that keep what they are given, and a sound server of our own to listen to."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject

from sonoteca_desktop.playback.output import Output, OutputFactory
from sonoteca_desktop.playback.reader import Reader
from sonoteca_desktop.playback.samples import SampleFormat
from sonoteca_desktop.playback.silence import SilentOutput
from tests.kit import engines
from tests.kit.wait import until

_TICK_S = 0.01
# A device is given its frames some time before they are heard.
_LATENCY_S = 0.1


class CapturingOutput:
    """Pulls as a device does, `speed` times as fast, and keeps every byte."""

    def __init__(
        self, reader: Reader, ended: Callable[[CapturingOutput], None], *, speed: float = 1.0
    ) -> None:
        self.reader = reader
        self.volume = 1.0
        self._ended = ended
        self._speed = speed
        self._bytes = bytearray()
        self._stopped = threading.Event()

    @property
    def rate(self) -> int:
        return self.reader.rate

    @property
    def channels(self) -> int:
        return self.reader.source.channels

    @property
    def format(self) -> SampleFormat:
        return self.reader.source.format

    @property
    def captured(self) -> bytes:
        """All that it was given so far, silence included."""
        return bytes(self._bytes)

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self.reader.abandon()

    def set_volume(self, volume: float) -> None:
        self.volume = volume

    def heard(self) -> int:
        given = len(self._bytes) // self.reader.source.frame_bytes
        return max(0, given - int(_LATENCY_S * self.rate))

    def _run(self) -> None:
        began = time.monotonic() - _LATENCY_S / self._speed
        pulled = 0
        while not self._stopped.is_set():
            due = int((time.monotonic() - began) * self._speed * self.rate) - pulled
            data = self.reader.pull(due)
            self._bytes += data
            pulled += due
            if len(data) < due * self.reader.source.frame_bytes:
                self._ended(self)
                return
            self._stopped.wait(_TICK_S)


class CapturingOutputs(OutputFactory):
    """A computer with one audio device, which can be pulled out; `outputs` are all it made."""

    def __init__(
        self, *, speed: float = 1.0, present: bool = True, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.outputs: list[CapturingOutput] = []
        self._speed = speed
        self._present = present

    @property
    def last(self) -> CapturingOutput:
        return self.outputs[-1]

    def plug_in(self) -> None:
        self._present = True
        self.changed.emit()

    def pull_out(self) -> None:
        self._present = False
        self.changed.emit()

    def missing(self) -> str:
        return "" if self._present else "No audio device found."

    def create(self, reader: Reader) -> Output:
        if not self._present:
            return SilentOutput(reader, self.ended.emit)
        self.outputs.append(CapturingOutput(reader, self.ended.emit, speed=self._speed))
        return self.last

    def suits(self, output: Output) -> bool:
        return isinstance(output, CapturingOutput) == self._present

    def shutdown(self) -> None:
        for output in self.outputs:
            output.stop()


@dataclass
class NullSink:
    """A PulseAudio server of our own, with one device that nobody hears."""

    env: dict[str, str]
    """What a program needs in its environment to play on it."""
    rate: int
    _command: list[str]
    _log: Path
    _server: subprocess.Popen[bytes] | None = None
    _recorders: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start the server, or start it again."""
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(self._command, env=self.env, stdout=log, stderr=log)
        until(lambda: _answers(self.env))

    def stop(self) -> None:
        """End the server, as a crash or an update of the system does."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(5)
        self._server = None

    def control(self, *command: str) -> str:
        """Run `pactl`."""
        return subprocess.run(
            ["pactl", *command], env=self.env, check=True, capture_output=True, text=True
        ).stdout

    def record(self, path: Path) -> None:
        """Write what the device plays to a file, from now on: floats, two channels."""
        command = ["parec", "-d", "null.monitor", "--raw", "--format=float32le"]
        command += [f"--rate={self.rate}", "--channels=2", "--latency-msec=5"]
        with path.open("wb") as file:
            self._recorders.append(subprocess.Popen(command, env=self.env, stdout=file))
        until(lambda: path.stat().st_size > 0)

    def stop_recording(self) -> None:
        for recorder in self._recorders:
            recorder.terminate()
            recorder.wait(5)
        self._recorders.clear()


@contextlib.contextmanager
def null_sink(*, rate: int = 48_000) -> Iterator[NullSink]:
    """Run a private PulseAudio server with a null sink while the block lasts."""
    program = engines.require("pulseaudio")
    engines.require("pactl")
    # Not in a test's own folder: the name of a socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pulse-") as name:
        folder = Path(name)
        env = dict(os.environ, XDG_RUNTIME_DIR=name, XDG_CONFIG_HOME=name, HOME=name)
        env.pop("PULSE_SERVER", None)
        command = [str(program), "-n", "--daemonize=no", "--exit-idle-time=-1"]
        command += ["--use-pid-file=no", "-L", "module-native-protocol-unix auth-anonymous=1"]
        # Without `norewinds` the sink renders two seconds at once, and all would come that late.
        command += ["-L", f"module-null-sink sink_name=null rate={rate} norewinds=1"]
        command[-1] += " format=float32le"
        sink = NullSink(env, rate, command, folder / "log")
        try:
            sink.start()
            yield sink
        finally:
            sink.stop_recording()
            sink.stop()


def _answers(env: dict[str, str]) -> bool:
    return subprocess.run(["pactl", "info"], env=env, capture_output=True).returncode == 0
