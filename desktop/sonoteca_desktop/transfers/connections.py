"""The connections of all transfers with one server: few, and those that are left help big files."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from sonoteca_desktop.transfers.control import Control

MOST = 6
"""So many connections to one server are fair, whatever a user wishes."""


class Connections:
    """Every transfer that runs has one; helpers of big downloads have what nobody else needs.

    Callable from any thread.
    """

    def __init__(self, *, several: bool = False) -> None:
        self._changed = threading.Condition()
        self._several = several
        self._transfers = 0
        self._helpers: list[Control] = []

    @property
    def several(self) -> bool:
        """Whether one file may have several connections."""
        return self._several

    def set_several(self, *, several: bool) -> None:
        """Allow several connections for one file, or end that at once."""
        with self._changed:
            self._several = several
            helpers = [] if several else list(self._helpers)
        for each in helpers:
            each.stop()

    @contextlib.contextmanager
    def one(self, control: Control) -> Iterator[None]:
        """A connection for a transfer; a helper of another one lets go of its own if need be."""
        with self._changed:
            self._transfers += 1  # at once: no helper can come in between
        try:
            with control.breaking(self._wake):
                self._make_room(control)
            yield
        finally:
            with self._changed:
                self._transfers -= 1

    def help(self, control: Control) -> bool:
        """Whether one is left for a helper, who gives it back in the end; it may be stopped."""
        with self._changed:
            if not self._several or self._used >= MOST:
                return False
            self._helpers.append(control)
            return True

    def give_back(self, control: Control) -> None:
        """A helper needs its connection no more."""
        with self._changed:
            self._helpers.remove(control)
            self._changed.notify_all()

    @property
    def _used(self) -> int:
        return self._transfers + len(self._helpers)

    def _make_room(self, control: Control) -> None:
        with self._changed:
            while self._used > MOST and self._helpers and not control.stopped:
                self._helpers[-1].stop()
                self._changed.wait()
        control.go_on()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
