"""What a server offers besides sounds as they are: its collections; asked for when needed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.client import Client
from sonoteca_desktop.sync.collections import list_all
from sonoteca_shared.errors import SonotecaError


class Offers(QObject):
    """Asks in a thread of its own; a server that cannot be reached offers nothing.

    Signals:
        collectionsFound(list[Collection]): the collections as they are now.
    """

    collectionsFound = Signal(list)

    def __init__(self, client: Client, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client

    def ask_collections(self) -> None:
        self._run(self._find_collections)

    def _run(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="offers", daemon=True).start()

    def _find_collections(self) -> None:
        # The window may be gone before the answer is there.
        with contextlib.suppress(SonotecaError, RuntimeError):
            self.collectionsFound.emit(list_all(self._client))
