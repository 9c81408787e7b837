"""Has things written down without anybody waiting for the disk, in the order in which they came."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from sonoteca_shared.errors import SonotecaError

_logger = logging.getLogger(__name__)

_AGAIN_S = 5.0

Write = Callable[[], None]


class Scribe:
    """A thread that lives as long as something waits to be written; callable from any thread.

    What cannot be written stays first in the line and is tried again, until `close`; `told` hears
    why, once for each trouble.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._changed = threading.Condition()
        self._line: deque[Write] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._said = ""

    def soon(self, write: Write) -> None:
        """Have this written after all that was asked for before.

        The same as the last in the line is not put there again: it has not begun yet.
        """
        with self._changed:
            if not self._line or self._line[-1] != write:
                self._line.append(write)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
                self._thread.start()
            self._changed.notify_all()  # after trouble: perhaps it is over

    def close(self) -> None:
        """Write what still waits; what cannot be written now is lost."""
        with self._changed:
            self._closing = True
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (write := self._next()) is not None:
            try:
                write()
                self._said = ""
            except SonotecaError as error:
                self._wait(write, str(error))
            except Exception:  # one fault must not keep the rest from the disk
                _logger.exception("something could not be written down")

    def _next(self) -> Write | None:
        with self._changed:
            if self._line:
                return self._line.popleft()
            self._thread = None
            return None

    def _wait(self, write: Write, trouble: str) -> None:
        _logger.warning("%s", trouble)
        if trouble != self._said:
            self._said = trouble
            self._told(trouble)
        with self._changed:
            if not self._closing:
                self._line.appendleft(write)
                self._changed.wait(_AGAIN_S)
