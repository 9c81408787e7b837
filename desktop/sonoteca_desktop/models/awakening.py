"""Tells when the network is back, or this computer woke up: who waits need not wait any longer."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtNetwork import QNetworkInformation

_LOOK_MS = 5_000
_JUMP = 10.0
"""So many seconds more on the wall than in our own time mean that the computer slept."""

Reachability = QNetworkInformation.Reachability


class Awakening(QObject):
    """Watches the network, where the system tells of it, and the clocks.

    `wall` goes on while the computer sleeps, `awake` does not; both in seconds.

    Signals:
        happened(): the network is back, or the computer woke up.
    """

    happened = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        wall: Callable[[], float] = time.time,
        awake: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(parent)
        self._wall = wall
        self._awake = awake
        self._apart = wall() - awake()
        self._up = True
        self._timer = QTimer(self, interval=_LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._timer.start()
        QNetworkInformation.loadBackendByFeatures(QNetworkInformation.Feature.Reachability)
        network = QNetworkInformation.instance()
        if network is not None:
            self.note(network.reachability())
            network.reachabilityChanged.connect(self.note)

    def look(self) -> None:
        """Compare the clocks: one of them stood still while the computer slept."""
        before, self._apart = self._apart, self._wall() - self._awake()
        if self._apart - before > _JUMP:
            self.happened.emit()

    def note(self, reachability: Reachability) -> None:
        """The network is like this now; what is not known counts as there."""
        before, self._up = self._up, reachability is not Reachability.Disconnected
        if self._up and not before:
            self.happened.emit()
