"""Keeping sounds, searches and repositories on this computer: what the commands would do now."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.models.questions import as_query
from sonoteca_desktop.models.sounds import SoundsModel
from sonoteca_desktop.sync.keeping import Pin
from sonoteca_desktop.views.commands import Command, Commands
from sonoteca_desktop.views.table import SoundTable
from sonoteca_shared.terms import Text, render

_LOOKED_AT = 200


class Keeping(QObject):
    """Each command keeps what is not kept, and frees what is; its words say which of the two.

    Signals:
        pinRequested(list[Pin]): keep these on this computer from now on.
        freeRequested(list[Pin], list[Sound]): keep these no longer; of sounds, their files too.
    """

    pinRequested = Signal(list)
    freeRequested = Signal(list, list)

    def __init__(
        self, commands: Commands, sounds: SoundsModel, table: SoundTable, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._commands = commands
        self._sounds = sounds
        self._table = table
        self._pins: frozenset[Pin] = frozenset()
        commands[Command.KEEP].triggered.connect(self._keep_sounds)
        commands[Command.KEEP_SEARCH].triggered.connect(self._keep_search)
        commands[Command.KEEP_REPOSITORY].triggered.connect(self._keep_repository)
        sounds.pinnedChanged.connect(self.allow)
        self.allow()

    def show_pins(self, pins: Collection[Pin]) -> None:
        """What is kept now."""
        self._pins = frozenset(pins)
        self.allow()

    def allow(self) -> None:
        """Enable what can be done, and say what it would do."""
        self._say(Command.KEEP, "", bool(self._table.selectionModel().hasSelection()))
        if self._all_kept():
            self._commands[Command.KEEP].setText("Free from this computer")
        search = self._search()
        self._say(Command.KEEP_SEARCH, " this search", search is not None, search)
        repository = self._repository()
        name = repository.value.removeprefix("repo:") if repository is not None else ""
        what = f" repository {name}".rstrip()
        self._say(Command.KEEP_REPOSITORY, what, repository is not None, repository)

    def _say(self, command: Command, what: str, able: bool, pin: Pin | None = None) -> None:
        action = self._commands[command]
        action.setEnabled(able)
        if pin is not None and pin in self._pins:
            action.setText(f"Free{what} from this computer")
        else:
            action.setText(f"Keep{what} on this computer")

    def _all_kept(self) -> bool:
        rows = self._table.selectionModel().selectedRows()
        # Of thousands the first ones tell: a menu has to be there at once.
        chosen = [self._sounds.sound(index.row()) for index in rows[:_LOOKED_AT]]
        known = [sound for sound in chosen if sound is not None]
        return bool(known) and all(map(self._sounds.is_pinned, known))

    def _search(self) -> Pin | None:
        """What the table shows, as a search that can be asked again; None when that is all."""
        text = as_query(self._sounds.question)
        return Pin("search", text) if text else None

    def _repository(self) -> Pin | None:
        sound = self._table.current_sound()
        return None if sound is None else Pin("search", render(Text("repo", sound.repository)))

    def _keep_sounds(self) -> None:
        sounds = self._table.chosen_sounds()
        if self._all_kept():
            self.freeRequested.emit([Pin("sound", sound.id) for sound in sounds], sounds)
        else:
            self.pinRequested.emit([Pin("sound", sound.id) for sound in sounds])

    def _keep_search(self) -> None:
        self._switch(self._search())

    def _keep_repository(self) -> None:
        self._switch(self._repository())

    def _switch(self, pin: Pin | None) -> None:
        if pin is None:
            return
        if pin in self._pins:
            self.freeRequested.emit([pin], [])
        else:
            self.pinRequested.emit([pin])
