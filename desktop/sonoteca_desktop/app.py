"""Puts the client together; the one file that knows every part."""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from PySide6.QtCore import QByteArray, QObject, QSize, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication

from sonoteca_desktop import settings
from sonoteca_desktop.background import Bridge, step_back
from sonoteca_desktop.client import Client
from sonoteca_desktop.handover import Call
from sonoteca_desktop.models.awakening import Awakening
from sonoteca_desktop.models.offers import Offers
from sonoteca_desktop.models.overviews import Overviews
from sonoteca_desktop.models.sounds import SoundsModel
from sonoteca_desktop.models.totals import Batch
from sonoteca_desktop.models.transfers import TransfersModel
from sonoteca_desktop.playback.engine import Player
from sonoteca_desktop.playback.output import OutputFactory
from sonoteca_desktop.settings import Choices, ClosingChoice, Places
from sonoteca_desktop.sync.engine import SyncEngine, SyncState
from sonoteca_desktop.sync.keeping import Keeper
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.transfers.gather import Gathered, gather
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import Kind, Transfer, TransferQueue
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_desktop.views.commands import Command
from sonoteca_desktop.views.connection import Connection, Reach
from sonoteca_desktop.views.dialogs import ClosingAnswer
from sonoteca_desktop.views.exporting import Exporting
from sonoteca_desktop.views.main_window import MainWindow
from sonoteca_desktop.views.preferences import PreferencesDialog
from sonoteca_desktop.views.theme import Theme
from sonoteca_desktop.views.tray import Tray
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound

_logger = logging.getLogger(__name__)

_CLOSING: dict[ClosingChoice, ClosingAnswer | None] = {
    "ask": None,
    "keep": ClosingAnswer.KEEP,
    "stop": ClosingAnswer.STOP,
}
_FRAME = QSize(16, 48)  # what a window manager may put around the window


