"""Layouts of archives, kept for whoever comes for the next range."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sonoteca_server.library.zips import Zip

# So many archives, of so many files together: of each a layout has a hundred bytes and its name.
_MOST = 256
_MOST_FILES = 300_000


@dataclass(slots=True)
class _Layout:
    """A layout, or its making; `files` is 0 until it is made."""

    making: asyncio.Task[Zip]
    files: int = 0


class Layouts:
    """The layouts that were asked for last, by the hashes of their archives; the latest stays."""

    def __init__(self, lay_out: Callable[[str], Coroutine[Any, Any, Zip]]) -> None:
        self._lay_out = lay_out
        self._kept: OrderedDict[str, _Layout] = OrderedDict()
        self._files = 0

    async def get(self, archive_hash: str) -> Zip:
        """The layout of an archive, made once for all who ask meanwhile."""
        layout = self._kept.get(archive_hash)
        if layout is None:
            layout = _Layout(asyncio.create_task(self._lay_out(archive_hash)))
            self._kept[archive_hash] = layout
        try:
            zipped = await asyncio.shield(layout.making)
        except BaseException:
            self.forget(archive_hash)
            raise
        if self._kept.get(archive_hash) is layout:
            self._files += len(zipped) - layout.files
            layout.files = len(zipped)
            self._kept.move_to_end(archive_hash)
            self._keep_few()
        return zipped

    def hashes(self) -> list[str]:
        """The archives whose layouts are kept."""
        return list(self._kept)

    def forget(self, *hashes: str) -> None:
        """Lay these archives out anew next time."""
        for each in hashes:
            layout = self._kept.pop(each, None)
            self._files -= layout.files if layout is not None else 0

    def _keep_few(self) -> None:
        while len(self._kept) > 1 and (len(self._kept) > _MOST or self._files > _MOST_FILES):
            self.forget(next(iter(self._kept)))
