"""Takes the picture of the README: the real window, on a real server with the sample library.

Example: .venv/bin/python packaging/screenshot.py docs/screenshot.png
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.playback.output import Output, OutputFactory
from sonoteca_desktop.playback.reader import Reader
from sonoteca_desktop.playback.silence import SilentOutput
from sonoteca_desktop.views.theme import Theme

_ROOT = Path(__file__).parents[1]
_FAST, _SLOW = 40_000_000, 1_400_000  # bytes a second: one transfer done, another on its way
_SAMPLES = 7


class Quiet(OutputFactory):
    """A computer that can be heard, without waking the neighbours."""

    def missing(self) -> str:
        return ""

    def create(self, reader: Reader) -> Output:
        return SilentOutput(reader, self.ended.emit)

    def suits(self, _output: Output) -> bool:
        return True


class Scene(QObject):
    """What happens in front of the camera, a step at a time."""

    def __init__(self, desktop: Desktop, downloads: Path, picture: Path) -> None:
        super().__init__()
        self._desktop = desktop
        self._downloads = downloads
        self._picture = picture
        self._steps = [self._begin, self._slow_down, self._play, self._shoot]
        self._timer = QTimer(self, interval=2500)
        self._timer.timeout.connect(self._next)
        self._timer.start()

    def _next(self) -> None:
        if self._desktop.sounds.rowCount() == _SAMPLES and self._steps:
            self._steps.pop(0)()

    def _begin(self) -> None:
        self._desktop.queue.set_limit(_FAST)
        self._download("Church bell.wav", "Five vowels, tenor.wav")

    def _slow_down(self) -> None:
        self._desktop.queue.set_limit(_SLOW)
        self._download("Surf on a pebble beach.wav", "Wind in pines.wav")

    def _play(self) -> None:
        for row in range(self._desktop.sounds.rowCount()):
            sound = self._desktop.sounds.sound(row)
            if sound is not None and sound.name == "Wind in pines.wav":
                self._desktop.window.library.table.select_row(row)
                self._desktop.player.seek(9.5)

    def _shoot(self) -> None:
        self._desktop.window.grab().save(str(self._picture))
        self._desktop.close()
        QApplication.exit()  # asked to quit, the window would ask back: a transfer is running

    def _download(self, *names: str) -> None:
        rows = range(self._desktop.sounds.rowCount())
        sounds = [sound for row in rows if (sound := self._desktop.sounds.sound(row)) is not None]
        chosen = [sound for sound in sounds if sound.name in names]
        self._desktop.window.downloadRequested.emit(chosen, self._downloads)


def main(picture: Path) -> int:
    """Start everything, take the picture, and leave nothing behind."""
    application = QApplication([])
    theme = Theme()
    theme.apply(application)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "downloads").mkdir()
        command = [sys.executable, "-m", "sonoteca_server", "serve", "--port", "0"]
        with subprocess.Popen(
            [*command, "--data", str(folder / "library")], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            samples = _ROOT / "packaging" / "samples.py"
            subprocess.run([sys.executable, str(samples), "--server", url], check=True)
            desktop = Desktop(url, folder / "client", theme=theme, output=Quiet())
            desktop.server_name = "studio.local"
            desktop.start()
            desktop.window.resize(1440, 860)
            scene = Scene(desktop, folder / "downloads", picture)
            code = application.exec()
            scene.deleteLater()
            server.terminate()
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
