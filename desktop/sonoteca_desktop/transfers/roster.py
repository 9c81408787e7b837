"""All transfers with one server: in memory for the window, in the journal for tomorrow.

States change here alone, and only as the table of `plan` allows.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.entry import Entry, Transfer
from sonoteca_desktop.transfers.journal import Journal, JournalError, Row
from sonoteca_desktop.transfers.plan import Event, Kind, State, after
from sonoteca_desktop.transfers.segments import Segments
from sonoteca_shared.ranges import ByteRange

_PATIENT = 2
_ENDED = frozenset({State.DONE, State.FAILED})
BUSY = frozenset(State) - _ENDED - {State.PAUSED, State.BLOCKED}


class Roster:
    """The list of transfers; callable from any thread.

    `at_once` of them may run at once; set it inside `changing`. Reading and changing never wait for
    the disk: what has changed is written down by `write`, all of it by whoever comes first.
    """

    def __init__(self, journal: Journal, server: str, at_once: int) -> None:
        self._journal = journal
        self.at_once = at_once
        self.kept_only = False
        self._in_hand = 0
        # Taken in this order. Nobody waits for the disk with _news in hand.
        self._writing = threading.Lock()
        self._news = threading.Condition()
        self._unwritten: dict[int, Row] = {}
        self._entries: dict[int, Entry] = {}
        # The same once more: what somebody asked for, and what nobody waits for.
        self._asked: dict[int, Entry] = {}
        self._patient: dict[int, Entry] = {}
        self._at_work: set[Entry] = set()
        self._local: dict[str, list[tuple[Path, int]]] = {}
        self._gone: frozenset[str] = frozenset()
        self._kept: dict[int, Row] = {}
        self._hold_until = 0.0
        self._asked_until = 0.0
        self._closed = False
        for row in journal.rows(server):
            self._take_up(row)

    # For those who look.

    @property
    def busy(self) -> bool:
        """Whether anything is running, or would run by itself."""
        with self._news:
            return any(each.row.state in BUSY for each in self._shown())

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

    def part_of(self, sha256: str) -> tuple[Path, list[ByteRange]] | None:
        """A file of ours with some of these bytes, and which are safe in it."""
        with self._news:
            for row in self._kept.values():
                if row.sha256 == sha256 and row.state is State.DONE and row.size:
                    return row.path, [ByteRange(0, row.size)]
            for row in (each.row for each in self._shown()):
                unfinished = row.kind is Kind.DOWNLOAD and row.state is not State.DONE
                if row.sha256 == sha256 and unfinished and row.durable:
                    segments = Segments.read(row.segments, size=row.size, safe=row.durable)
                    return target.part_path(row.path, row.tag), segments.safe_ranges
        return None

    def kept(self) -> list[Row]:
        """What was fetched for pins, or is to be; also what is no longer in the list."""
        with self._news:
            return [replace(row) for row in self._kept.values() if _is_kept(row)]

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
        with self.changing():
            unfinished = [each.row for each in self._shown() if each.row.state is not State.DONE]
            same = {_sameness(row): row for row in unfinished}
            rows = [same.setdefault(_sameness(row), row) for row in rows]
            place = max((each.row.place for each in self._entries.values()), default=0)
            for row in rows:
                if not row.key:
                    place += 1
                    row.key, row.place = self._journal.new_key(), place
                    self._take_up(row)
                    self._unwritten[row.key] = row
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

    def stand_back(self, entry: Entry, event: Event, code: str) -> bool:
        """Let a transfer wait for its turn when another one is blocked by the very same trouble.

        So a server that wants a sign-in is told of once. Call it inside `changing`.
        """
        told = event is Event.BLOCK and any(
            each.row.state is State.BLOCKED and each.row.code == code for each in self._shown()
        )
        return told and self.step(entry, Event.YIELD)

    def reorder(self, rule: Callable[[list[int]], list[int]]) -> None:
        """Let those that have not ended change places by a rule. Call it inside `changing`."""
        standing = {each.row.key: each for each in self._shown() if each.row.state not in _ENDED}
        places = [each.row.place for each in standing.values()]
        for place, key in zip(places, rule(list(standing)), strict=True):
            if standing[key].row.place != place:
                standing[key].row.place = place
                self.touch(standing[key])
        for entries in (self._entries, self._asked, self._patient):
            ordered = sorted(entries.items(), key=lambda item: item[1].row.place)
            entries.clear()
            entries.update(ordered)

    def make_room(self) -> list[Entry]:
        """Those that run and have to yield to what stands before them, if there is anything.

        Call it inside `changing`. A file that is read for its hash is left alone: it would have to
        be read from its beginning again.
        """
        now = time.monotonic()
        wanting = [each for each in self._shown() if each.busy or self._is_due(each, now)]
        wanting.sort(key=lambda each: bool(each.row.kept))  # nobody waits for those
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

    def finish(self, entry: Entry, note: str, code: str = "") -> None:
        """A transfer is done. Call it inside `changing`."""
        self.step(entry, Event.FINISH, note, code)
        entry.row.tries = entry.row.corrupt = entry.row.bad_replies = 0
        entry.done = entry.row.size
        self._note_local(entry.row)
        self.touch(entry)

    def forget(self, entry: Entry) -> None:
        """A removed transfer leaves nothing behind; of a finished one we still know the file."""
        with self._writing:
            with self._news:
                self._take_out(entry.row.key)
                self._unwritten.pop(entry.row.key, None)
            if entry.row.state is State.DONE:
                self._journal.save([entry.row])
            else:
                self._journal.forget([entry.row.key])
                with self._news:
                    self._kept.pop(entry.row.key, None)

    def free(self, keys: Sequence[int]) -> None:
        """Files that were fetched for pins are here no more."""
        with self._writing:
            with self._news:
                for key in keys:
                    row = self._kept.pop(key)
                    self._take_out(key)
                    self._unwritten.pop(key, None)
                    files = self._local.pop(row.sha256, [])
                    if left := [file for file in files if file[0] != row.path]:
                        self._local[row.sha256] = left
            self._journal.forget(keys)

    def assign(self, key: int, pin: str) -> None:
        """It is kept for another pin from now on. Call it inside `changing`."""
        self._kept[key].kept = pin
        self._unwritten[key] = self._kept[key]

    def restart(self) -> None:
        """What was running when the program ended goes on by itself."""
        with self.changing():
            self._closed = False
            for entry in self._entries.values():
                if after(entry.row.state, Event.RESTART) is not entry.row.state:
                    self.step(entry, Event.RESTART)

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

    def hold(self, until: float, *, asked: float = 0.0) -> None:
        """Start nothing before that moment: the whole server is in trouble.

        Nor before the server has said (`asked`), whatever trouble comes after that.
        """
        self._asked_until = max(self._asked_until, asked)
        self._hold_until = max(until, self._asked_until)

    def hold_no_longer(self) -> None:
        """Wait no longer: the user wants it now, or what was in the way is over."""
        self._hold_until = self._asked_until = 0.0

    def next(self) -> Entry | None:
        """The next transfer to work on, as soon as there is one; None when all is over."""
        with self._news:
            while not self._closed:
                if self._in_hand >= self.at_once:
                    self._news.wait()
                    continue
                now = time.monotonic()
                asked = {} if self.kept_only else self._asked
                entry, soonest = self._first_due(asked, now)
                if entry is None and self._may_keep():
                    entry, later = self._first_due(self._patient, now)
                    times = [at for at in (soonest, later) if at is not None]
                    soonest = min(times, default=None)
                if entry is not None:
                    entry.busy = True
                    self._in_hand += 1
                    if entry.row.kept:
                        self._at_work.add(entry)
                    return entry
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

    def _first_due(
        self, entries: dict[int, Entry], now: float
    ) -> tuple[Entry | None, float | None]:
        """The first that is due; where none is, the moment at which one will be."""
        soonest = None
        for entry in entries.values():
            at = self._due_at(entry)
            if at is not None and at <= now:
                return entry, None
            if at is not None:
                soonest = at if soonest is None else min(soonest, at)
        return None, soonest

    def _may_keep(self) -> bool:
        """Whether what nobody waits for may start: a worker stays free for what somebody does."""
        self._at_work = {each for each in self._at_work if each.busy}
        return len(self._at_work) < max(1, min(_PATIENT, self.at_once - 1))

    def _is_due(self, entry: Entry, now: float) -> bool:
        at = self._due_at(entry)
        return at is not None and at <= now

    def _due_at(self, entry: Entry) -> float | None:
        """When a worker should look at a transfer; None: not before something happens to it."""
        if entry.busy:
            return None
        if entry.row.removed:
            # No condition can wait for ever by a number of seconds.
            return None if math.isinf(entry.next_at) else entry.next_at
        match entry.row.state:
            case State.QUEUED:
                return self._hold_until
            case State.WAITING | State.PREPARING:
                return max(entry.next_at, self._hold_until)
            case State.BLOCKED:
                return entry.next_at
            case _:
                return None

    def _take_up(self, row: Row) -> None:
        self._note_local(row)
        if row.kept:
            self._kept[row.key] = row
        if not (row.removed and row.state is State.DONE):
            entry = self._entries[row.key] = Entry(row)
            (self._patient if row.kept else self._asked)[row.key] = entry

    def _take_out(self, key: int) -> None:
        for entries in (self._entries, self._asked, self._patient):
            entries.pop(key, None)

    def _note_local(self, row: Row) -> None:
        if row.kind is Kind.DOWNLOAD and row.sha256 and row.state is State.DONE:
            self._local.setdefault(row.sha256, []).append((row.path, row.size))
            self._gone -= {row.sha256}

    def _shown(self) -> Iterator[Entry]:
        return (each for each in self._entries.values() if not each.row.removed)


def _is_kept(row: Row) -> bool:
    return row.state is State.DONE or not row.removed


def _is_there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _sameness(row: Row) -> tuple[str, ...]:
    # The hash of a file that is sent is known only later.
    what = row.sha256 or row.wish or row.url if row.kind is Kind.DOWNLOAD else ""
    return (row.kind, what, row.folder, os.fspath(row.path))
