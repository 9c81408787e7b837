"""Sounds in another shape than they are kept in: in other formats, or together as one zip."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.models import units
from sonoteca_desktop.models.offers import Offers
from sonoteca_desktop.models.questions import as_query
from sonoteca_desktop.models.sounds import SoundsModel
from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.views.archive_dialogs import ArchiveQuestion, LinksDialog, Source, ZipDialog
from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.export_dialog import ExportDialog
from sonoteca_desktop.views.main_window import MainWindow
from sonoteca_desktop.views.theme import Theme
from sonoteca_shared.models import Sound

_PART = ("start", "end")
_NOTHING_CHOSEN = "Select sounds first."


class Exporting(QObject):
    """Asks what is wanted, and says it; the commands say why they cannot be used.

    The server need not answer for that: as a download does, what is wanted waits until it does.

    Signals:
        archiveRequested(Wish, Path): have this put together, and fetch it as this file.
        exportRequested(list[Sound], dict, Path): fetch these to a folder, by options of a recipe.
        optionsChosen(dict): how sounds are exported from now on; worth remembering.
        folderChosen(Path): where it goes from now on; worth remembering.
    """

    archiveRequested = Signal(object, object)
    exportRequested = Signal(list, dict, object)
    folderChosen = Signal(object)
    optionsChosen = Signal(dict)

    def __init__(
        self,
        theme: Theme,
        window: MainWindow,
        sounds: SoundsModel,
        offers: Offers,
        *,
        folder: Path,
        options: Mapping[str, str],
    ) -> None:
        super().__init__(window)
        self._theme = theme
        self._window = window
        self._sounds = sounds
        self._offers = offers
        self._folder = folder
        self._options = dict(options)
        self._wanted: list[Sound] = []
        self._links: tuple[str, ...] = ()
        commands = window.commands
        commands[Command.EXPORT].triggered.connect(self._ask_export)
        commands[Command.ZIP].triggered.connect(self._ask_zip)
        commands[Command.ZIP_LINKS].triggered.connect(self._ask_links)
        window.library.table.chosen.connect(self._allow)
        sounds.swapped.connect(self._allow)
        self._allow()

    def _allow(self) -> None:
        chosen = self._window.library.table.selectionModel().hasSelection()
        why_not = "" if chosen else _NOTHING_CHOSEN
        self._say(Command.EXPORT, why_not)
        if not self._sounds.rowCount():
            why_not = "There are no sounds here."
        elif as_query(self._sounds.shown) is not None:
            why_not = ""  # what nobody selected can be asked for by what finds it
        self._say(Command.ZIP, why_not)

    def _say(self, command: Command, why_not: str) -> None:
        action = self._window.commands[command]
        action.setEnabled(not why_not)
        action.setToolTip(why_not)

    def _ask_export(self) -> None:
        self._wanted = self._window.library.table.chosen_sounds()
        if self._wanted:
            dialog = ExportDialog(
                self._theme, self._wanted, self._options, self._folder, self._window
            )
            dialog.wanted.connect(self._want_export)
            self._offers.offered.connect(dialog.show_offer)
            dialog.open()
            self._offers.ask_offer()

    def _ask_zip(self) -> None:
        sources = self._sources()
        if sources:
            dialog = ZipDialog(self._theme, sources, self._folder, self._window)
            self._offers.collectionsFound.connect(dialog.add_collections)
            self._open(dialog)
            self._offers.ask_collections()

    def _ask_links(self) -> None:
        self._open(LinksDialog(self._theme, self._links, self._folder, self._window))

    def _open(self, dialog: ArchiveQuestion) -> None:
        dialog.wanted.connect(self._want_archive)
        dialog.open()

    def _want_archive(self, wish: Wish, path: Path) -> None:
        self._links = wish.urls or self._links
        self._remember(path.parent)
        self.archiveRequested.emit(wish, path)

    def _want_export(self, options: dict[str, str], folder: Path) -> None:
        self._remember(folder)
        # A part is of one sound; all else may do for the next ones.
        self._options = {name: text for name, text in options.items() if name not in _PART}
        self.optionsChosen.emit(self._options)
        self.exportRequested.emit(self._wanted, options, folder)

    def _remember(self, folder: Path) -> None:
        if folder != self._folder:
            self._folder = folder
            self.folderChosen.emit(folder)

    def _sources(self) -> list[Source]:
        """The selected sounds, and all that the table shows."""
        chosen = self._window.library.table.chosen_sounds()
        sources = []
        if chosen:
            count = units.sounds(len(chosen))
            name = Path(chosen[0].name).stem if len(chosen) == 1 else count
            words = f"“{chosen[0].name}”" if len(chosen) == 1 else f"The {count} that are selected"
            size = units.size(sum(each.size for each in chosen))
            wish = Wish(sounds=tuple(each.id for each in chosen))
            sources.append(Source(f"{words} ({size})", name, wish))
        question, count = self._sounds.shown, units.sounds(self._sounds.rowCount())
        query = as_query(question)
        if query is not None and self._sounds.rowCount():
            title = question.words.strip() or question.scope.folder.rpartition("/")[2]
            words = f"All {count} of “{title}”" if title else f"All {count} of the library"
            sources.append(Source(words, title or "All sounds", Wish(query=query)))
        return sources
