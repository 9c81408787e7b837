"""Work off the window thread, and its results back on it.

One bridge lives in the window thread; workers are given its signals' `emit` as their listeners.
Connect them only to bound methods of QObjects that live in the window thread: those are queued,
while a lambda would run in the worker and can freeze the window for good.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal

from sonoteca_desktop.sync.engine import SyncState

_SWEEP_MS = 2_000
_ALL_EVERY = 15
_CHANGES_MS = 100

# Less is not felt when others keep all cores busy, too.
_STEP = 10

T = TypeVar("T")


def step_back() -> None:
    """Let the window's thread, and playing, go before the calling one and those that it starts.

    What holds the window up while downloads are fast is the wait for a core. Only Linux has
    priorities of single threads: elsewhere nothing happens.
    """
    if sys.platform == "linux":
        os.nice(_STEP)


class Sweeper(QObject):
    """Collects cyclic garbage in the window thread, and nowhere else.

    Left to itself Python collects in whichever thread allocates. When that is a worker and the
    garbage holds a QObject, Qt's lock and Python's are taken in opposite orders: a deadlock.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sweeps = 0
        gc.disable()
        self._timer = QTimer(self, interval=_SWEEP_MS)
        self._timer.timeout.connect(self.sweep)
        self._timer.start()

    def sweep(self) -> None:
        """Collect what is young each time, and everything now and then."""
        self._sweeps += 1
        gc.collect(2 if self._sweeps % _ALL_EVERY == 0 else 1)


class Throttle(QObject):
    """Passes on that there is news, a few times a second at most, however often it is told.

    Signals:
        news(): something was told since the last time; in the thread that this object lives in.
    """

    news = Signal()
    _told = Signal()

    def __init__(self, interval_ms: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._interval = interval_ms
        self._waiting = False
        self._rest = QElapsedTimer()
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._pass_on)
        self._told.connect(self._begin)

    def tell(self) -> None:
        """There is news; from any thread."""
        if not self._waiting:
            self._waiting = True
            self._told.emit()

    def _begin(self) -> None:
        past = self._rest.elapsed() if self._rest.isValid() else self._interval
        self._timer.start(max(0, self._interval - past))

    def _pass_on(self) -> None:
        self._waiting = False  # before: what is told from here on is news again
        self._rest.start()
        self.news.emit()


class Bridge(QObject):
    """Hands over what worker threads have to say.

    Signals:
        synced(SyncState): the mirror has news, or the server came or went.
        transfersChanged(): transfers came, went or changed their state; ten times a second at most.
        gathered(Gathered): a drop was looked through.
        keptChanged(): other things are kept on this computer for good.
        told(str): something that the user should read.
        cacheMeasured(int): so many bytes of what was heard are kept.
    """

    synced = Signal(object)
    transfersChanged = Signal()
    gathered = Signal(object)
    keptChanged = Signal()
    told = Signal(str)
    cacheMeasured = Signal(object)  # more than the 32 bits of Qt's int

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._transfers = Throttle(_CHANGES_MS, self)
        self._transfers.news.connect(self.transfersChanged)

    def tell_synced(self, state: SyncState) -> None:
        """The listener of the sync engine."""
        self.synced.emit(state)

    def tell_transfers_changed(self) -> None:
        """The listener of the transfer queue."""
        self._transfers.tell()

    def tell_kept_changed(self) -> None:
        """The listener of the keeper."""
        self.keptChanged.emit()

    def tell(self, sentence: str) -> None:
        """Have the user read something."""
        self.told.emit(sentence)

    def run(self, work: Callable[[], T], done: Callable[[T], object] = lambda _: None) -> None:
        """Run `work` in a thread and give its result to `done`, a signal's emit, there."""
        threading.Thread(target=lambda: done(work()), name="background", daemon=True).start()
