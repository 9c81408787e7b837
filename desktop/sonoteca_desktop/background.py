"""Work off the window thread, and its results back on it.

One bridge lives in the window thread; workers are given its signals' `emit` as their listeners.
Connect them only to bound methods of QObjects that live in the window thread: those are queued,
while a lambda would run in the worker and can freeze the window for good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.sync.engine import SyncState

T = TypeVar("T")


class Bridge(QObject):
    """Hands over what worker threads have to say.

    Signals:
        synced(SyncState): the mirror has news, or the server came or went.
        transfersChanged(): a transfer came, went or changed its state.
        gathered(Gathered): a drop was looked through.
    """

    synced = Signal(object)
    transfersChanged = Signal()
    gathered = Signal(object)

    def tell_synced(self, state: SyncState) -> None:
        """The listener of the sync engine."""
        self.synced.emit(state)

    def tell_transfers_changed(self) -> None:
        """The listener of the transfer queue."""
        self.transfersChanged.emit()

    def run(self, work: Callable[[], T], done: Callable[[T], object] = lambda _: None) -> None:
        """Run `work` in a thread and give its result to `done`, a signal's emit, there."""
        threading.Thread(target=lambda: done(work()), name="background", daemon=True).start()
