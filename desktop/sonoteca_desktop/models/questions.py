"""What the sound table is asked for, and the thread that finds the answer."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.sync.mirror import ALL, Mirror, Scope

STATE = "state"  # the one order that the mirror does not know: on this computer first


@dataclass(frozen=True, slots=True)
class Question:
    """Which sounds, in which order."""

    words: str = ""
    sort: str = "created"
    descending: bool = True
    scope: Scope = ALL


@dataclass(frozen=True, slots=True)
class Answer:
    """The sounds that fit a question, and what the library holds besides."""

    question: Question
    keys: array[int]
    total: int
    local_total: int
    folders: list[tuple[str, int]] = field(default_factory=list)


class Searcher(QObject):
    """Answers questions in a thread of its own; only the newest question counts.

    Signals:
        found(Answer): a question was answered.
        failed(str): the mirror could not be read; the sentence says why.
    """

    found = Signal(object)
    failed = Signal(str)

    def __init__(self, mirror: Mirror, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mirror = mirror
        self._asked: SimpleQueue[tuple[Question, frozenset[str]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="search", daemon=True)
        self._thread.start()

    def ask(self, question: Question, local: frozenset[str]) -> None:
        self._asked.put((question, local))

    def close(self) -> None:
        """End the thread; nothing is emitted any more."""
        self._asked.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while (asked := self._newest()) is not None:
            try:
                answer = self._answer(*asked)
            except sqlite3.Error as error:
                self.failed.emit(f"The library on this computer cannot be read: {error}.")
            else:
                self.found.emit(answer)

    def _newest(self) -> tuple[Question, frozenset[str]] | None:
        """The last question in the queue: those before it interest nobody any more."""
        asked = self._asked.get()
        while asked is not None and not self._asked.empty():
            asked = self._asked.get()
        return asked

    def _answer(self, question: Question, local: frozenset[str]) -> Answer:
        return Answer(
            question,
            self._keys(question, local),
            self._mirror.count(),
            len(self._mirror.keys(scope=Scope("local"), local=local)) if local else 0,
            self._mirror.folders(),
        )

    def _keys(self, question: Question, local: Collection[str]) -> array[int]:
        by_state = question.sort == STATE
        keys = self._mirror.keys(
            words=question.words,
            sort="name" if by_state else question.sort,
            descending=question.descending and not by_state,
            scope=question.scope,
            local=local,
        )
        if not by_state:
            return keys
        here = set(self._mirror.keys(scope=Scope("local"), local=local))
        first, last = (False, True) if question.descending else (True, False)
        ordered = array("q", (key for key in keys if (key in here) is first))
        ordered.extend(key for key in keys if (key in here) is last)
        return ordered
