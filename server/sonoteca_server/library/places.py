"""Where a sound stands: the folder and name that it alone has there, or the next that are free.

Thousands of recordings may come under one name, as recorders and browsers send them: so neither
those that are free nor those with the same bytes are looked for one after the other.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Connection, Row, select

from sonoteca_server.catalog.constructs import Unindexed
from sonoteca_server.catalog.schema import sounds
from sonoteca_shared import names

_NUMBER = re.compile(r" \(([0-9]{1,9})\)")


def sound_at(
    connection: Connection, repository: int, folder: str, name: str
) -> Row[*tuple[Any, ...]] | None:
    """The sound that has this folder and name, if one has."""
    query = select(sounds).where(*_in(repository, folder), sounds.c.name == name)
    return connection.execute(query).first()


def sound_near(
    connection: Connection, repository: int, folder: str, name: str, content: int
) -> Row[*tuple[Any, ...]] | None:
    """The sound of these bytes that got this name with a number, if there is one."""
    # The bytes have few names, the folder may have many: SQLite would rather read the folder.
    here = (Unindexed(sounds.c.repository) == repository, Unindexed(sounds.c.folder) == folder)
    query = select(sounds).where(sounds.c.object == content, sounds.c.trashed.is_(None), *here)
    for row in connection.execute(query.order_by(sounds.c.seq)):
        found = _NUMBER.findall(row.name)
        if found and names.numbered(name, int(found[-1])) == row.name:
            return row
    return None


def free_name(connection: Connection, repository: int, folder: str, name: str) -> str:
    """The name, or where another sound has it, the name with a number."""
    if sound_at(connection, repository, folder, name) is None:
        return name
    taken, free = 1, 2
    while _is_taken(connection, repository, folder, names.numbered(name, free)):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        if _is_taken(connection, repository, folder, names.numbered(name, middle)):
            taken = middle
        else:
            free = middle
    return names.numbered(name, free)


def _is_taken(connection: Connection, repository: int, folder: str, name: str) -> bool:
    query = select(sounds.c.seq).where(*_in(repository, folder), sounds.c.name == name)
    return connection.execute(query).first() is not None


def _in(repository: int, folder: str) -> tuple[Any, ...]:
    return (
        sounds.c.repository == repository,
        sounds.c.folder == folder,
        sounds.c.trashed.is_(None),
    )
