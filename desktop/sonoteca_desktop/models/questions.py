"""What the sound table is asked for, and the thread that finds the answer."""

from __future__ import annotations

import sqlite3
from array import array
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread

from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.sync.mirror import ALL, Here, Mirror, Scope
from sonoteca_shared.query import Query, parse
from sonoteca_shared.terms import Text, all_of, render

_LOCAL = Scope("local")
STATE = "state"  # the one order that the mirror does not know: on this computer first


@dataclass(frozen=True, slots=True)
class Question:
    """Which sounds, in which order."""

    words: str = ""
    sort: str = "created"
    descending: bool = True
    scope: Scope = ALL


def as_query(question: Question) -> str | None:
    """What a question finds, as a query for the server; None where only we can answer it."""
    if question.scope.kind == "local":
        return None
    tree = parse(question.words).tree
    if question.scope.kind == "folder":
        tree = all_of([Text("folder", question.scope.folder), tree])
    text = render(tree)
    return text if parse(text).tree == tree else None


@dataclass(frozen=True, slots=True)
class Answer:
    """The sounds that fit a question, and what the library holds besides."""

    question: Question
    keys: array[int]
    total: int
    local_total: int
    folders: list[tuple[str, int]] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    """Parts of the words that make no sense; the rest was looked for."""
    typed_order: bool = False
    """The words say the order, whatever was clicked before."""


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
        self._asked: SimpleQueue[tuple[Question, Here] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="search", daemon=True)
        self._thread.start()

    def ask(self, question: Question, here: Here) -> None:
        self._asked.put((question, here))

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

    def _newest(self) -> tuple[Question, Here] | None:
        """The last question in the queue: those before it interest nobody any more."""
        asked = self._asked.get()
        while asked is not None and not self._asked.empty():
            asked = self._asked.get()
        return asked

    def _answer(self, question: Question, here: Here) -> Answer:
        query = parse(question.words, local=True)
        return Answer(
            question,
            self._keys(question, query, here),
            self._mirror.count(),
            len(self._mirror.keys(scope=_LOCAL, here=here)) if here.local else 0,
            self._mirror.folders(),
            query.ignored,
            bool(query.sort),
        )

    def _keys(self, question: Question, query: Query, here: Here) -> array[int]:
        sort, descending = question.sort, question.descending
        if query.sort:  # what is typed says more than a click of before
            sort, descending = query.sort.removeprefix("-"), query.sort.startswith("-")
        by_state = sort == STATE
        keys = self._mirror.keys(
            query.tree,
            sort="name" if by_state else sort,
            descending=descending and not by_state,
            scope=question.scope,
            here=here,
        )
        if not by_state:
            return keys
        local = set(self._mirror.keys(scope=_LOCAL, here=here))
        first, last = (False, True) if descending else (True, False)
        ordered = array("q", (key for key in keys if (key in local) is first))
        ordered.extend(key for key in keys if (key in local) is last)
        return ordered
