"""Sounds of the library in other formats: made when first asked for, and kept for a while."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sonoteca_server.catalog import Catalog
from sonoteca_server.jobs.conversion import Conversions
from sonoteca_server.jobs.encoding import VERSION
from sonoteca_server.jobs.sources import examine
from sonoteca_server.library.derivatives import (
    REGION,
    Derivative,
    add_derivative,
    find_derivative,
    forget_derivative,
    give_way,
    note_use,
)
from sonoteca_server.library.sounds import Content
from sonoteca_server.storage import BlobDamagedError
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.errors import NotFoundError, SonotecaError
from sonoteca_shared.recipes import Recipe


@dataclass(slots=True)
class _Making:
    """A conversion under way, and how many wait for it."""

    task: asyncio.Task[Derivative]
    waiting: int = field(default=0)


class Derivatives:
    """Finds or makes what a sound is in another format; nothing is made twice at a time.

    `room` says how many bytes the disk has free for more. What is kept may go at any time.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: LocalBlobs,
        conversions: Conversions,
        room: Callable[[], int],
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._conversions = conversions
        self._room = room
        self._making: dict[tuple[str, str], _Making] = {}

    async def recipe_text(self, recipe: Recipe) -> str:
        """All that the result follows from beside the sound: recipe, code and encoder."""
        found = await self._conversions.ffmpeg()
        written = msgspec.json.encode(recipe, order="sorted").decode()
        kind = REGION if recipe.start or recipe.end is not None else "conversion "
        return f"{kind}{VERSION} {found.version} {written}"

    async def get(self, content: Content, recipe: Recipe) -> Derivative:
        """The sound by this recipe; whoever comes while it is made waits for the same.

        Errors as those of `Conversions.convert`. When the last who waits is cancelled, so is
        the conversion.
        """
        text = await self.recipe_text(recipe)
        kept = await self._catalog.glance(find_derivative, content.blob, text)
        if kept is not None:
            if kept.is_stale(time.time()):
                await self._catalog.write(note_use, kept.blob, time.time())
            return kept
        return await self._wait_for(content, recipe, text)

    async def lose(self, made: Derivative) -> None:
        """Its blob cannot be sent: have it made anew when it is asked for again."""
        await self._catalog.write(forget_derivative, made.blob)

    async def give_way(self, missing: int) -> bool:
        """Drop so many bytes of copies, for what cannot be made again; whether that helped."""
        gone = await self._catalog.write(give_way, missing, time.time())
        await asyncio.to_thread(self._discard, gone)
        return bool(gone)

    def _discard(self, keys: list[str]) -> None:
        # Who is being sent one has it open, and gets all of it.
        for key in keys:
            self._blobs.discard(key)

    async def _wait_for(self, content: Content, recipe: Recipe, text: str) -> Derivative:
        key = (content.blob, text)
        making = self._making.get(key)
        if making is None:
            self._conversions.check_queue()
            task = asyncio.create_task(self._make(content, recipe, text))
            making = self._making[key] = _Making(task)
        making.waiting += 1
        try:
            return await asyncio.shield(making.task)
        finally:
            making.waiting -= 1
            if making.task.done() or not making.waiting:
                # Whoever comes from now on finds it in the catalogue, or begins anew.
                making.task.cancel()
                if self._making.get(key) is making:
                    del self._making[key]

    async def _make(self, content: Content, recipe: Recipe, text: str) -> Derivative:
        # Not in a thread: a cancelled wait for it would leave the part behind.
        part = self._blobs.begin()
        try:
            await self._convert(content, recipe, part.path)
            size = part.path.stat().st_size
            key = await asyncio.to_thread(self._blobs.keep, part)
        finally:
            part.discard()
        made = Derivative(key, size, time.time())
        try:
            room = await asyncio.to_thread(self._room)
            kept, gone = await self._catalog.write(add_derivative, content.blob, text, made, room)
        except SonotecaError:  # only then is it sure that no row names it
            await asyncio.to_thread(self._blobs.discard, key)
            raise
        if kept is not made:
            gone = [*gone, key]
        await asyncio.to_thread(self._discard, gone)
        if kept is None:
            raise NotFoundError("the sound was removed while it was converted")
        return kept

    async def _convert(self, content: Content, recipe: Recipe, path: Path) -> None:
        blob = await asyncio.to_thread(self._blobs.open, content.blob)
        with contextlib.closing(blob), path.open("wb") as target:
            if blob.size != content.size:
                raise BlobDamagedError(content.blob, f"has {blob.size} bytes")
            source = await asyncio.to_thread(examine, blob.descriptor, as_is=True)
            await self._conversions.convert(source, recipe, target.fileno())
