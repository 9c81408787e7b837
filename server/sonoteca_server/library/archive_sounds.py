"""Archives of our own sounds: noted in several transactions, so that nobody waits long to write.

Until the last one nobody knows the hash of such an archive. What a crash leaves of it expires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from sonoteca_server.catalog.schema import archive_members as members
from sonoteca_server.catalog.schema import objects
from sonoteca_server.library.archive_rows import FAILED, MANIFEST, READY
from sonoteca_server.library.choices import Choice
from sonoteca_shared.entry_names import entry_name, unique_entries

WITHIN_S = 3_600.0
"""An archive of sounds that is not whole by then never will be: its server was killed."""


class ObjectGoneError(Exception):
    """An object was dropped after it had been chosen: choose anew."""


@dataclass(frozen=True, slots=True)
class Members:
    """All that an archive is to have, each sound with a name of its own; `held` ones are kept."""

    choice: Choice
    names: Sequence[str]
    held: bool

    def __len__(self) -> int:
        return len(self.choice.sounds) + len(self.choice.missing)

    def rows(self, start: int, end: int) -> list[dict[str, Any]]:
        """Those with these positions, as the catalogue has them."""
        return [self._row(position) for position in range(start, min(end, len(self)))]

    def _row(self, position: int) -> dict[str, Any]:
        row: dict[str, Any] = {"position": position, "url": None, "code": None, "detail": None}
        sounds = self.choice.sounds
        if position >= len(sounds):
            error = self.choice.missing[position - len(sounds)]
            row |= {"state": FAILED, "object": None, "name": ""}
            row |= msgspec.to_builtins(error)
            return row
        held = sounds[position].object if self.held else None
        return row | {"state": READY, "object": held, "name": self.names[position]}


def members_of(choice: Choice, *, held: bool) -> Members:
    """What an archive of this choice is to have; takes seconds for a large one."""
    wanted = (entry_name(each.folder, each.name) for each in choice.sounds)
    return Members(choice, list(unique_entries(wanted, [MANIFEST] if choice.missing else ())), held)


def add_members(connection: Connection, archive: int, some: Sequence[dict[str, Any]]) -> None:
    """Note some members of an archive; ObjectGoneError when there is nothing to hold any more."""
    wanted = {each["object"] for each in some} - {None}
    there = select(objects.c.seq).where(objects.c.seq.in_(wanted))
    if wanted - set(connection.execute(there).scalars()):
        raise ObjectGoneError
    connection.execute(members.insert(), [each | {"archive": archive} for each in some])
