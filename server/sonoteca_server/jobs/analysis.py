"""Waveform overviews of new sounds, computed one at a time in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection, select

from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.catalog.schema import objects, sounds
from sonoteca_server.library.sounds import with_peaks
from sonoteca_server.storage.local import LocalBlobs, Part
from sonoteca_shared.errors import NoSpaceError, SonotecaError
from sonoteca_shared.models import Finding, Sound

_TRIES = 2
_SECONDS = 60.0
_SECONDS_PER_BYTE = 1 / (4 << 20)
_SHARE = 16
_PAUSE_S = 30.0  # after what is not the sound's fault, such as a full disk

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Pending:
    seq: int
    blob: str
    size: int
    tries: int


class Analysis:
    """Follows the catalogue and computes what new objects lack; `wake` tells it to look."""

    def __init__(self, catalog: Catalog, blobs: LocalBlobs) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._news = asyncio.Event()
        self._process: Process | None = None
        self._given_up: set[int] = set()

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled; the decoding process goes with it."""
        try:
            while True:
                self._news.clear()
                try:
                    await self._work_off()
                    await self._news.wait()
                except NoSpaceError as error:
                    log.warning("waveforms wait: %s", error)
                    await asyncio.sleep(_PAUSE_S)
                except Exception:
                    log.exception("waveforms wait")
                    await asyncio.sleep(_PAUSE_S)
        finally:
            await self._end_process()

    async def _work_off(self) -> None:
        while (pending := await self._catalog.read(_next, self._given_up)) is not None:
            try:
                await self._analyse(pending)
            except (NoSpaceError, OSError):  # not the fault of this sound
                raise
            except Exception:
                # Not tried again before the next start: others must not wait for it.
                log.exception("no waveform for blob %s", pending.blob)
                self._given_up.add(pending.seq)

    async def _analyse(self, pending: _Pending) -> None:
        # What is kept for bad times is not for waveforms; theirs is a small part of the sound.
        await asyncio.to_thread(self._blobs.check_room, pending.size // _SHARE, least=0)
        # Not in a thread: a cancelled wait for it would leave the part behind.
        part = self._blobs.begin()
        try:
            source = self._blobs.path(pending.blob)
            error = await self._decode(source, part, _SECONDS + pending.size * _SECONDS_PER_BYTE)
            if error is None:
                await self._store(part, pending)
            else:
                log.warning("no waveform for blob %s: %s", pending.blob, error)
                await self._catalog.write(_note_failure, pending.seq)
        finally:
            await asyncio.to_thread(part.discard)

    async def _store(self, part: Part, pending: _Pending) -> None:
        key = await asyncio.to_thread(self._blobs.keep, part)
        try:
            await self._catalog.write(_note_ready, pending.seq, key)
        except SonotecaError:  # as when a sound comes in: only then is it sure that no row names it
            await asyncio.to_thread(self._blobs.discard, key)
            raise

    async def _decode(self, source: Path, part: Part, seconds: float) -> str | None:
        """What went wrong, or None when the peaks are in the part."""
        process = await self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        task = {"source": str(source), "target": str(part.path)}
        try:
            async with asyncio.timeout(seconds):
                process.stdin.write(msgspec.json.encode(task) + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        except TimeoutError:
            await self._end_process()
            return f"decoding took longer than {seconds:.0f} s"
        except OSError:
            line = b""
        if not line:
            await self._end_process()
            return "the decoder crashed"
        answer = msgspec.json.decode(line)
        if answer["full"]:
            raise NoSpaceError
        error: str | None = answer["error"]
        return error

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sonoteca_server.jobs.decoder", stdin=PIPE, stdout=PIPE
            )
        return self._process

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _next(connection: Connection, given_up: set[int]) -> _Pending | None:
    """The newest object that waits: what was just dropped is what people look at."""
    columns = (objects.c.seq, objects.c.blob, objects.c.size, objects.c.peaks_tries)
    query = select(*columns).where(
        objects.c.peaks_state == "pending", objects.c.seq.not_in(given_up)
    )
    row = connection.execute(query.order_by(objects.c.peaks_tries, objects.c.seq.desc())).first()
    return _Pending(*row) if row is not None else None


def _note_ready(connection: Connection, seq: int, blob: str) -> None:
    values = {"peaks_state": "ready", "peaks_blob": blob}
    connection.execute(objects.update().where(objects.c.seq == seq).values(values))
    _rewrite(connection, seq, with_peaks)


def _note_failure(connection: Connection, seq: int) -> None:
    """A try is used up; after the last one the sound says so itself."""
    made = connection.execute(
        objects.update()
        .where(objects.c.seq == seq)
        .values(peaks_tries=objects.c.peaks_tries + 1)
        .returning(objects.c.peaks_tries)
    ).scalar_one()
    if made >= _TRIES:
        values = {"peaks_state": "failed"}
        connection.execute(objects.update().where(objects.c.seq == seq).values(values))
        _rewrite(connection, seq, _with_failure)


def _with_failure(sound: Sound) -> Sound:
    finding = Finding(code="analysis.failed", severity="warning")
    return msgspec.structs.replace(sound, findings=(*sound.findings, finding))


def _rewrite(connection: Connection, content: int, change: Callable[[Sound], Sound]) -> None:
    """Change the documents of all sounds of an object, each a change in the feed."""
    now = feed.timestamp(datetime.now(UTC))
    rows = connection.execute(select(sounds).where(sounds.c.object == content)).all()
    for row in rows:
        sound = change(msgspec.json.decode(row.doc, type=Sound))
        seq = feed.append(connection, "sound.changed", sound.id, sound.rev, now)
        values = {"doc": msgspec.json.encode(sound).decode(), "changed": seq}
        connection.execute(sounds.update().where(sounds.c.seq == row.seq).values(values))
