"""Shows which files a zip came without, and why."""

from __future__ import annotations

from PySide6.QtWidgets import QPlainTextEdit, QWidget

from sonoteca_desktop.transfers.queue import Transfer
from sonoteca_desktop.transfers.zipped import list_missing, missing_words
from sonoteca_desktop.views.dialogs import Question
from sonoteca_desktop.views.theme import Theme

_HEIGHT = 220


class MissingDialog(Question):
    """One line for each file, to be read and copied; the zip itself has them as well."""

    def __init__(self, theme: Theme, transfer: Transfer, parent: QWidget | None = None) -> None:
        missing = list_missing(transfer.path)
        words = missing_words(missing) or "Its list cannot be read"
        super().__init__(
            theme,
            transfer.name,
            f"{words}. The same list is in the zip, as MANIFEST.json.",
            parent,
        )
        self.setObjectName("missingDialog")
        lines = QPlainTextEdit(self)
        lines.setObjectName("missingList")
        lines.setAccessibleName("Files that are missing, and why")
        lines.setReadOnly(True)
        lines.setTabChangesFocus(True)
        lines.setFixedHeight(_HEIGHT)
        lines.setPlainText("\n".join(f"{each.url}\n    {each.detail}" for each in missing))
        self.body.addWidget(lines)
        self.body.addSpacing(14)
        self.add_button("Done", "missingDone", primary=True).clicked.connect(self.accept)
