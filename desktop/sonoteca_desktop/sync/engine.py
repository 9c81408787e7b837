"""Follows the server's feed of changes into the mirror, for as long as the program runs."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sonoteca_desktop.client import (
    Client,
    CursorExpiredError,
    ServerRefusedError,
    ServerUnreachableError,
)
from sonoteca_desktop.sync.collections import gather, gather_all
from sonoteca_desktop.sync.mirror import Gathered, Mirror
from sonoteca_shared.models import Change, ChangePage

POLL_S = 1.0
_LONGEST_WAIT_S = 8.0


@dataclass(frozen=True, slots=True)
class SyncState:
    """How the copy stands to its server.

    `reached` says whether the server answered, whatever it said, and is None until it is asked;
    `changed` says that the mirror has news, `replaced` that the library is another one than before.
    `sentence` is what keeps the copy from following, if anything does: the way to the server, its
    refusal or this computer's disk. Then `retry_at`, on the clock of `time.monotonic`, is when it
    is tried again.
    """

    reached: bool | None = None
    changed: bool = False
    replaced: bool = False
    sentence: str = ""
    retry_at: float | None = None


class SyncEngine:
    """A thread that asks for changes each second and tells a listener how it went.

    The listener is called in that thread, when the state changes or the mirror has news.
    """

    def __init__(
        self, mirror: Mirror, client: Client, listener: Callable[[SyncState], None]
    ) -> None:
        self._mirror = mirror
        self._client = client
        self._listener = listener
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def retry_now(self) -> None:
        """Ask at once instead of waiting."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread; returns when it has ended or hangs in a slow line."""
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=2)

    def _run(self) -> None:
        failures = 0
        told: SyncState | None = None
        while not self._stopping:
            self._wake.clear()
            state = self._step()
            wait = POLL_S
            if state.sentence:
                failures += 1
                wait = min(_LONGEST_WAIT_S, POLL_S * 2 ** (failures - 1))
                state = replace(state, retry_at=time.monotonic() + wait)
            else:
                failures = 0
            if (state != told or state.changed) and not self._stopping:
                self._listener(state)
                told = replace(state, changed=False, replaced=False)
            self._wake.wait(wait)

    def _step(self) -> SyncState:
        """Take in everything that is new."""
        changed, begun = False, self._mirror.begun
        try:
            for news in follow(self._mirror, self._client):
                changed = changed or news
                if self._stopping:
                    break
        except CursorExpiredError:
            self._mirror.reset()
            self._wake.set()
            return SyncState(reached=True, changed=True, replaced=True)
        except ServerUnreachableError as error:
            return SyncState(reached=False, changed=changed, sentence=str(error))
        except ServerRefusedError as error:
            return SyncState(reached=True, changed=changed, sentence=str(error))
        except sqlite3.Error as error:
            if self._mirror.begun != begun:  # it was damaged: all of it is fetched at once
                self._wake.set()
                return SyncState(reached=True, changed=True)
            sentence = f"The copy of the library on this computer cannot be written: {error}"
            return SyncState(reached=True, changed=changed, sentence=sentence)
        return SyncState(reached=True, changed=changed)


def follow(mirror: Mirror, client: Client) -> Iterator[bool]:
    """Take in page after page of changes, up to the last; of each, whether it had news."""
    more = True
    while more:
        begun = mirror.begun
        page = client.changes(mirror.cursor)
        if page.results or page.more or page.cursor != mirror.cursor:
            mirror.apply(page, _collections(mirror, client, page), begun=begun)
        more = page.more
        yield any(map(_is_shown, page.results))


def catch_up(mirror: Mirror, client: Client) -> None:
    """Take in everything that is new.

    From the beginning when the server has forgotten the rest, or the copy turns out to be damaged.
    """
    begun = mirror.begun
    try:
        list(follow(mirror, client))
    except CursorExpiredError:
        mirror.reset()
    except sqlite3.Error:
        if mirror.begun == begun:
            raise
    else:
        return
    list(follow(mirror, client))


def _collections(mirror: Mirror, client: Client, page: ChangePage) -> list[Gathered]:
    """The collections that a page tells of, as they are now: the feed has their ids alone."""
    if mirror.cursor is None:  # the first page is a snapshot, of sounds
        return gather_all(client)
    told = {each.id for each in page.results if each.type.startswith("collection.")}
    return gather(client, told)


def _is_shown(change: Change) -> bool:
    """Whether the window may look different now; what jobs do is not in it."""
    return not change.type.startswith("job.")