class Desktop(QObject):
    """The running client: parts without Qt at the bottom, the window at the top.

    `close` ends every thread; it is called when the window closes for good.
    """

    def __init__(
        self, server: str, folder: Path, *, theme: Theme, output: OutputFactory | None = None
    ) -> None:
        super().__init__()
        self._theme = theme
        self.places = Places(folder, server)
        self.choices = settings.load_choices(self.places.choices)
        self.choices.server = server
        self.server_name = urlsplit(server).netloc or server
        self.bridge = Bridge(self)
        self.client = Client(server)
        folder.mkdir(parents=True, exist_ok=True)
        # First: who has it is the only one in this folder.
        self.journal = Journal(self.places.journal, self.bridge.tell)
        self.mirror = Mirror(self.places.mirror)
        self.heard = SoundCache(self.places.sounds, self.choices.cache_bytes)
        self.queue = TransferQueue(
            self.journal,
            self.client,
            changed=self.bridge.tell_transfers_changed,
            heard=self.heard,
            begin=step_back,
        )
        self.keeper = Keeper(
            self.mirror,
            self.journal,
            self.queue,
            self.places.kept,
            changed=self.bridge.tell_kept_changed,
            told=self.bridge.tell,
        )
        self.sync = SyncEngine(self.mirror, self.client, self.bridge.tell_synced)
        self.player = Player(self.client, self.heard, output)
        self.sounds = SoundsModel(self.mirror, self)
        self.transfers = TransfersModel(self.queue, self)
        self.overviews = Overviews(self.client, self.places.overviews, self)
        self.window = MainWindow(
            self.sounds,
            self.transfers,
            self.player,
            self.overviews,
            theme=theme,
            server=self.server_name,
            server_url=server,
            download_folder=_folder(self.choices),
            volume=self.choices.volume,
        )
        self.offers = Offers(self.client, self)
        self.exporting = Exporting(
            theme,
            self.window,
            self.sounds,
            self.offers,
            folder=_export_folder(self.choices),
            options=self.choices.export,
        )
        self.player.set_volume(self.choices.volume)
        self.awakening = Awakening(self)
        self.tray = self._make_tray(theme) if Tray.is_there() else None
        self._closed = False
        self._away = False
        self._wire()
        self._wire_leaving()

    def start(self) -> None:
        """Show the window and begin to work."""
        if self.choices.geometry:
            state = QByteArray(base64.b64decode(self.choices.geometry))
            self.window.restoreGeometry(state)
        else:
            room = self.window.screen().availableGeometry().size() - _FRAME
            self.window.resize(self.window.size().boundedTo(room))
        self.window.show()
        self.sounds.refresh()
        self.queue.start()
        self.sync.start()
        self.keeper.start()
        self._kept_changed()
        self._look_for_files()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.applicationStateChanged.connect(self._look_for_files)

    def close(self) -> None:
        """Stop everything; what was running goes on at the next start."""
        if self._closed:
            return
        self._closed = True
        if self.tray is not None:
            self.tray.close()
        geometry = self.window.saveGeometry().data()
        self.choices.geometry = base64.b64encode(geometry).decode()
        self._keep_choices()
        self.transfers.stop()
        self.player.shutdown()
        self.sync.stop()
        self.keeper.stop()
        self.queue.stop()
        self.overviews.close()
        self.sounds.close()
        self.client.close()
        self.journal.close()
        self.mirror.close()

    def upload(self, paths: Iterable[Path]) -> None:
        """Upload files, and all WAVs of folders; looked through in the background."""
        self.bridge.run(partial(self._take_in, list(paths)), self.bridge.gathered.emit)

    def answer(self, call: Call) -> None:
        """Do what a second start was asked for, in this window."""
        if self._closed:
            return
        self._show_window()
        if call.files:
            self.upload(call.paths)
        if call.server and call.server.rstrip("/") != self.choices.server:
            self.window.show_notice(
                f"This window stays with {self.server_name}. Quit it first to open {call.server}."
            )

    def tell_failure(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """The last edge: what a slot could not do is told in the window, and the window stays."""
        if not isinstance(error, SonotecaError):
            _logger.error("something went wrong in the window", exc_info=(kind, error, trace))
        if not self._closed:
            self.window.show_notice(str(error) or kind.__name__)

    def _wire(self) -> None:
        window, bridge = self.window, self.bridge
        bridge.synced.connect(self._synced)
        bridge.transfersChanged.connect(self._transfers_changed)
        bridge.gathered.connect(self._gathered)
        bridge.keptChanged.connect(self._kept_changed)
        bridge.told.connect(self._told)
        window.filesDropped.connect(self.upload)
        window.pinRequested.connect(self.keeper.pin)
        window.freeRequested.connect(self.keeper.free)
        window.playRequested.connect(self._play)
        window.downloadRequested.connect(self._download)
        window.downloadFolderChosen.connect(self._choose_download_folder)
        window.showInFolderRequested.connect(self._show_in_folder)
        window.retryRequested.connect(self.sync.retry_now)
        window.themeChosen.connect(self._choose_theme)
        window.volumeChanged.connect(self._choose_volume)
        window.preferencesRequested.connect(self._open_preferences)
        window.closing.connect(self.close)
        self.exporting.archiveRequested.connect(self.queue.archive)
        self.exporting.exportRequested.connect(self.queue.export_all)
        self.exporting.optionsChosen.connect(self._choose_export)
        self.exporting.folderChosen.connect(self._choose_export_folder)

    def _make_tray(self, theme: Theme) -> Tray:
        commands = self.window.commands
        shown = (Command.PAUSE_ALL, Command.RESUME_ALL, Command.QUIT)
        tray = Tray(theme, self.transfers, [commands[each] for each in shown], self)
        tray.showRequested.connect(self._show_window)
        return tray

    def _wire_leaving(self) -> None:
        leaving = self.window.leaving
        leaving.has_tray = self.tray is not None
        leaving.set_choice(_CLOSING[self.choices.closing])
        leaving.chosen.connect(self._choose_closing)
        self.transfers.finished.connect(self._finished)
        self.transfers.batchEnded.connect(self._batch_ended)
        self.awakening.happened.connect(self._awake)

    # What worker threads tell

    def _synced(self, state: SyncState) -> None:
        if self._closed:
            return  # said before the end, heard after it
        up = Reach.STUCK if state.sentence else Reach.ONLINE
        reach = up if state.reached else Reach.OFFLINE
        wait = None if state.retry_at is None else max(0.0, state.retry_at - time.monotonic())
        self.window.show_connection(Connection(reach, self.server_name, wait, state.sentence))
        if (not state.sentence and self._away) or state.replaced:
            self.queue.retry_waiting()
        self._away = bool(state.sentence)
        if state.replaced:
            self.window.show_notice(
                f"On {self.server_name} is another library than before, or one that was restored: "
                "this is what it has now. What was still to come from the one before waits for it."
            )
        if state.changed:
            self.overviews.forget_missing()
            self.sounds.refresh()
            self.keeper.look()

    def _transfers_changed(self) -> None:
        if self._closed:
            return
        self.transfers.poll()
        self.sounds.set_local(self.queue.local_digests())

    def _finished(self, transfer: Transfer) -> None:
        if transfer.kind is Kind.DOWNLOAD and transfer.sha256:
            self.keeper.note_arrival(transfer.sha256)

    def _kept_changed(self) -> None:
        if not self._closed:
            self.sounds.set_pinned(self.keeper.digests)
            self.window.show_pins(self.keeper.pins)

    def _told(self, sentence: str) -> None:
        if not self._closed:
            self.window.show_notice(sentence)

    def _take_in(self, paths: list[Path]) -> Gathered:
        """Find what to upload, and have it uploaded; off the window thread, for it reads disks."""
        gathered = gather(paths)
        if not self._closed:
            self.queue.upload_all(gathered.files)
        return gathered

    def _gathered(self, gathered: Gathered) -> None:
        if self._closed:
            return
        if gathered.sentence:
            self.window.show_notice(gathered.sentence)

    def _look_for_files(self) -> None:
        """Downloads may have been moved or removed, most likely while we were not in front."""
        if not self._closed:
            self.bridge.run(self.queue.look_for_files, self._look_at_kept)

    def _look_at_kept(self, _: None) -> None:
        self.keeper.look_at_files()  # from any thread

    def _batch_ended(self, batch: Batch) -> None:
        if self.tray is not None and not self.window.isActiveWindow():
            self.tray.tell(batch.sentence)
        else:
            self.window.show_news(batch.sentence, good=not batch.failed)

    def _awake(self) -> None:
        if not self._closed:
            self.queue.retry_waiting()
            self.sync.retry_now()

    # What the user wants

    def _show_window(self) -> None:
        self.window.setWindowState(self.window.windowState() & ~Qt.WindowState.WindowMinimized)
        self.window.show()
        self.window.raise_()
        self.window.activateWindow()

    def _choose_closing(self, choice: ClosingAnswer | None) -> None:
        self.choices.closing = next(name for name, each in _CLOSING.items() if each is choice)
        self._keep_choices()

    def _play(self, sound: Sound, start: float) -> None:
        self.player.play(sound, local=self._local_file(sound), start=start)

    def _download(self, sounds: list[Sound], folder: Path) -> None:
        self.queue.download_all(sounds, folder)

    def _show_in_folder(self, sound: Sound) -> None:
        path = self._local_file(sound)
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))
        else:
            self.window.show_notice(f"“{sound.name}” is no longer where it was downloaded to.")

    def _local_file(self, sound: Sound) -> Path | None:
        path = self.queue.local_file(sound.sha256)
        if path is None and sound.sha256 in self.queue.local_digests():
            self._look_for_files()
        return path

    def _choose_download_folder(self, folder: Path) -> None:
        self.choices.download_folder = str(folder)
        self._keep_choices()

    def _choose_export_folder(self, folder: Path) -> None:
        self.choices.export_folder = str(folder)
        self._keep_choices()

    def _choose_export(self, options: dict[str, str]) -> None:
        self.choices.export = options
        self._keep_choices()

    def _open_preferences(self) -> None:
        dialog = PreferencesDialog(
            self._theme,
            self.transfers,
            self.window.leaving,
            budget=self.choices.cache_bytes,
            parent=self.window,
        )
        dialog.budgetChosen.connect(self._choose_budget)
        dialog.emptyRequested.connect(self._empty_cache)
        self.bridge.cacheMeasured.connect(dialog.show_used)
        self.bridge.run(self.heard.measure, self.bridge.cacheMeasured.emit)
        dialog.open()

    def _choose_budget(self, budget: int) -> None:
        self.choices.cache_bytes = budget
        self._keep_choices()
        self.bridge.run(partial(self.heard.set_budget, budget), self.bridge.cacheMeasured.emit)

    def _empty_cache(self) -> None:
        self.bridge.run(self.heard.empty, self.bridge.cacheMeasured.emit)

    def _choose_theme(self, name: str) -> None:
        self.choices.theme = name
        self._keep_choices()

    def _choose_volume(self, volume: float) -> None:
        self.choices.volume = volume

    def _keep_choices(self) -> None:
        try:
            settings.save_choices(self.places.choices, self.choices)
        except OSError as error:
            self.window.show_notice(f"Your settings could not be kept: {error.strerror}.")


def _folder(choices: Choices) -> Path | None:
    return Path(choices.download_folder) if choices.download_folder else None


def _export_folder(choices: Choices) -> Path:
    """Where it went the last time, or where downloads go; if they are still there."""
    for name in (choices.export_folder, choices.download_folder):
        if name and Path(name).is_dir():
            return Path(name)
    return Path.home()
