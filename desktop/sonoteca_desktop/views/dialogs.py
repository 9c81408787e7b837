"""Questions in windows of their own: where to download to, how fast, and what on closing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QSpinBox,
    QWidget,
)

from sonoteca_desktop.views.buttons import TextButton
from sonoteca_desktop.views.layout import Label, column, row
from sonoteca_desktop.views.theme import Theme


class ClosingAnswer(StrEnum):
    """What to do with transfers that run when the window is closed."""

    KEEP = "Keep running"
    STOP = "Stop and go on next time"
    CANCEL = "Cancel"


class Question(QDialog):
    """A title, a text, whatever stands between, and a row of buttons."""

    def __init__(self, theme: Theme, title: str, text: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Sonoteca")
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self._theme = theme
        heading = Label(theme, "questionTitle", self, text=title, pixels=15, weight=600, wrap=True)
        words = Label(theme, "questionText", self, text=text, tone="dim", wrap=True)
        self.body = column()
        self.buttons = row(spacing=10)
        self.buttons.addStretch(1)
        box = column(self, margins=(24, 22, 24, 20))
        box.addWidget(heading)
        box.addSpacing(8)
        box.addWidget(words)
        box.addSpacing(16)
        box.addLayout(self.body)
        box.addSpacing(6)
        box.addLayout(self.buttons)
        self.setFixedWidth(480)

    def add_button(self, text: str, name: str, *, primary: bool = False) -> TextButton:
        button = TextButton(self._theme, text, primary=primary, height=34, parent=self)
        button.setObjectName(name)
        self.buttons.addWidget(button)
        if primary:
            self._primary = button
        return button

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._primary.click()
            return
        super().keyPressEvent(event)


class ClosingQuestion(Question):
    """Asks what becomes of running transfers when the window is closed.

    Signals:
        answered(ClosingAnswer, bool): once, and whether it holds from now on; closing the question
            itself is Cancel.
    """

    answered = Signal(object, object)

    def __init__(self, theme: Theme, running: int, parent: QWidget | None = None) -> None:
        still = f"{_running(running)} {'is' if running == 1 else 'are'}"
        super().__init__(
            theme,
            f"{still} still running",
            "They can go on in the background without the window, in silence: starting "
            "Sonoteca again (or “sonoteca” in a shell) brings the window back. Or they stop now, "
            "and go on where they were when you open Sonoteca again.",
            parent,
        )
        self._always = QCheckBox("Do the same from now on", self)
        self._always.setObjectName("closingAlways")
        self.body.addWidget(self._always)
        self.body.addSpacing(14)
        self.setObjectName("closingQuestion")
        self._answer = ClosingAnswer.CANCEL
        self.add_button(ClosingAnswer.CANCEL, "closingCancel").clicked.connect(self.reject)
        self.add_button(ClosingAnswer.STOP, "closingStop").clicked.connect(self._stop)
        keep = self.add_button(ClosingAnswer.KEEP, "closingKeep", primary=True)
        keep.clicked.connect(self._keep)
        keep.setFocus()
        self.finished.connect(self._tell)

    def _stop(self) -> None:
        self._answer = ClosingAnswer.STOP
        self.accept()

    def _keep(self) -> None:
        self._answer = ClosingAnswer.KEEP
        self.accept()

    def _tell(self) -> None:
        self.answered.emit(self._answer, self._always.isChecked())


class QuitQuestion(Question):
    """Asks whether to end the program while transfers run."""

    def __init__(self, theme: Theme, running: int, parent: QWidget | None = None) -> None:
        super().__init__(
            theme,
            f"Quit with {_running(running)} running?",
            "Nothing is lost: they go on where they were when you open Sonoteca again.",
            parent,
        )
        self.setObjectName("quitQuestion")
        self.add_button("Cancel", "quitCancel").clicked.connect(self.reject)
        self.add_button("Quit", "quitNow", primary=True).clicked.connect(self.accept)


def _running(count: int) -> str:
    return "1 transfer" if count == 1 else f"{count} transfers"


class LimitDialog(Question):
    """Asks for a speed limit of one's own.

    Signals:
        limitChosen(object): bytes a second.
    """

    limitChosen = Signal(object)

    def __init__(self, theme: Theme, limit: int | None, parent: QWidget | None = None) -> None:
        super().__init__(
            theme,
            "Speed limit",
            "All uploads and downloads together use no more than this. It applies at once.",
            parent,
        )
        self.setObjectName("limitDialog")
        self._field = QSpinBox(self)
        self._field.setObjectName("limitField")
        self._field.setAccessibleName("Speed limit in KB/s")
        self._field.setRange(1, 10_000_000)
        self._field.setSuffix(" KB/s")
        self._field.setValue((limit or 2_000_000) // 1000)
        self._field.selectAll()
        self.body.addWidget(self._field)
        self.body.addSpacing(14)
        self.add_button("Cancel", "limitCancel").clicked.connect(self.reject)
        self.add_button("Set limit", "limitSet", primary=True).clicked.connect(self.accept)
        self.accepted.connect(self._tell)

    def _tell(self) -> None:
        self.limitChosen.emit(self._field.value() * 1000)


class FolderQuestion(QFileDialog):
    """Asks for the folder that downloads go to.

    Signals:
        chosen(Path): the folder.
    """

    chosen = Signal(object)

    def __init__(self, start: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent, "Download to which folder?", str(start))
        self.setObjectName("folderQuestion")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFileMode(QFileDialog.FileMode.Directory)
        self.setOption(QFileDialog.Option.ShowDirsOnly)
        self.setLabelText(QFileDialog.DialogLabel.Accept, "Download here")
        self.fileSelected.connect(self._tell)

    def _tell(self, folder: str) -> None:
        self.chosen.emit(Path(folder))


class UploadQuestion(QFileDialog):
    """Asks for files, or for a folder, to upload.

    Signals:
        chosen(list[Path]): what was picked.
    """

    chosen = Signal(list)

    def __init__(self, *, folder: bool, parent: QWidget | None = None) -> None:
        title = "Upload which folder?" if folder else "Upload which files?"
        super().__init__(parent, title)
        self.setObjectName("uploadQuestion")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if folder:
            self.setFileMode(QFileDialog.FileMode.Directory)
            self.setOption(QFileDialog.Option.ShowDirsOnly)
        else:
            self.setFileMode(QFileDialog.FileMode.ExistingFiles)
            # What is in a file decides, not its name: all of them can be picked.
            self.setNameFilters(["WAV files (*.wav *.WAV *.wave *.bwf *.rf64)", "All files (*)"])
        self.setLabelText(QFileDialog.DialogLabel.Accept, "Upload")
        self.filesSelected.connect(self._tell)

    def _tell(self, names: list[str]) -> None:
        self.chosen.emit([Path(name) for name in names])
