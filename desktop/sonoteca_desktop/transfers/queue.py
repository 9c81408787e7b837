"""The transfers of this desktop: start, pause, resume, cancel, retry; who carries them out.

A few worker threads take what is to be done from the roster; each carries out one transfer at a
time. What a worker changes is in the journal before anybody is told of it, and so is all that was
asked for before. What a user asks for shows at once, and is written in a thread of the journal: who
asks never waits for the disk.
"""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers import orders
from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.transfers.arrangement import AT_ONCE, AT_ONCE_MOST, Arrangement
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.carrying import Carrier
from sonoteca_desktop.transfers.connections import Connections
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.download import Landed
from sonoteca_desktop.transfers.entry import Entry, Transfer
from sonoteca_desktop.transfers.journal import Journal, JournalError, Row
from sonoteca_desktop.transfers.kept import Kept
from sonoteca_desktop.transfers.plan import (
    LOOK_AGAIN,
    Event,
    Kind,
    State,
    back_off,
    judge,
)
from sonoteca_desktop.transfers.roster import Roster
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_desktop.transfers.upload import Arrived
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound

__all__ = ["Kind", "State", "Transfer", "TransferQueue"]  # what those who show it need

_logger = logging.getLogger(__name__)

_GRACE = 2.0
_ON_THE_LINE = frozenset({State.PREPARING, State.RUNNING})


