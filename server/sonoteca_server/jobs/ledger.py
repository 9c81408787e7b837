"""How far the files of an archive are, as its job remembers it: what is promised, and what came."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from sqlalchemy import Connection

from sonoteca_server.jobs.outward import ExchangeError
from sonoteca_server.jobs.replies import Standing
from sonoteca_server.jobs.worker import Task
from sonoteca_server.library import archive_rows as rows
from sonoteca_shared.models import Progress

T = TypeVar("T")


class ArchiveTooLargeError(ExchangeError):
    """The files of an archive have more bytes than an archive may have."""

    code = "archive-too-large"
    lasting = True

    def __init__(self, most: int) -> None:
        super().__init__(f"with this file the archive has over {most} bytes (MAX_ARCHIVE_BYTES)")


class Ledger:
    """How far the files of one archive are, in the checkpoint of its job.

    A file is known by the place at which its URL stands first. One transaction at a time.
    """

    def __init__(self, task: Task, archive: str, *, files: int, settled: int, size: int) -> None:
        self.archive = archive
        # Places alone: all of this is written again and again, and a URL may have 4 KB.
        self.unproven: list[int] = task.checkpoint.get("unproven_places", [])
        self.keys: set[str] = {each["key"] for each in _files(task.checkpoint).values()}
        self._task = task
        self._entries = _files(task.checkpoint)
        self._under_way = {place: _standing(entry) for place, entry in self._entries.items()}
        self._files, self._settled, self._size = files, settled, size
        self._here = sum(each.offset for each in self._under_way.values())
        self._writing = asyncio.Lock()
        self._since = time.monotonic() - float(task.checkpoint.get("ran_s", 0.0))

    @property
    def ran_s(self) -> float:
        """For how many seconds the archive was worked at, by this process and those before it."""
        return time.monotonic() - self._since

    @property
    def progress(self) -> Progress:
        """How far all of it is; the total is known once every file has told its own."""
        standings = list(self._under_way.values())
        left = sum(each.total or 0 for each in standings)
        known = self._settled + len(standings) == self._files
        known = known and all(each.total is not None for each in standings)
        return Progress(
            files_done=self._settled,
            files_total=self._files,
            bytes_done=self._size + self._here,
            bytes_total=self._size + left if known else None,
        )

    def find(self, place: str) -> tuple[str, Standing]:
        """The part of a file and what is certain of it; ("", nothing) when there is none."""
        entry = self._entries.get(place)
        return (entry["key"], _standing(entry)) if entry else ("", Standing())

    def check(self, place: str, size: int, most: int) -> None:
        """ArchiveTooLargeError when all files have over `most` bytes with one of this size."""
        others = self._here - self._offset(place)
        if most and self._size + others + size > most:
            raise ArchiveTooLargeError(most)

    def note(self, place: str, standing: Standing) -> None:
        """A file has come so far, which is not certain yet."""
        self._here += standing.offset - self._offset(place)
        self._under_way[place] = standing

    async def promise(self, place: str, key: str, standing: Standing) -> None:
        """So much of a file is certain."""
        async with self._writing:
            entry = {"key": key} | asdict(standing)
            await self._write(lambda _connection: None, self._entries | {place: entry})

    async def settle(
        self, place: str, effect: Callable[[Connection], T], *, files: int, size: int
    ) -> T:
        """A URL is done with, one way or the other, together with what that means elsewhere."""
        async with self._writing:
            left = {key: entry for key, entry in self._entries.items() if key != place}
            result = await self._write(effect, left)
            self._here -= self._offset(place)
            self._under_way.pop(place, None)
            self._settled += files
            self._size += size
            return result

    async def tell(self) -> None:
        """Make the progress known; ArchiveEndedError or CancelledJobError when it is in vain."""
        async with self._writing:
            progress = self.progress

            def effect(connection: Connection) -> None:
                done, total = progress.bytes_done, progress.bytes_total
                rows.note_progress(connection, self.archive, done, total)

            # Without a checkpoint: what is not certain yet is nothing to go on from, and no reason
            # to forgive how often this job was lost.
            await self._write(effect)

    async def end(self, effect: Callable[[Connection], T]) -> T:
        """Nothing is under way any more."""
        async with self._writing:
            return await self._write(effect, {})

    def _offset(self, place: str) -> int:
        standing = self._under_way.get(place)
        return standing.offset if standing else 0

    async def _write(
        self, effect: Callable[[Connection], T], entries: dict[str, dict[str, Any]] | None = None
    ) -> T:
        checkpoint = None
        if entries is not None:
            checkpoint = {"files": entries, "unproven_places": self.unproven, "ran_s": self.ran_s}
        saving = asyncio.ensure_future(self._task.save_with(effect, checkpoint, self.progress))
        try:
            result = await asyncio.shield(saving)
        except asyncio.CancelledError:
            # It goes on anyway; what it comes to is nobody's any more, and must not come later.
            await asyncio.wait({saving})
            saving.exception()
            raise
        if entries is not None:
            self._entries = entries
        return result


def _files(checkpoint: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict(checkpoint.get("files", {}))


def _standing(entry: dict[str, Any]) -> Standing:
    return Standing(**{name: value for name, value in entry.items() if name != "key"})
