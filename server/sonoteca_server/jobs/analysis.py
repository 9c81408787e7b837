"""Waveforms and loudness of sounds: new ones first, then what was there before we could measure.

Every server of a catalogue does this, each one object at a time, decoded in a process of its own.
The rows of the objects say what is to be done and who does it (`library/analysis_rows.py`), so a
server that is killed leaves nothing but a lease that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from sonoteca_server.catalog import Catalog
from sonoteca_server.jobs.decoding import Decoder, Task, UndecodableError
from sonoteca_server.library import analysis_rows as rows
from sonoteca_server.library.analysis_rows import LostError, Wanted
from sonoteca_server.storage.local import LocalBlobs, Part
from sonoteca_shared.errors import NoSpaceError, SonotecaError
from sonoteca_shared.ids import new_id
from sonoteca_shared.models import Loudness

_SHARE = 16
_PAUSE_S = 30.0  # after what is not the sound's fault, such as a full disk
_LOOK_S = 5.0  # other servers take sounds in, and leave some behind when they are killed

log = logging.getLogger(__name__)


class Analysis:
    """Follows the catalogue and computes what objects lack; `wake` tells it to look at once.

    `place` begins the name by which the rows know it: there is one of that place at a time.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: LocalBlobs,
        *,
        decoder: Decoder | None = None,
        place: str = "server",
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._decoder = decoder or Decoder()
        self._place = place
        self._owner = f"{place}/{new_id()}"
        self._news = asyncio.Event()
        self._given_up: set[int] = set()

    def wake(self) -> None:
        """There may be something to do."""
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled; the decoding process goes with it."""
        begun = False
        try:
            while True:
                self._news.clear()
                try:
                    if not begun:  # what the one before us had is left when it was killed
                        await self._catalog.write(rows.free, self._place)
                        begun = True
                    await self._work_off()
                    await self._wait_for_news()
                except NoSpaceError as error:
                    log.warning("waveforms wait: %s", error)
                    await asyncio.sleep(_PAUSE_S)
                except Exception:
                    log.exception("waveforms wait")
                    await asyncio.sleep(_PAUSE_S)
        finally:
            await self._decoder.end()
            await self._catalog.write(rows.hand_back, self._owner)

    async def _wait_for_news(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await self._news.wait()

    async def _work_off(self) -> None:
        while (wanted := await self._claim()) is not None:
            try:
                await self._analyse(wanted)
            except (NoSpaceError, OSError):  # not the fault of this sound
                raise
            except LostError as error:
                log.warning("blob %s: %s", wanted.blob, error)
            except Exception:
                # Not tried again before the next start: others must not wait for it.
                log.exception("no waveform for blob %s", wanted.blob)
                self._given_up.add(wanted.seq)

    async def _claim(self) -> Wanted | None:
        if not await self._catalog.read(rows.is_any, self._given_up):
            return None
        claiming = asyncio.create_task(self._catalog.write(rows.claim, self._owner, self._given_up))
        try:
            return await asyncio.shield(claiming)
        finally:
            # Not cut short: what it has claimed by then must be handed back.
            await asyncio.wait({claiming})

    async def _analyse(self, wanted: Wanted) -> None:
        if not wanted.peaks:
            await self._measure(wanted, None)
            return
        # What is kept for bad times is not for waveforms; theirs is a small part of the sound.
        await asyncio.to_thread(self._blobs.check_room, wanted.size // _SHARE, least=0)
        # Not in a thread: a cancelled wait for it would leave the part behind.
        part = self._blobs.begin()
        try:
            await self._measure(wanted, part)
        finally:
            await asyncio.to_thread(part.discard)

    async def _measure(self, wanted: Wanted, part: Part | None) -> None:
        task = Task(str(self._blobs.path(wanted.blob)), str(part.path) if part else None)
        try:
            loudness = await self._while_ours(wanted, task)
        except UndecodableError as error:
            log.warning("no waveform for blob %s: %s", wanted.blob, error)
            await self._catalog.write(rows.note_failure, wanted.seq, self._owner)
        else:
            await self._store(wanted, loudness, part)

    async def _while_ours(self, wanted: Wanted, task: Task) -> Loudness:
        """Have it decoded, and say meanwhile that somebody does."""
        decoding = asyncio.create_task(self._decoder.measure(task, wanted.size))
        try:
            while not (await asyncio.wait({decoding}, timeout=rows.LEASE_S / 3))[0]:
                await self._catalog.write(rows.renew, wanted.seq, self._owner)
            return decoding.result()
        finally:
            decoding.cancel()
            await asyncio.wait({decoding})

    async def _store(self, wanted: Wanted, loudness: Loudness, part: Part | None) -> None:
        key = await asyncio.to_thread(self._blobs.keep, part) if part else None
        try:
            await self._catalog.write(rows.note_ready, wanted.seq, self._owner, loudness, key)
        except (SonotecaError, LostError):
            # As when a sound comes in: only then is it sure that no row names it.
            if key is not None:
                await asyncio.to_thread(self._blobs.discard, key)
            raise
