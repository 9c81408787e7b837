"""What the panel of transfers asks for, done: by the model, by the desktop, or by copying."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication

from sonoteca_desktop.models.transfer_words import report, trouble
from sonoteca_desktop.models.transfers import Action, TransfersModel
from sonoteca_desktop.transfers.queue import Transfer
from sonoteca_desktop.transfers.ranking import Move
from sonoteca_desktop.views.transfer_menu import Choice, Errand
from sonoteca_desktop.views.transfers import TransfersPanel


class TransferHands(QObject):
    """Joins the panel to the model, and opens, shows and copies. `server_url` begins addresses.

    Signals:
        told(str): why something could not be done.
        missingAsked(Transfer): show which files a zip came without.
    """

    told = Signal(str)
    missingAsked = Signal(object)

    def __init__(
        self, panel: TransfersPanel, model: TransfersModel, server_url: str, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.server_url = server_url
        self._model = model
        panel.list.asked.connect(self._do)
        panel.pauseAllRequested.connect(model.pause_all)
        panel.resumeAllRequested.connect(model.resume_all)
        panel.clearFinishedRequested.connect(model.clear_finished)
        panel.filterChosen.connect(model.set_filter)
        panel.limit.limitChosen.connect(model.set_limit)
        panel.limit.scheduleChosen.connect(model.set_schedule)
        panel.limit.atOnceChosen.connect(model.set_at_once)

    def _do(self, transfers: list[Transfer], choice: Choice) -> None:
        keys = [each.key for each in transfers]
        match choice:
            case Action():
                self._model.act(keys, choice)
            case Move():
                self._model.move(keys, choice)
            case Errand.OPEN:
                self._open(transfers[0], transfers[0].path)
            case Errand.REVEAL:
                self._open(transfers[0], transfers[0].path.parent)
            case Errand.MISSING:
                self.missingAsked.emit(transfers[0])
            case Errand.COPY_ERROR:
                self._copy([report(each) for each in transfers if trouble(each)])
            case Errand.COPY_ADDRESS:
                self._copy([self.server_url + each.url for each in transfers if each.url])

    def _open(self, transfer: Transfer, path: Path) -> None:
        if not path.exists():
            self.told.emit(f"“{transfer.name}” is no longer in {transfer.path.parent}.")
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
            self.told.emit(f"Nothing on this computer opens {path}.")

    def _copy(self, lines: list[str]) -> None:
        if lines:
            QGuiApplication.clipboard().setText("\n".join(lines))
