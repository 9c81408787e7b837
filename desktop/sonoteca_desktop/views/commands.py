"""Every action once: its words, its key, and the menus it stands in."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from sonoteca_desktop.models.sounds import SORTS, TITLES, Column
from sonoteca_desktop.views.theme import DARK, Theme


class Command(Enum):
    """What the window can do: words, key, icon."""

    UPLOAD_FILES = ("Upload files…", "Ctrl+O", "upload")
    UPLOAD_FOLDER = ("Upload folder…", "Ctrl+Shift+O", "folder")
    DOWNLOAD = ("Download", "Return", "download")
    DOWNLOAD_TO = ("Download to…", "Ctrl+D", "folder-open")
    EXPORT = ("Export…", "Ctrl+E", "audio-lines")
    ZIP = ("Download as zip…", "Ctrl+Shift+D", "archive")
    ZIP_LINKS = ("Archive from links…", "", "link")
    PLAY = ("Play", "Space", "play")
    PREVIOUS = ("Previous sound", "Alt+Up", "skip-back")
    NEXT = ("Next sound", "Alt+Down", "skip-forward")
    FIND = ("Find", "Ctrl+F", "search")
    SHOW_IN_FOLDER = ("Show in folder", "", "folder-open")
    COPY_LINK = ("Copy link", "Ctrl+Shift+C", "link")
    KEEP = ("Keep on this computer", "Ctrl+Shift+K", "pin")
    KEEP_SEARCH = ("Keep this search on this computer", "", "pin")
    KEEP_REPOSITORY = ("Keep repository on this computer", "", "pin")
    PAUSE_ALL = ("Pause all transfers", "Ctrl+Shift+P", "pause")
    RESUME_ALL = ("Resume all transfers", "", "play")
    SHOW_TRANSFERS = ("Show transfers", "Ctrl+T", "")
    SWITCH_THEME = ("Light theme", "", "sun")
    PREFERENCES = ("Preferences…", "Ctrl+,", "")
    KEEP_RUNNING = ("Keep transfers running without the window", "", "")
    QUIT = ("Quit", "Ctrl+Q", "")

    def __init__(self, words: str, key: str, icon: str) -> None:
        self.words = words
        self.key = key
        self.icon = icon


# These keys mean something else where one types or presses a button: the table alone has them.
_TABLE_KEYS = frozenset({Command.DOWNLOAD})
_MENU: tuple[Command | None, ...] = (
    Command.UPLOAD_FILES,
    Command.UPLOAD_FOLDER,
    Command.DOWNLOAD,
    Command.DOWNLOAD_TO,
    Command.EXPORT,
    Command.ZIP,
    Command.ZIP_LINKS,
    None,
    Command.KEEP,
    Command.KEEP_SEARCH,
    Command.KEEP_REPOSITORY,
    None,
    Command.PLAY,
    Command.PREVIOUS,
    Command.NEXT,
    Command.FIND,
    None,
    Command.PAUSE_ALL,
    Command.RESUME_ALL,
    Command.SHOW_TRANSFERS,
    Command.SWITCH_THEME,
    Command.KEEP_RUNNING,
    Command.PREFERENCES,
    None,
    Command.QUIT,
)
_ROW_MENU: tuple[Command | None, ...] = (
    Command.PLAY,
    None,
    Command.DOWNLOAD,
    Command.DOWNLOAD_TO,
    Command.EXPORT,
    Command.ZIP,
    Command.SHOW_IN_FOLDER,
    None,
    Command.KEEP,
    Command.KEEP_SEARCH,
    Command.KEEP_REPOSITORY,
    None,
    Command.COPY_LINK,
)


class Commands(QObject):
    """The actions of a window, with their shortcuts active in it."""

    def __init__(self, theme: Theme, window: QWidget, table: QWidget) -> None:
        super().__init__(window)
        self._theme = theme
        self._running = False
        self._actions: dict[Command, QAction] = {}
        for command in Command:
            action = QAction(command.words, self)
            action.setObjectName(f"action{command.name.title().replace('_', '')}")
            if command.key:
                action.setShortcut(QKeySequence(command.key))
            if command in _TABLE_KEYS:
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            (table if command in _TABLE_KEYS else window).addAction(action)
            self._actions[command] = action
        for switch in (Command.SHOW_TRANSFERS, Command.KEEP_RUNNING):
            self[switch].setCheckable(True)
        self[Command.SHOW_TRANSFERS].setChecked(True)
        self.order = QActionGroup(self)
        for column in SORTS:
            action = QAction(TITLES[column], self.order)
            action.setCheckable(True)
            action.setData(int(column))
        self.show_order(Column.ADDED)
        self._tint()
        theme.changed.connect(self._tint)

    def __getitem__(self, command: Command) -> QAction:
        return self._actions[command]

    def show_order(self, column: int) -> None:
        """Mark the column that the table is ordered by."""
        for action in self.order.actions():
            action.setChecked(action.data() == column)

    def show_running(self, *, running: bool) -> None:
        """Let the action say what it would do now: Play or Pause."""
        self._running = running
        self[Command.PLAY].setText("Pause" if running else "Play")
        self[Command.PLAY].setIcon(self._theme.icon("pause" if running else "play"))

    def main_menu(self, parent: QWidget) -> QMenu:
        """Everything that the window can do."""
        menu = self._menu(_MENU, parent)
        menu.setObjectName("mainMenu")
        order = QMenu("Order by", menu)
        order.addActions(self.order.actions())
        menu.insertMenu(self[Command.PAUSE_ALL], order)
        menu.insertSeparator(self[Command.PAUSE_ALL])
        return menu

    def row_menu(self, parent: QWidget) -> QMenu:
        """What can be done with the selected sounds."""
        menu = self._menu(_ROW_MENU, parent)
        menu.setObjectName("rowMenu")
        return menu

    def _menu(self, entries: tuple[Command | None, ...], parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        menu.setToolTipsVisible(True)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
            else:
                menu.addAction(self[entry])
        return menu

    def _tint(self) -> None:
        for command, action in self._actions.items():
            if command.icon:
                action.setIcon(self._theme.icon(command.icon))
        self.show_running(running=self._running)
        dark = self._theme.name == DARK
        switch = self[Command.SWITCH_THEME]
        switch.setText("Light theme" if dark else "Dark theme")
        switch.setIcon(self._theme.icon("sun" if dark else "moon"))
