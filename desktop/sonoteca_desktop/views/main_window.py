"""The window with everything in its place, and the wires between its parts."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from sonoteca_desktop.models.sounds import SORTS, Column, SoundsModel
from sonoteca_desktop.models.transfers import TransfersModel
from sonoteca_desktop.sync.keeping import Pin
from sonoteca_desktop.sync.mirror import ALL, Scope
from sonoteca_desktop.transfers.queue import Transfer
from sonoteca_desktop.views.asking import Asking
from sonoteca_desktop.views.closing import Closing
from sonoteca_desktop.views.commands import Command, Commands
from sonoteca_desktop.views.connection import Connection, Reach
from sonoteca_desktop.views.drops import DropOverlay, DropWindow
from sonoteca_desktop.views.keeping import Keeping
from sonoteca_desktop.views.layout import column, row, rule
from sonoteca_desktop.views.library import LibraryView
from sonoteca_desktop.views.missing import MissingDialog
from sonoteca_desktop.views.player_bar import PlayerBar, Transport
from sonoteca_desktop.views.playing import PlayerLink
from sonoteca_desktop.views.sidebar import Sidebar
from sonoteca_desktop.views.states import Way
from sonoteca_desktop.views.theme import DARK, LIGHT, Theme
from sonoteca_desktop.views.top_bar import TopBar
from sonoteca_desktop.views.transfer_hands import TransferHands
from sonoteca_desktop.views.transfers import TransfersPanel
from sonoteca_desktop.views.waveform import PeaksSource, WaveformPainter


class MainWindow(DropWindow):
    """Shows the models and says what the user wants; it neither sends nor fetches anything.

    It asks the player to pause, to go on, to seek and for its volume by itself; to play a sound
    somebody has to find its file, so that is a signal.

    Signals:
        filesDropped(list[Path]): as in DropWindow; also files that were picked in a dialog.
        playRequested(Sound, float): play it, from so many seconds on.
        downloadRequested(list[Sound], Path): download them to this folder.
        downloadFolderChosen(Path): from now on downloads go here; worth remembering.
        pinRequested(list[Pin]): keep these on this computer from now on.
        freeRequested(list[Pin], list[Sound]): keep these no longer, and give their room back.
        showInFolderRequested(Sound): show its local file in a file manager.
        retryRequested(): ask the server again at once.
        themeChosen(str): "dark" or "light"; worth remembering.
        volumeChanged(float): 0 to 1; worth remembering.
        preferencesRequested(): show what was chosen, to change it.
        closing(): the window closes for good; transfers are to stop and go on next time.
    """

    playRequested = Signal(object, float)
    downloadRequested = Signal(list, object)
    downloadFolderChosen = Signal(object)
    pinRequested = Signal(list)
    freeRequested = Signal(list, list)
    showInFolderRequested = Signal(object)
    retryRequested = Signal()
    themeChosen = Signal(str)
    volumeChanged = Signal(float)
    preferencesRequested = Signal()
    closing = Signal()

    def __init__(
        self,
        sounds: SoundsModel,
        transfers: TransfersModel,
        player: Transport,
        peaks: PeaksSource,
        *,
        theme: Theme,
        server: str,
        server_url: str = "",
        download_folder: Path | None = None,
        volume: float = 1.0,
    ) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle("Sonoteca")
        self.setWindowIcon(theme.icon("sonoteca", "accent"))
        self.resize(1440, 860)
        self.setMinimumSize(940, 560)
        self._sounds = sounds
        self._transfers = transfers
        self._theme = theme
        self._server_url = server_url.rstrip("/")
        self._is_up = True  # the server, as far as is known
        self._settled = False  # the table was shown, and has the keyboard
        self._leaving = False  # the search, for rows that are still to come
        waveforms = WaveformPainter(theme, peaks)
        centre = QWidget(self)
        self.top = TopBar(theme, centre)
        self.sidebar = Sidebar(theme, centre)
        self.library = LibraryView(theme, sounds, waveforms, centre)
        self.transfers = TransfersPanel(theme, transfers, centre)
        self.player_bar = PlayerBar(theme, waveforms, peaks, volume=volume, parent=centre)
        self._transfers_rule = rule("transfersRule", centre, vertical=True)
        self._place(centre)
        self.cover_with(DropOverlay(theme, centre))
        self.commands = Commands(theme, self, self.library.table)
        self.menu = self.commands.main_menu(self)
        self.row_menu = self.commands.row_menu(self)
        self._asking = Asking(download_folder, self)
        self._keeping = Keeping(self.commands, sounds, self.library.table, self)
        self._link = PlayerLink(player, self.player_bar, self.library.table, self)
        self.leaving = Closing(theme, transfers, self.commands[Command.KEEP_RUNNING], self)
        self.leaving.steppedAside.connect(self._link.hush)
        self._wire_library(peaks)
        self._wire_link()
        self._wire_transfers()
        self._wire_commands()
        self.show_connection(Connection(Reach.CONNECTING, server))
        self._show_counts()
        self._allow()

    # What the program tells

    def show_connection(self, connection: Connection) -> None:
        """Show whether the server answers."""
        if connection.is_up and not self._is_up:
            self.player_bar.set_trouble("sound", "")  # most likely it was that
        self._is_up = connection.is_up
        self.top.server.show_connection(connection)
        self.library.show_connection(connection)

    def show_notice(self, sentence: str) -> None:
        """Say something once over the table, such as what could not be uploaded and why."""
        self.library.notice.tell(sentence)

    def show_news(self, sentence: str, *, good: bool) -> None:
        """Say what became of transfers, beside whatever else is still to be read."""
        self.library.notice.add(sentence, good=good)

    def show_pins(self, pins: Collection[Pin]) -> None:
        """Show what is kept on this computer for good."""
        self._keeping.show_pins(pins)
        self.sidebar.set_pins(sorted(pin.value for pin in pins if pin.kind == "search"))

    def set_server_url(self, url: str) -> None:
        """Where links to sounds begin."""
        self._server_url = self._hands.server_url = url.rstrip("/")
        self._allow()

    # Everything in its place

    def _place(self, centre: QWidget) -> None:
        self.sidebar.setFixedWidth(218)
        self.transfers.setFixedWidth(312)
        middle = row()
        middle.addWidget(self.sidebar)
        middle.addWidget(rule("sidebarRule", centre, vertical=True))
        middle.addWidget(self.library, 1)
        middle.addWidget(self._transfers_rule)
        middle.addWidget(self.transfers)
        box = column(centre)
        box.addWidget(self.top)
        box.addWidget(rule("topRule", centre))
        box.addLayout(middle, 1)
        box.addWidget(rule("playerRule", centre))
        box.addWidget(self.player_bar)
        self.setCentralWidget(centre)
        order = (self.top.search, self.top.upload, self.top.menu, self.sidebar, self.library.table)
        for before, after in pairwise(order):
            QWidget.setTabOrder(before, after)

    def _wire_library(self, peaks: PeaksSource) -> None:
        table = self.library.table
        self.top.search.wordsChanged.connect(self._search)
        self.top.search.leftDownwards.connect(self._leave_search)
        self.sidebar.scopeChosen.connect(self._choose_scope)
        self.sidebar.searchChosen.connect(self.top.search.setText)
        self._sounds.swapped.connect(self._swapped)
        self.library.wayTaken.connect(self._take_way)
        self.library.retryRequested.connect(self.retryRequested)
        self.library.menuRequested.connect(self._open_row_menu)
        table.downloadRequested.connect(self._asking.download)
        table.chosen.connect(self._allow)
        # Qt tells of the selection before the current row is another.
        table.selectionModel().currentChanged.connect(self._allow)
        table.typed.connect(self.top.search.begin)
        table.escaped.connect(self.top.search.clear)
        table.horizontalHeader().sortIndicatorChanged.connect(self._show_order)
        peaks.arrived.connect(self._peaks_arrived)

    def _wire_link(self) -> None:
        self._link.playRequested.connect(self.playRequested)
        self._link.runningChanged.connect(self._show_running)
        self._link.shownChanged.connect(self._allow)
        self.player_bar.volumeChanged.connect(self.volumeChanged)
        self._keeping.pinRequested.connect(self.pinRequested)
        self._keeping.freeRequested.connect(self.freeRequested)
        self._asking.filesChosen.connect(self.filesDropped)
        self._asking.downloadRequested.connect(self.downloadRequested)
        self._asking.downloadFolderChosen.connect(self.downloadFolderChosen)

    def _wire_transfers(self) -> None:
        panel, model = self.transfers, self._transfers
        self._hands = TransferHands(panel, model, self._server_url, self)
        self._hands.told.connect(self.show_notice)
        self._hands.missingAsked.connect(self._show_missing)
        model.downloadingChanged.connect(self._sounds.set_downloading)
        model.statusChanged.connect(self._allow)
        self._sounds.set_downloading(model.downloading)

    def _show_missing(self, transfer: Transfer) -> None:
        MissingDialog(self._theme, transfer, self).open()

    def _wire_commands(self) -> None:
        for command, slot in (
            (Command.UPLOAD_FILES, self._asking.ask_files),
            (Command.UPLOAD_FOLDER, self._asking.ask_folder),
            (Command.DOWNLOAD, self._download),
            (Command.DOWNLOAD_TO, self._download_to),
            (Command.PLAY, self._link.toggle),
            (Command.PREVIOUS, self._link.previous),
            (Command.NEXT, self._link.next),
            (Command.FIND, self._find),
            (Command.SHOW_IN_FOLDER, self._show_in_folder),
            (Command.COPY_LINK, self._copy_link),
            (Command.PAUSE_ALL, self._transfers.pause_all),
            (Command.RESUME_ALL, self._transfers.resume_all),
            (Command.SHOW_TRANSFERS, self._show_transfers),
            (Command.SWITCH_THEME, self._switch_theme),
            (Command.PREFERENCES, self.preferencesRequested),
            (Command.QUIT, self.leaving.quit),
        ):
            self.commands[command].triggered.connect(slot)
        self.commands.order.triggered.connect(self._order_by)
        self.top.upload.clicked.connect(self._asking.ask_files)
        self.top.menu.clicked.connect(self._open_menu)

    # The library

    def _swapped(self, _fresh: bool) -> None:
        self._show_counts()
        self._allow()
        if not self._settled and self._sounds.rowCount():
            self._settled = True
            if not self.top.search.text():
                self.library.table.setFocus()
        if self._leaving:
            self._leave_search()

    def _show_counts(self) -> None:
        self.sidebar.set_counts(self._sounds.total, self._sounds.local_total)
        self.sidebar.set_folders(self._sounds.folders)
        self.top.search.set_total(self._sounds.total)
        self.top.search.show_ignored(self._sounds.ignored)

    def _search(self, text: str) -> None:
        self.sidebar.follow(text)
        self.library.set_title(self.sidebar.title)
        self._sounds.search(text)

    def _choose_scope(self, scope: Scope) -> None:
        self.library.set_title(self.sidebar.title)
        self._sounds.set_scope(scope)

    def _leave_search(self) -> None:
        table = self.library.table
        table.setFocus()
        self._leaving = self._sounds.question != self._sounds.shown
        if self._leaving:
            self._sounds.refresh()  # who typed that fast does not mean the rows of before
        elif table.current_sound() is None:
            table.step(0)

    def _find(self) -> None:
        self.top.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.top.search.selectAll()

    def _take_way(self, way: str) -> None:
        match Way(way):
            case Way.UPLOAD_FILES:
                self._asking.ask_files()
            case Way.UPLOAD_FOLDER:
                self._asking.ask_folder()
            case Way.CLEAR_SEARCH:
                self.top.search.clear()
                self._find()
            case Way.SHOW_ALL:
                self.sidebar.choose(ALL)
            case Way.RETRY:
                self.retryRequested.emit()
            case Way.REFRESH:
                self._sounds.refresh()

    def _order_by(self, action: QAction) -> None:
        column = Column(action.data())
        header = self.library.table.horizontalHeader()
        order = Qt.SortOrder.AscendingOrder
        if header.sortIndicatorSection() == column:  # once more is the other way round
            order = Qt.SortOrder(1 - header.sortIndicatorOrder().value)
        elif column == Column.ADDED:
            order = Qt.SortOrder.DescendingOrder
        self.library.table.sortByColumn(column, order)

    def _show_order(self, column: int, _order: Qt.SortOrder) -> None:
        if column in tuple(SORTS):
            self.commands.show_order(column)

    def _peaks_arrived(self, _sha256: str) -> None:
        self.library.table.viewport().update()

    # What is asked for

    def _download(self) -> None:
        self._asking.download(self.library.table.chosen_sounds())

    def _download_to(self) -> None:
        self._asking.download_elsewhere(self.library.table.chosen_sounds())

    def _show_in_folder(self) -> None:
        sound = self.library.table.current_sound()
        if sound is not None:
            self.showInFolderRequested.emit(sound)

    def _copy_link(self) -> None:
        sounds = self.library.table.chosen_sounds()
        links = "\n".join(self._server_url + sound.links.file for sound in sounds)
        if links:
            QGuiApplication.clipboard().setText(links)

    def _show_transfers(self) -> None:
        shown = self.commands[Command.SHOW_TRANSFERS].isChecked()
        self.transfers.setVisible(shown)
        self._transfers_rule.setVisible(shown)

    def _switch_theme(self) -> None:
        name = LIGHT if self._theme.name == DARK else DARK
        application = QApplication.instance()
        if isinstance(application, QApplication):
            self._theme.apply(application, name)
        self.themeChosen.emit(name)

    # Menus, and what can be done now

    def _open_menu(self) -> None:
        button = self.top.menu
        corner = button.mapToGlobal(button.rect().bottomRight())
        self.menu.popup(QPoint(corner.x() - self.menu.sizeHint().width(), corner.y() + 4))

    def _open_row_menu(self, point: QPoint) -> None:
        self.row_menu.popup(point)

    def _show_running(self, running: bool) -> None:
        self.commands.show_running(running=running)

    def _allow(self) -> None:
        """Enable what can be done, and nothing else."""
        chosen = bool(self.library.table.selectionModel().hasSelection())
        current = self.library.table.current_sound()
        local = current is not None and self._sounds.where(current).is_here
        playable = self._link.shown is not None or self._sounds.rowCount() > 0
        for command, able in (
            (Command.DOWNLOAD, chosen),
            (Command.DOWNLOAD_TO, chosen),
            (Command.COPY_LINK, chosen and bool(self._server_url)),
            (Command.SHOW_IN_FOLDER, local),
            (Command.PLAY, playable),
            (Command.PREVIOUS, playable),
            (Command.NEXT, playable),
            (Command.PAUSE_ALL, self._transfers.open_count > 0),
            (Command.RESUME_ALL, self._transfers.paused_count > 0),
        ):
            self.commands[command].setEnabled(able)
        self.player_bar.set_can_play(can_play=playable)
        self._keeping.allow()

    # Closing

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.leaving.allows():
            event.ignore()
            return
        self._link.stop()
        event.accept()
        self.closing.emit()
