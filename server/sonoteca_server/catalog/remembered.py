"""Answers of a SQLite catalogue that are kept for as long as nothing is written to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from pathlib import Path
from typing import Any

_MOST = 1_000


class Remembered:
    """What was read, by what was asked; forgotten with the first commit of anybody, here or not.

    Used from one thread. What an answer holds must be as immutable as its key.
    """

    def __init__(self, path: Path) -> None:
        self._answers: dict[Hashable, Any] = {}
        # A connection of its own, which writes nothing: it is told of every other one's commits
        # (https://www.sqlite.org/pragma.html#pragma_data_version).
        self._watch = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._version = self._read_version()

    def check(self) -> None:
        """Forget everything if anything was committed since the last time."""
        version = self._read_version()
        if version != self._version:
            self._answers.clear()
            self._version = version

    def __contains__(self, key: Hashable) -> bool:
        return key in self._answers

    def __getitem__(self, key: Hashable) -> Any:
        return self._answers[key]

    def __setitem__(self, key: Hashable, answer: Any) -> None:
        while len(self._answers) >= _MOST:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = answer

    def close(self) -> None:
        """Let the file go."""
        self._watch.close()

    def _read_version(self) -> int:
        version: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
        return version
