"""What cannot be done without a question first: which files, and to which folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from sonoteca_desktop.views.dialogs import FolderQuestion, UploadQuestion
from sonoteca_shared.models import Sound


class Asking(QObject):
    """Asks for files to upload, and for the folder of downloads: the first time only.

    Signals:
        filesChosen(list[Path]): files, or one folder, to upload.
        downloadRequested(list[Sound], Path): download them to this folder.
        downloadFolderChosen(Path): from now on downloads go here.
    """

    filesChosen = Signal(list)
    downloadRequested = Signal(list, object)
    downloadFolderChosen = Signal(object)

    def __init__(self, download_folder: Path | None, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._download_folder = download_folder
        self._wanted: list[Sound] = []

    def ask_files(self) -> None:
        self._ask_upload(UploadQuestion(folder=False, parent=self._window))

    def ask_folder(self) -> None:
        self._ask_upload(UploadQuestion(folder=True, parent=self._window))

    def download(self, sounds: list[Sound]) -> None:
        """Download to the folder used before; ask for it when there is none (any more)."""
        if self._download_folder is None or not self._download_folder.is_dir():
            self.download_elsewhere(sounds)
        elif sounds:
            self.downloadRequested.emit(sounds, self._download_folder)

    def download_elsewhere(self, sounds: list[Sound]) -> None:
        """Ask for a folder, then download to it, now and from now on."""
        if not sounds:
            return
        self._wanted = sounds
        question = FolderQuestion(self._download_folder or Path.home(), self._window)
        question.chosen.connect(self._folder_chosen)
        question.open()

    def _ask_upload(self, question: UploadQuestion) -> None:
        question.chosen.connect(self.filesChosen)
        question.open()

    def _folder_chosen(self, folder: Path) -> None:
        self._download_folder = folder
        self.downloadFolderChosen.emit(folder)
        self.downloadRequested.emit(self._wanted, folder)
