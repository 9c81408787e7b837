"""Keeps what was pinned on this computer: fetched in the background, as the library changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path

from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.transfers.journal import Journal, Pin, Row
from sonoteca_desktop.transfers.plan import PathBlockedError
from sonoteca_desktop.transfers.queue import State, TransferQueue
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound
from sonoteca_shared.query import parse

__all__ = ["Keeper", "Pin"]  # what those who show it need

_logger = logging.getLogger(__name__)

_REST_S = 0.2

Wanted = dict[str, tuple[Sound, Pin]]


class Keeper:
    """Looks in a thread of its own what the pins ask for, and has the queue fetch what is missing.

    `changed` is called, from any thread, when other pins are kept, or other sounds for them;
    `told` with a sentence that the user should read.
    """

    def __init__(
        self,
        mirror: Mirror,
        journal: Journal,
        queue: TransferQueue,
        folder: Path,
        *,
        changed: Callable[[], None],
        told: Callable[[str], None],
    ) -> None:
        self._mirror = mirror
        self._journal = journal
        self._queue = queue
        self._folder = folder
        self._changed = changed
        self._told = told
        self._lock = threading.Lock()
        self._pins = frozenset(journal.pins(queue.server))
        self._freed: dict[str, Sound] = {}
        self._digests: frozenset[str] = frozenset(row.sha256 for row in queue.kept.rows())
        self._wanted: Wanted = {}
        # What goes as soon as a file with these bytes, the revision after it, is here.
        self._replaced: dict[str, set[int]] = {}
        self._come: set[str] = set()
        self._stale = True
        self._thorough = True
        self._said = ""
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeping", daemon=True)

    @property
    def pins(self) -> frozenset[Pin]:
        """What the user pinned."""
        return self._pins

    @property
    def digests(self) -> frozenset[str]:
        """The SHA-256 of all that is kept here, or is to be."""
        return self._digests

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()
        self.look()

    def look(self) -> None:
        """Look again soon: the library or the pins have changed."""
        self._stale = self._thorough = True
        self._wake.set()

    def look_at_files(self) -> None:
        """Look again soon whether every file is still here; what is wanted has not changed."""
        self._thorough = True
        self._wake.set()

    def note_arrival(self, sha256: str) -> None:
        """A file with these bytes has come: what it replaces goes soon."""
        with self._lock:
            self._come.add(sha256)
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def pin(self, pins: Collection[Pin]) -> None:
        """Keep these from now on, over restarts too."""
        with self._lock:
            self._journal.soon(partial(self._journal.pin, self._queue.server, pins))
            self._pins |= frozenset(pins)
            self._stale = True
        self._changed()
        self.look()

    def free(self, pins: Collection[Pin], sounds: Iterable[Sound] = ()) -> None:
        """Keep these no longer, and give their room back; of sounds, what was kept of them."""
        with self._lock:
            self._journal.soon(partial(self._journal.unpin, self._queue.server, pins))
            self._pins -= frozenset(pins)
            self._freed |= {sound.sha256: sound for sound in sounds}
            self._stale = True
        self._changed()
        self.look()

    def step(self) -> None:
        """Look once, in the calling thread: free, fetch and note what is to be."""
        with self._lock:
            pins, freed, stale = self._pins, dict(self._freed), self._stale
            self._stale = False
        if stale:
            self._wanted = self._ask(pins)
        wanted, queue = self._wanted, self._queue
        over, self._replaced = [], {}
        for row in queue.kept.rows():
            if self._is_over(row, pins, freed):
                over.append(row)
            elif (revision := self._revision_after(row)) is not None:
                self._replaced.setdefault(revision.sha256, set()).add(row.key)
        if over:
            self._give_up(over)
        with self._lock:
            self._freed = {key: one for key, one in self._freed.items() if key not in freed}
        self._explain(freed)
        self._hand_on(pins)
        kept = {row.sha256 for row in queue.kept.rows()}
        missing = wanted.keys() - kept - queue.local_digests()
        if missing:
            self._folder.mkdir(parents=True, exist_ok=True)
            queue.kept.fetch([wanted[each] for each in wanted if each in missing], self._folder)
        self._note(frozenset(wanted) | kept)

    def replace(self) -> None:
        """Free, in the calling thread, what the files that came meanwhile replace."""
        with self._lock:
            come, self._come = self._come, set()
        keys = {
            key
            for digest in come & self._replaced.keys()
            if self._queue.local_file(digest) is not None
            for key in self._replaced.pop(digest)
        }
        if keys:
            self._give_up([row for row in self._queue.kept.rows() if row.key in keys])
            self._note(frozenset(self._wanted) | {row.sha256 for row in self._queue.kept.rows()})

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._ending.is_set():
                return
            thorough, self._thorough = self._thorough, False
            try:
                self.replace()
                if thorough:
                    self.step()
            except SonotecaError as error:
                self._tell(str(error))
            except OSError as error:
                self._tell(f"Nothing can be kept in {self._folder}: {error.strerror}.")
            except Exception:  # what is kept must not end with one fault
                _logger.exception("what is kept on this computer could not be looked through")
            self._ending.wait(_REST_S)

    def _give_up(self, rows: list[Row]) -> None:
        """Remove files; one that cannot be removed is told of, and tried again at the next look."""
        try:
            self._queue.kept.free(rows)
        except PathBlockedError as error:
            self._tell(str(error))

    def _tell(self, sentence: str) -> None:
        if sentence != self._said:
            self._said = sentence
            self._told(sentence)

    def _ask(self, pins: Collection[Pin]) -> Wanted:
        """What the pins ask for now, by digest, each with one of its pins."""
        wanted: Wanted = {}
        for pin in sorted(pins):
            for sound in self._sounds(pin):
                wanted.setdefault(sound.sha256, (sound, pin))
        return wanted

    def _sounds(self, pin: Pin) -> list[Sound]:
        if pin.kind == "sound":
            found = self._mirror.find(pin.value)
            return [found] if found is not None else []
        keys = self._mirror.keys(parse(pin.value).tree)
        return [sound for sound in self._mirror.sounds(keys) if sound is not None]

    def _is_over(self, row: Row, pins: frozenset[Pin], freed: Collection[str]) -> bool:
        """Whether a file of ours is to go: freed, replaced by a new revision, or missing."""
        if row.sha256 in self._wanted:
            return row.state is State.DONE and self._queue.local_file(row.sha256) is None
        if row.sha256 in freed or row.kept not in {pin.key for pin in pins}:
            return True
        revision = self._revision_after(row)
        return revision is not None and self._queue.local_file(revision.sha256) is not None

    def _revision_after(self, row: Row) -> Sound | None:
        """What is wanted in place of a file: what no longer matches stays, old revisions do not."""
        if row.sha256 in self._wanted:
            return None
        now = self._mirror.find(row.sound_id)
        newer = now is not None and now.sha256 != row.sha256 and now.sha256 in self._wanted
        return now if newer else None

    def _hand_on(self, pins: frozenset[Pin]) -> None:
        """What was fetched for a pin that is gone may be wanted for another one."""
        keys = {pin.key for pin in pins}
        others = {
            row.key: self._wanted[row.sha256][1]
            for row in self._queue.kept.rows()
            if row.kept not in keys and row.sha256 in self._wanted
        }
        if others:
            self._queue.kept.reassign(others)

    def _explain(self, freed: dict[str, Sound]) -> None:
        """Say why what was to be freed is still here."""
        for digest, sound in freed.items():
            if digest in self._wanted:
                pin = self._wanted[digest][1]
                what = f"all of “{pin.value}” is" if pin.kind == "search" else "the same bytes are"
                self._told(f"“{sound.name}” stays: {what} kept on this computer.")
                return

    def _note(self, digests: frozenset[str]) -> None:
        if digests != self._digests:
            self._digests = digests
            self._changed()
