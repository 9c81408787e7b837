"""Asks what is to come as one zip: sounds of the library, or files at links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit, QWidget

from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.transfers.target import safe_name
from sonoteca_desktop.views.choice import Choice
from sonoteca_desktop.views.dialogs import Question
from sonoteca_desktop.views.form import FolderField, Form
from sonoteca_desktop.views.theme import Theme
from sonoteca_shared.models import Collection

_MOST_LINKS = 10_000
_LINES_HEIGHT = 150


@dataclass(frozen=True, slots=True)
class Source:
    """Something that can come as a zip: what to ask for, in words, and what to call it."""

    words: str
    name: str
    wish: Wish


class ArchiveQuestion(Question):
    """What both questions share: the name of the zip, and its folder.

    Signals:
        wanted(Wish, Path): have this put together, and fetch it as this file.
    """

    wanted = Signal(object, object)

    def __init__(
        self, theme: Theme, title: str, text: str, folder: Path, parent: QWidget | None
    ) -> None:
        super().__init__(theme, title, text, parent)
        self.form = Form(theme, self)
        self.body.addSpacing(8)
        self.name = QLineEdit(self)
        self.name.setObjectName("zipName")
        self.name.setFixedHeight(34)
        self._folder = FolderField(theme, "zipFolder", folder, self)

    def end_form(self, primary: str) -> None:
        """Name and folder come after all else."""
        self.form.add("name", "Name", self.name)
        self.form.add("folder", "Folder", self._folder)
        self.add_button("Cancel", "zipCancel").clicked.connect(self.reject)
        self.add_button(primary, "zipGo", primary=True).clicked.connect(self._go)

    def wish(self) -> Wish | None:
        """What is asked for; None when that was complained of."""
        raise NotImplementedError

    def _go(self) -> None:
        self.form.be_content()
        name = self.name.text().strip()
        if not name:
            self.form.complain("name", "Say what the zip is to be called")
        elif trouble := self._folder.trouble:
            self.form.complain("folder", trouble)
        elif (wish := self.wish()) is not None:
            stem = name[:-4] if name.lower().endswith(".zip") else name
            file = safe_name(f"{stem}.zip")
            self.wanted.emit(msgspec.structs.replace(wish, name=file), self._folder.folder / file)
            self.accept()


class ZipDialog(ArchiveQuestion):
    """Asks which sounds are to come: the selected ones, all of a search, or a collection."""

    def __init__(
        self, theme: Theme, sources: list[Source], folder: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(
            theme,
            "Download as zip",
            "One file with all of them, in their folders. It can be paused, and goes on after a "
            "broken line as every transfer does.",
            folder,
            parent,
        )
        self.setObjectName("zipDialog")
        self._sources: list[Source] = []
        self._what = Choice(theme, self)
        self._what.setObjectName("zipWhat")
        self.form.add("what", "Sounds", self._what)
        self.end_form("Download")
        self.add_sources(sources)
        self._what.currentIndexChanged.connect(self._suggest)
        self._suggest()
        self._what.setFocus()

    def add_sources(self, sources: list[Source]) -> None:
        """Offer these, too."""
        self._sources += sources
        self._what.addItems([each.words for each in sources])

    def add_collections(self, collections: list[Collection]) -> None:
        """Offer collections, too."""
        self.add_sources(
            [
                Source(f"Collection “{each.name}”", each.name, Wish(collection=each.id))
                for each in collections
            ]
        )

    def wish(self) -> Wish | None:
        return self._sources[self._what.currentIndex()].wish

    def _suggest(self) -> None:
        self.name.setText(f"{self._sources[self._what.currentIndex()].name}.zip")


class LinksDialog(ArchiveQuestion):
    """Asks for links to files that the server fetches and puts into one zip.

    What it was asked for the last time stands there again: one wrong link of a hundred is mended,
    not typed anew.
    """

    def __init__(
        self, theme: Theme, links: Sequence[str], folder: Path, parent: QWidget | None = None
    ) -> None:
        super().__init__(
            theme,
            "Archive from links",
            "The server fetches the files, and they come as one zip. What it cannot get is left "
            "out, and told.",
            folder,
            parent,
        )
        self.setObjectName("linksDialog")
        self._lines = QPlainTextEdit(self)
        self._lines.setObjectName("zipLinks")
        self._lines.setPlaceholderText("https://example.org/one.wav\nhttps://example.org/two.wav")
        self._lines.setPlainText("\n".join(links))
        self._lines.selectAll()
        self._lines.setTabChangesFocus(True)
        self._lines.setFixedHeight(_LINES_HEIGHT)
        self.form.add("links", "Links, one a line", self._lines)
        self.name.setText("links.zip")
        self.end_form("Fetch")
        self._lines.setFocus()

    def wish(self) -> Wish | None:
        links = tuple(filter(None, map(str.strip, self._lines.toPlainText().splitlines())))
        trouble = _trouble(links)
        if trouble:
            self.form.complain("links", trouble)
            return None
        return Wish(urls=links)


def _trouble(links: tuple[str, ...]) -> str:
    if not links:
        return "Write or paste at least one link"
    if len(links) > _MOST_LINKS:
        return f"{len(links):,} links are too many: {_MOST_LINKS:,} at once is the most"
    for number, link in enumerate(links, 1):
        if not _is_link(link):
            shown = link if len(link) <= 60 else f"{link[:60]}…"
            return f"Link {number} is none: “{shown}”. It begins with http:// or https://"
    return ""


def _is_link(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in text
    except ValueError:
        return False
