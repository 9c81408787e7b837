"""What an output is: where frames go, and in real time."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.playback.reader import Reader


class Output(Protocol):
    """Pulls frames from a reader, once, until it is stopped; its calls never wait."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def set_volume(self, volume: float) -> None: ...

    def heard(self) -> int:
        """How many of the reader's frames were heard so far."""
        ...


class OutputFactory(QObject):
    """Makes outputs for readers; lives in the window thread.

    `ended(output)`: everything that its reader had was heard. `broke(output)`: it plays no longer;
    `create` gives another one. `changed()`: devices came or went.
    """

    ended = Signal(object)
    broke = Signal(object)
    changed = Signal()

    def missing(self) -> str:
        """Why nothing can be heard, as a sentence; empty when something can."""
        raise NotImplementedError

    def create(self, reader: Reader) -> Output:
        """An output for this reader, on the best device there is now; it may be a silent one."""
        raise NotImplementedError

    def suits(self, output: Output) -> bool:
        """Whether `create` would not find a better device now."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """Stop all threads."""
