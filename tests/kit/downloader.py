"""A client that downloads all sounds of a library: SERVER FOLDER DOWNLOADS LIMIT.

It is the program itself, told by this script what a user would tell it with the mouse. What the
journal knows from a run before is not asked for again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtWidgets import QApplication

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.views.theme import Theme


def main(server: str, folder: str, downloads: str, limit: str) -> int:
    """Open the client and stay until somebody ends it."""
    application = QApplication([])
    theme = Theme()
    theme.apply(application)
    client = Desktop(server, Path(folder), theme=theme)
    client.queue.set_limit(int(limit) or None)
    client.start()

    def download_new() -> None:
        known = {one.sound_id for one in client.queue.snapshot()}
        sounds = (client.sounds.sound(row) for row in range(client.sounds.rowCount()))
        new = [sound for sound in sounds if sound is not None and sound.id not in known]
        client.window.downloadRequested.emit(new, Path(downloads))

    client.sounds.swapped.connect(lambda _fresh: download_new())
    return application.exec()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
