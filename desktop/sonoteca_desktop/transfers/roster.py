"""All transfers with one server: in memory for the window, in the journal for tomorrow.

States change here alone, and only as the table of `plan` allows.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sonoteca_desktop.transfers.entry import Entry, Transfer
from sonoteca_desktop.transfers.journal import Journal, JournalError, Row
from sonoteca_desktop.transfers.plan import Event, Kind, State, after

_ENDED = frozenset({State.DONE, State.FAILED})
_BUSY = frozenset({State.QUEUED, State.HASHING, State.RUNNING, State.VERIFYING, State.WAITING})


class Roster:
    """The list of transfers; callable from any thread.

    `at_once` of them may run at once; set it inside `changing`. Reading never waits for the disk:
    what has changed is written down by `write`, by whoever changed it, and what others changed
    meanwhile goes with it.
    """

    def __init__(self, journal: Journal, server: str, at_once: int) -> None:
        self._journal = journal
        self.at_once = at_once
        self._in_hand = 0
        # Taken in this order. Nobody waits for the disk with _news in hand.
        self._writing = threading.Lock()
        self._news = threading.Condition()
        self._unwritten: dict[int, Row] = {}
        self._entries: dict[int, Entry] = {}
        self._local: dict[str, list[tuple[Path, int]]] = {}
        self._gone: frozenset[str] = frozenset()
        self._hold_until = 0.0
        self._closed = False
        for row in journal.rows(server):
            self._take_up(row)

    # For those who look.

    @property
    def busy(self) -> bool:
        """Whether anything is running, or would run by itself."""
        with self._news:
            return any(each.row.state in _BUSY for each in self._shown())

    def snapshot(self) -> list[Transfer]:
        """All transfers as they stand, in their order."""
        now = time.monotonic()
        with self._news:
            return [each.view(now, self._hold_until) for each in self._shown()]

    def local_file(self, sha256: str) -> Path | None:
        """The latest download of these bytes that is still where it was put."""
        with self._news:
            files = list(self._local.get(sha256, ()))
        return next((path for path, size in reversed(files) if _is_there(path, size)), None)

    def local_digests(self) -> frozenset[str]:
        """The SHA-256 of everything that was downloaded here and, when last looked, was there."""
        with self._news:
            return frozenset(self._local) - self._gone

    def look_for_files(self) -> bool:
        """Look whether downloads are still where they were put; whether there is news."""
        with self._news:
            digests = list(self._local)
        gone = frozenset(each for each in digests if self.local_file(each) is None)
        with self._news:
            before, self._gone = self._gone, gone
        return gone != before

    # For those who change it.

    def add(self, rows: list[Row]) -> list[int]:
        """Take in new transfers; one that is on its way already is not added again."""
        with self._news:
            unfinished = [each.row for each in self._shown() if each.row.state is not State.DONE]
        same = {_sameness(row): row for row in unfinished}
        rows = [same.setdefault(_sameness(row), row) for row in rows]
        fresh = list({id(row): row for row in rows if not row.key}.values())
        with self._news:
            last = max((each.row.place for each in self._entries.values()), default=0)
        for place, row in enumerate(fresh, last + 1):
            row.place = place
        self._journal.add(fresh)
        with self.changing():
            for row in fresh:
                self._take_up(row)
        return [row.key for row in rows]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Inside, entries may be changed; at the end all who wait have a look."""
        with self._news:
            yield
            self._news.notify_all()

    def choose(self, wanted: Callable[[Entry], bool]) -> list[Entry]:
        """Those transfers in the list that are wanted. Call it inside `changing`."""
        return [each for each in self._shown() if wanted(each)]

    def step(self, entry: Entry, event: Event, note: str = "", code: str = "") -> bool:
        """Let an event happen, if it means anything now. Call it inside `changing`.

        `code` says what kind of trouble the note is about.
        """
        state = after(entry.row.state, event)
        if state is None:
            return False
        if state is entry.row.state is State.BLOCKED:
            entry.row.note, entry.row.code = note, code  # looked at again; not worth a write
            entry.touch()
        elif (state, note) != (entry.row.state, entry.row.note):
            entry.row.state, entry.row.note, entry.row.code = state, note, code
            self.touch(entry)
        return True

    def reorder(self, rule: Callable[[list[int]], list[int]]) -> None:
        """Let those that have not ended change places by a rule. Call it inside `changing`."""
        standing = {each.row.key: each for each in self._shown() if each.row.state not in _ENDED}
        places = [each.row.place for each in standing.values()]
        for place, key in zip(places, rule(list(standing)), strict=True):
            if standing[key].row.place != place:
                standing[key].row.place = place
                self.touch(standing[key])
        self._entries = dict(sorted(self._entries.items(), key=lambda item: item[1].row.place))

    def make_room(self) -> list[Entry]:
        """Those that run and have to yield to what stands before them, if there is anything.

        Call it inside `changing`. A file that is read for its hash is left alone: it would have to
        be read from its beginning again.
        """
        now = time.monotonic()
        wanting = [each for each in self._shown() if each.busy or self._is_due(each, now)]
        late = [each for each in wanting[self.at_once :] if each.busy]
        return [each for each in late if self.step(each, Event.YIELD)]

    def touch(self, entry: Entry) -> None:
        """Something has changed that has to be written. Call it inside `changing`."""
        self._unwritten[entry.row.key] = entry.row
        entry.touch()

    def remove(self, entry: Entry) -> None:
        """Show a transfer no more; a worker clears up after it. Call it inside `changing`."""
        entry.row.removed = True
        entry.next_at = 0.0
        self.touch(entry)

    def finish(self, entry: Entry, note: str) -> None:
        """A transfer is done. Call it inside `changing`."""
        self.step(entry, Event.FINISH, note)
        entry.row.tries = entry.row.corrupt = entry.row.bad_replies = 0
        entry.done = entry.row.size
        self._note_local(entry.row)
        self.touch(entry)

    def forget(self, entry: Entry) -> None:
        """A removed transfer leaves nothing behind; of a finished one we still know the file."""
        with self._writing:
            with self._news:
                self._entries.pop(entry.row.key, None)
                self._unwritten.pop(entry.row.key, None)
            if entry.row.state is State.DONE:
                self._journal.save([entry.row])
            else:
                self._journal.forget([entry.row.key])

    def restart(self) -> None:
        """What was running when the program ended goes on by itself."""
        with self.changing():
            self._closed = False
            for entry in self._entries.values():
                if after(entry.row.state, Event.RESTART) is not entry.row.state:
                    self.step(entry, Event.RESTART)
        self.write()

    def write(self) -> bool:
        """Bring the journal up to date; whether there was anything to write."""
        with self._writing:
            with self._news:
                rows = dict(self._unwritten)
                copies = [replace(row) for row in rows.values()]
                self._unwritten.clear()
            if not rows:
                return False
            try:
                self._journal.save(copies)
            except JournalError:
                with self._news:
                    self._unwritten = rows | self._unwritten
                raise
            return True

    # For the workers.

    def hold(self, until: float) -> None:
        """Start nothing before that moment: the whole server is in trouble."""
        self._hold_until = until

    def next(self) -> Entry | None:
        """The next transfer to work on, as soon as there is one; None when all is over."""
        with self._news:
            while not self._closed:
                if self._in_hand >= self.at_once:
                    self._news.wait()
                    continue
                now = time.monotonic()
                soonest = None
                for entry in self._entries.values():
                    at = self._due_at(entry)
                    if at is not None and at <= now:
                        entry.busy = True
                        self._in_hand += 1
                        return entry
                    if at is not None:
                        soonest = at if soonest is None else min(soonest, at)
                self._news.wait(None if soonest is None else soonest - now)
        return None

    def release(self, entry: Entry) -> None:
        """A worker has done with it, for now. Call it inside `changing`."""
        entry.end()
        self._in_hand -= 1

    def close(self) -> None:
        """Tell the workers to end, those in the middle of a transfer, too."""
        with self.changing():
            self._closed = True
            controls = [each.control for each in self._entries.values() if each.control]
        for control in controls:
            control.stop()

    @property
    def closed(self) -> bool:
        """Whether nothing is to be started any more."""
        return self._closed

    def _is_due(self, entry: Entry, now: float) -> bool:
        at = self._due_at(entry)
        return at is not None and at <= now

    def _due_at(self, entry: Entry) -> float | None:
        """When a worker should look at a transfer; None: not before something happens to it."""
        if entry.busy:
            return None
        if entry.row.removed:
            return entry.next_at
        match entry.row.state:
            case State.QUEUED:
                return self._hold_until
            case State.WAITING:
                return max(entry.next_at, self._hold_until)
            case State.BLOCKED:
                return entry.next_at
            case _:
                return None

    def _take_up(self, row: Row) -> None:
        self._note_local(row)
        if not (row.removed and row.state is State.DONE):
            self._entries[row.key] = Entry(row)

    def _note_local(self, row: Row) -> None:
        if row.kind is Kind.DOWNLOAD and row.state is State.DONE:
            self._local.setdefault(row.sha256, []).append((row.path, row.size))
            self._gone -= {row.sha256}

    def _shown(self) -> Iterator[Entry]:
        return (each for each in self._entries.values() if not each.row.removed)


def _is_there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _sameness(row: Row) -> tuple[str, ...]:
    # The hash of a file that is sent is known only later.
    sha256 = row.sha256 if row.kind is Kind.DOWNLOAD else ""
    return (row.kind, sha256, row.folder, os.fspath(row.path))
