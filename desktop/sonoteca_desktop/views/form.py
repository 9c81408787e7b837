"""Fields below one another, each with its words, and with what is wrong with it right below."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLineEdit, QPlainTextEdit, QWidget

from sonoteca_desktop.views.buttons import TextButton
from sonoteca_desktop.views.dialogs import FolderQuestion, Question
from sonoteca_desktop.views.layout import Label, row
from sonoteca_desktop.views.theme import Theme


class Form(QGridLayout):
    """The fields of a question, by name; they get the keyboard in the order they are added in."""

    def __init__(self, theme: Theme, question: Question) -> None:
        super().__init__()
        self._theme = theme
        self._question = question
        self._fields: dict[str, tuple[Label, QWidget, Label]] = {}
        self.setHorizontalSpacing(12)
        self.setVerticalSpacing(0)
        self.setColumnStretch(1, 1)
        question.body.addLayout(self)

    def add(self, name: str, words: str, field: QWidget, *, tip: str = "") -> None:
        """Put a field below the others."""
        label = Label(self._theme, f"{name}Label", self._question, text=words)
        label.setBuddy(field)
        wrong = Label(
            self._theme, f"{name}Error", self._question, tone="danger", pixels=11, wrap=True
        )
        wrong.setContentsMargins(0, 3, 0, 7)
        wrong.hide()
        field.setAccessibleName(words)
        field.setToolTip(tip)
        line = 2 * len(self._fields)
        top = isinstance(field, QPlainTextEdit)
        label.setContentsMargins(0, 8 if top else 0, 0, 0)
        place = Qt.AlignmentFlag.AlignTop if top else Qt.AlignmentFlag.AlignVCenter
        self.addWidget(label, line, 0, place)
        self.addWidget(field, line, 1)
        self.addWidget(wrong, line + 1, 1)
        self.setRowMinimumHeight(line + 1, 10)
        self._fields[name] = (label, field, wrong)

    def show_field(self, name: str, *, shown: bool) -> None:
        """Show a field, or let it give its room up."""
        label, field, wrong = self._fields[name]
        label.setVisible(shown)
        field.setVisible(shown)
        wrong.setVisible(shown and bool(wrong.text()))
        line = 2 * list(self._fields).index(name)
        self.setRowMinimumHeight(line + 1, 10 if shown else 0)
        self._make_room()

    def complain(self, name: str, sentence: str) -> None:
        """Say below a field what is wrong with it, and go there."""
        _, field, wrong = self._fields[name]
        wrong.setText(sentence)
        wrong.show()
        field.setAccessibleDescription(sentence)
        field.setFocus()
        self._make_room()

    def be_content(self) -> None:
        """Nothing is wrong any more."""
        for _, field, wrong in self._fields.values():
            wrong.clear()
            wrong.hide()
            field.setAccessibleDescription("")
        self._make_room()

    def _make_room(self) -> None:
        # At once: a window that grows a moment later would show the sentence cut off.
        self._question.ensurePolished()
        box = self._question.layout()
        if box is not None:
            box.activate()
            self._question.resize(
                self._question.width(), box.totalHeightForWidth(self._question.width())
            )


class FolderField(QWidget):
    """A folder, typed or chosen."""

    def __init__(self, theme: Theme, name: str, folder: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._line = QLineEdit(str(folder), self)
        self._line.setObjectName(f"{name}Line")
        self._line.setAccessibleName("Folder")
        self._line.setFixedHeight(34)
        choose = TextButton(theme, "Choose…", height=34, parent=self)
        choose.setObjectName(f"{name}Choose")
        choose.clicked.connect(self._ask)
        self.setFocusProxy(self._line)
        box = row(self, spacing=8)
        box.addWidget(self._line, 1)
        box.addWidget(choose)

    @property
    def folder(self) -> Path:
        """The folder as it stands there."""
        return Path(self._line.text().strip()).expanduser()

    @property
    def trouble(self) -> str:
        """Why nothing can be put into it; nothing when all is well."""
        if not self._line.text().strip() or not self.folder.is_absolute():
            return "Name a folder, from the top: /home/…"
        return "" if self.folder.is_dir() else "This folder is not there. Choose another one"

    def _ask(self) -> None:
        start = Path.home() if self.trouble else self.folder
        question = FolderQuestion(start, self)
        question.chosen.connect(self._take)
        question.open()

    def _take(self, folder: Path) -> None:
        self._line.setText(str(folder))