class TransferQueue:
    """All uploads and downloads with one server; callable from any thread.

    What waits for the disk says so; all else is memory alone, and in the journal a moment later.

    Uploads go into one repository, downloads come from wherever the sounds are.
    `changed` is called, from any thread, after a transfer came, went or changed its state; how far
    each has come is in `snapshot`. Their order and how fast they may be is `arrangement`. Each
    worker thread calls `begin` first.
    """

    def __init__(
        self,
        journal: Journal,
        client: Client,
        *,
        changed: Callable[[], None],
        heard: SoundCache | None = None,
        at_once: int = AT_ONCE,
        repository: str = "main",
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._client = client
        self._changed = changed
        self._prepare_worker = begin
        self._chance = random.SystemRandom()
        self._bandwidth = Bandwidth(journal.limit(), journal.schedule())
        self._threads: list[threading.Thread] = []
        self.server = orders.server_name(client.base_url)
        self._roster = Roster(journal, self.server, journal.at_once() or at_once)
        connections = Connections(several=journal.several())
        self.arrangement = Arrangement(
            journal, self._roster, self._bandwidth, connections, tell=self._tell_first
        )
        self._carrier = Carrier(
            client, self._roster, connections, heard=heard, repository=repository
        )
        if heard is not None:
            heard.lend_from(self._roster.part_of)
        self.kept = Kept(
            self._roster, self.server, add=self._add, remove=self._remove, changed=changed
        )

    def start(self, *, kept_only: bool = False) -> None:
        """Begin to work, or only with what is fetched for pins; what was running goes on."""
        self._roster.kept_only = kept_only
        self._roster.restart()
        self._threads = [
            threading.Thread(target=self._work, name=f"transfer-{number}", daemon=True)
            for number in range(AT_ONCE_MOST)
        ]
        for thread in self._threads:
            thread.start()
        self._tell_first()

    def stop(self) -> None:
        """End all work within a moment; the journal has where everything stands on return."""
        self._roster.close()
        deadline = time.monotonic() + _GRACE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._roster.write()

    # What the user does.

    def download(self, sound: Sound, folder: Path) -> int:
        """Fetch a sound into a folder; the key of the transfer."""
        return self.download_all([sound], folder)[0]

    def download_all(self, sounds: Iterable[Sound], folder: Path) -> list[int]:
        """Fetch many sounds into a folder."""
        place = _absolute(folder)
        return self._add([orders.download(self.server, sound, place) for sound in sounds])

    def fetch(self, url: str, path: Path, *, size: int, sha256: str) -> int:
        """Fetch any bytes, by their path on the server, as a file; the key of the transfer."""
        file = _absolute(path)
        return self._add([orders.fetch(self.server, url, size=size, sha256=sha256, path=file)])[0]

    def archive(self, wish: Wish, path: Path) -> int:
        """Have the server put files together, and fetch the zip; the key of the transfer."""
        return self._add([orders.archive(self.server, wish, _absolute(path))])[0]

    def export_all(
        self, sounds: Iterable[Sound], options: Mapping[str, str], folder: Path
    ) -> list[int]:
        """Fetch sounds into a folder as the server makes them by the options of a recipe."""
        place = _absolute(folder)
        return self._add([orders.export(self.server, each, options, place) for each in sounds])

    def upload(self, path: Path, folder: str) -> int:
        """Send a file into a folder of the library; the key of the transfer."""
        return self.upload_all([(path, folder)])[0]

    def upload_all(self, files: Iterable[tuple[Path, str]]) -> list[int]:
        """Send many files, each into its folder of the library; looks at each for its size."""
        return self._add(
            [orders.upload(self.server, _absolute(path), folder) for path, folder in files]
        )

    def pause(self, *keys: int) -> None:
        """Stop transfers until `resume`, over restarts too."""
        self._ask(Event.PAUSE, set(keys))

    def resume(self, *keys: int) -> None:
        """Let paused transfers go on."""
        self._ask(Event.RESUME, set(keys))

    def retry(self, *keys: int) -> None:
        """Try again now what waits, is blocked or has failed."""
        self._ask(Event.RETRY, set(keys))

    def retry_waiting(self) -> None:
        """The server or the network is back: nothing has to wait any longer, and all ask anew."""
        with self._roster.changing():
            self._roster.hold_no_longer()
            # Over a line of before nothing may ever come, and nobody is told that it is dead.
            for entry in self._roster.choose(lambda each: each.row.state in _ON_THE_LINE):
                self._roster.step(entry, Event.YIELD)
                if entry.control is not None:
                    entry.control.stop()
        self._ask(
            Event.RETRY, {each.key for each in self.snapshot() if each.state is State.WAITING}
        )

    def pause_all(self) -> None:
        """Pause everything that is not finished."""
        self._ask(Event.PAUSE)

    def resume_all(self) -> None:
        """Let go on what was paused with all; when that is nothing, everything that is paused."""
        with self._roster.changing():
            together = {each.row.key for each in self._roster.choose(_is_paused_with_all)}
        self._ask(Event.RESUME, together or None)

    def cancel(self, *keys: int) -> None:
        """Remove transfers with what came of them so far; finished files stay."""
        wanted = frozenset(keys)
        self._remove(lambda entry: entry.row.key in wanted)

    def clear_finished(self) -> None:
        """Remove the finished ones from the list; their files stay."""
        self._remove(lambda entry: entry.row.state is State.DONE)

    def set_limit(self, bytes_per_second: int | None) -> None:
        """Limit the speed of all transfers together, at once and for good; None lifts it."""
        self.arrangement.set_limit(bytes_per_second)

    # What those who show it ask.

    @property
    def limit(self) -> int | None:
        """The speed limit, in bytes a second."""
        return self._bandwidth.limit

    @property
    def busy(self) -> bool:
        """Whether anything is running, or would run by itself."""
        return self._roster.busy

    def snapshot(self) -> list[Transfer]:
        """All transfers as they stand, in their order; cheap enough for ten times a second."""
        return self._roster.snapshot()

    def local_file(self, sha256: str) -> Path | None:
        """A finished download of these bytes that is still where it was put."""
        return self._roster.local_file(sha256)

    def local_digests(self) -> frozenset[str]:
        """The SHA-256 of everything downloaded here that was there at the last look."""
        return self._roster.local_digests()

    def look_for_files(self) -> None:
        """Look whether all that was downloaded still is where it was put; waits for the disk."""
        if self._roster.look_for_files():
            self._changed()

    def _add(self, rows: list[Row]) -> list[int]:
        for row in rows:
            row.library = self._client.library
        keys = self._roster.add(rows)
        self._ask(Event.RETRY, set(keys))  # what was in the list before, and came to nothing
        return keys

    def _ask(self, event: Event, keys: Collection[int] | None = None) -> None:
        """Something that the user wants of some transfers, or of all."""
        roster = self._roster
        with roster.changing():
            for entry in roster.choose(lambda entry: keys is None or entry.row.key in keys):
                before = entry.row.state
                if not roster.step(entry, event):
                    continue
                entry.row.with_all = event is Event.PAUSE and keys is None
                if before is State.BLOCKED:
                    roster.hold_no_longer()  # others may have stood back behind it
                if event is Event.RETRY:
                    entry.row.tries = entry.row.corrupt = entry.row.bad_replies = 0
                    roster.hold_no_longer()
                elif event is Event.PAUSE and entry.control is not None:
                    entry.control.stop()
        self._tell_first()

    def _remove(self, wanted: Callable[[Entry], bool]) -> None:
        with self._roster.changing():
            for entry in self._roster.choose(wanted):
                if entry.row.state is State.BLOCKED:
                    self._roster.hold_no_longer()
                self._roster.remove(entry)
                if entry.control is not None:
                    entry.control.stop()
        self._tell_first()

    def _tell_first(self) -> None:
        """Something was asked for: those who show it hear of it before the disk does."""
        self._changed()
        self._journal.soon(self._tell)

    def _tell(self) -> None:
        """Something has happened: it is on the disk before anybody hears of it."""
        if self._roster.write():
            self._changed()

    # The workers.

    def _work(self) -> None:
        self._prepare_worker()
        while (entry := self._roster.next()) is not None:
            try:
                self._handle(entry)
            except JournalError as error:
                # What could not be written goes with the next write.
                _logger.warning("%s", error)
                with self._roster.changing():
                    entry.next_at = time.monotonic() + LOOK_AGAIN
                    self._roster.step(entry, Event.BLOCK, str(error), error.code)
            except Exception:  # one transfer's fault must not end the others
                _logger.exception("The transfer of %s broke", entry.row.path)
                with self._roster.changing():
                    note = "Something went wrong inside Sonoteca; its log says what"
                    self._roster.step(entry, Event.FAIL, note)
            with self._roster.changing():
                self._roster.release(entry)

    def _handle(self, entry: Entry) -> None:
        try:
            if entry.row.removed:
                self._clear_up(entry)
            else:
                self._carrier.prepare(entry.row)
                self._finish(entry, self._carrier.carry(entry, self._begin(entry)))
        except StoppedError:
            pass
        except SonotecaError as error:
            self._fail(entry, error)
        self._tell()

    def _begin(self, entry: Entry) -> Control:
        roster = self._roster
        control = Control(
            self._bandwidth,
            progressed=entry.progressed,
            committed=partial(self._carrier.commit, entry),
            stepping=partial(self._step, entry),
        )
        with roster.changing():
            roster.step(entry, Event.DUE)  # it may have waited
            if roster.closed or entry.row.removed or not self._step_in(entry):
                raise StoppedError("stopped")
            entry.begin(control)
        self._tell()
        return control

    def _step_in(self, entry: Entry) -> bool:
        """Whether its run may begin; until the server is ready, what it said last still holds."""
        row = entry.row
        if not row.is_unmade:
            return self._roster.step(entry, Event.START)
        note = row.note if row.state is State.PREPARING else ""
        return self._roster.step(entry, Event.PREPARE, note, row.code if note else "")

    def _step(self, entry: Entry, event: Event) -> bool:
        with self._roster.changing():
            stepped = not entry.row.removed and self._roster.step(entry, event)
            if stepped and event is not Event.CHECK:
                entry.begin_phase()
        self._tell()
        return stepped

    def _finish(self, entry: Entry, outcome: Landed | Arrived) -> None:
        row = entry.row
        with self._roster.changing():
            row.durable, code = row.size, ""
            if isinstance(outcome, Arrived):
                row.sound_id, row.sha256 = outcome.sound.id, outcome.sound.sha256
            else:
                row.path, code = outcome.path, outcome.code
            self._roster.finish(entry, outcome.note, code)

    def _fail(self, entry: Entry, error: SonotecaError) -> None:
        row = entry.row
        verdict = judge(error, kind=row.kind, corrupt=row.corrupt, bad_replies=row.bad_replies)
        _logger.info("%s of %s: %s", row.kind, row.path, error)
        if not verdict.keep:
            self._carrier.begin_again(entry)
        with self._roster.changing():
            row.tries += verdict.event is Event.WAIT
            row.corrupt += verdict.event is Event.ANEW
            row.bad_replies += verdict.bad_reply
            delay = back_off(row.tries, self._chance) if verdict.delay is None else verdict.delay
            asked = time.monotonic() + verdict.at_least
            entry.next_at = max(time.monotonic() + delay, asked)
            if verdict.whole_server:
                self._roster.hold(entry.next_at, asked=asked)
                if self._roster.stand_back(entry, verdict.event, error.code):
                    return
            self._roster.step(entry, verdict.event, verdict.note, error.code)

    def _clear_up(self, entry: Entry) -> None:
        """A removed transfer takes with it what came of it so far, here or on the server."""
        self._roster.write()  # first: what is gone must not be asked for again after a kill
        if entry.row.state is State.DONE or self._carrier.give_up(entry.row):
            self._roster.forget(entry)
        else:
            # Its drive may not be plugged in now; the journal keeps the row for the next start.
            entry.next_at = math.inf


def _is_paused_with_all(entry: Entry) -> bool:
    return entry.row.state is State.PAUSED and entry.row.with_all


def _absolute(path: Path) -> Path:
    # Not resolve(): a link that the user named is the name that he knows.
    return Path(os.path.abspath(path))  # noqa: PTH100
