"""The transfers of one command, carried out to their end and remembered until then.

Every command has a journal of its own, found again by the words of the command. So a command goes
on with what it began and with nothing else, and no transfer is ever in two hands: the window has
its own journal, and a second shell with the same command is refused. What a command left that was
killed in its last moment is cleared away by a later one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType

from sonoteca_desktop.client import Client
from sonoteca_desktop.shell.reports import Report
from sonoteca_desktop.transfers import orders
from sonoteca_desktop.transfers.journal import Journal, JournalError
from sonoteca_desktop.transfers.queue import State, Transfer, TransferQueue
from sonoteca_desktop.transfers.roster import BUSY

_FIRST_LOOK_S = 0.005
_LOOK_S = 0.1
_PATIENCE_AT_START_S = 10.0
_OLD_S = 3600.0
_AT_WORK = frozenset({State.PREPARING, State.HASHING, State.RUNNING, State.VERIFYING})


class Errand:
    """A queue of transfers for one command; its journal goes when all of it is done."""

    def __init__(
        self, client: Client, folder: Path, words: Sequence[str], *, repository: str = "main"
    ) -> None:
        command = json.dumps([orders.server_name(client.base_url), *words]).encode()
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        self._path = folder / f"{hashlib.sha256(command).hexdigest()[:32]}.sqlite"
        self._journal = Journal(self._path)
        self.queue = TransferQueue(
            self._journal, client, changed=lambda: None, repository=repository
        )
        self.queue.clear_finished()
        self._is_done = False

    def __enter__(self) -> Errand:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.queue.stop()
        self._journal.close()
        if self._is_done:
            self._path.unlink(missing_ok=True)

    def run(self, keys: Collection[int], report: Report, patience: float) -> list[Transfer]:
        """Carry these out; how they stand when all that can be done is done.

        What an earlier run of the command left and is not wanted any more is dropped.
        """
        for each in self.queue.snapshot():
            if each.key not in keys:
                self.queue.cancel(each.key)
        self.queue.start()
        transfers = follow(self.queue, keys, report, patience)
        self._is_done = all(each.state is State.DONE for each in transfers)
        return transfers


def follow(
    queue: TransferQueue, keys: Collection[int], report: Report, patience: float
) -> list[Transfer]:
    """Tell how these go until all that can be done is done; the queue is stopped then."""
    waiting = _Patience(patience)

    def look() -> list[Transfer]:
        return [each for each in queue.snapshot() if each.key in keys]

    try:
        # Often at first: a small file is there before a person could look.
        pause = _FIRST_LOOK_S
        transfers = look()
        while any(each.state in BUSY for each in transfers) and not waiting.is_over(transfers):
            report.tell(transfers)
            time.sleep(pause)
            pause = min(_LOOK_S, 2 * pause)
            transfers = look()
    finally:
        queue.stop()
        transfers = look()
        report.close(transfers)
    return transfers


def _clear(folder: Path) -> None:
    """Remove journals in which nothing is left to be done."""
    for path in folder.glob("*.sqlite"):
        # Neither one that a command is just beginning with, nor one that is in use.
        with contextlib.suppress(OSError, JournalError):
            if time.time() - path.stat().st_mtime > _OLD_S:
                journal = Journal(path)
                finished = journal.finished
                journal.close()
                if finished:
                    path.unlink()


class _Patience:
    """How long a command tries again in vain."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._moved_at = time.monotonic()
        self._stood: object = None
        self._has_moved = False

    def is_over(self, transfers: Sequence[Transfer]) -> bool:
        """Whether nothing has moved for too long."""
        now = time.monotonic()
        stands = [(each.done, each.state is State.DONE) for each in transfers]
        if stands != self._stood:
            self._has_moved = self._stood is not None
            self._stood, self._moved_at = stands, now
        elif any(each.state in _AT_WORK for each in transfers):
            return False
        # A server that was never there is told of soon.
        limit = self._seconds if self._has_moved else min(self._seconds, _PATIENCE_AT_START_S)
        return now - self._moved_at >= limit
