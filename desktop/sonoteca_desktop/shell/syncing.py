"""Brings this computer up to date: the copy of the catalogue, then what is kept on it for good."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass

from sonoteca_desktop.client import Client
from sonoteca_desktop.settings import Places
from sonoteca_desktop.shell import words
from sonoteca_desktop.shell.errand import follow
from sonoteca_desktop.shell.reports import Report
from sonoteca_desktop.sync.engine import catch_up
from sonoteca_desktop.sync.keeping import Keeper
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.plan import PathBlockedError
from sonoteca_desktop.transfers.queue import State, Transfer, TransferQueue


@dataclass(frozen=True, slots=True)
class Synced:
    """How many sounds the copy has and how many are kept here; what was to be fetched for that."""

    sounds: int
    kept: int
    transfers: list[Transfer]


def sync(client: Client, places: Places, report: Report, patience: float) -> Synced:
    """Take in all changes and fetch what is kept.

    The list of transfers is that of the window, which has to be closed. What the user put there is
    left as it is.
    """
    with contextlib.ExitStack() as stack:
        places.folder.mkdir(parents=True, exist_ok=True)
        journal = Journal(places.journal)
        stack.callback(journal.close)
        mirror = _up_to_date(client, places)
        stack.callback(mirror.close)
        queue = TransferQueue(journal, client, changed=_nothing)
        keeper = Keeper(mirror, journal, queue, places.kept, changed=_nothing, told=words.tell)
        keeper.step()
        transfers = _fetch(queue, report, patience)
        keeper.step()  # a revision is given up when the next one is here
        kept = sum(row.state is State.DONE for row in queue.kept.rows())
        return Synced(mirror.count(), kept, transfers)


def _up_to_date(client: Client, places: Places) -> Mirror:
    try:
        mirror = Mirror(places.mirror)
        catch_up(mirror, client)
    except sqlite3.Error as error:
        raise PathBlockedError(
            f"The copy of the library {places.mirror} cannot be written: {error}. Make room, or "
            "name another folder with --data"
        ) from error
    return mirror


def _fetch(queue: TransferQueue, report: Report, patience: float) -> list[Transfer]:
    keys = {each.key for each in queue.snapshot() if each.kept and each.state is not State.DONE}
    if not keys:
        return []
    queue.retry(*keys)  # what came to nothing the last time
    queue.start(kept_only=True)
    return follow(queue, keys, report, patience)


def _nothing() -> None:
    """Nobody waits for news: the transfers are looked at again and again."""
