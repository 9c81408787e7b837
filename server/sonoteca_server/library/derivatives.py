"""What objects were converted to, as the catalogue knows it: functions on a connection.

Copies can be made again, so there is a bound to what all of them take, and whatever is over it goes
with the same transaction that adds another.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from sonoteca_server.catalog.conversions import derivatives
from sonoteca_server.catalog.schema import objects
from sonoteca_server.library.unused import UNUSED_BLOB, note_unused

KEEP_S = 30 * 86_400.0
"""So long a derivative is kept that nobody asks for."""
BUDGET = 32 << 30
"""So many bytes all of them have; what was asked for longest ago goes first."""
SHARE = 10
"""They never have more than this part of what the disk would have free without them."""
MOST = 10_000
"""So many there are: each is a file and a row as well, however small."""
REGION = "region "
"""What the recipes of parts of sounds begin with."""
REGION_BUDGET = 1 << 30
"""So many bytes those have of it: there are as many of them as there are moments."""
# To note each use would make every listening a write.
_NOTED_EVERY_S = 3_600.0
_EACH = derivatives.c.seq.is_not(None)
_OF_REGIONS = derivatives.c.recipe.startswith(REGION)


@dataclass(frozen=True, slots=True)
class Derivative:
    """A converted copy of an object: the blob that it is, and when it was last asked for."""

    blob: str
    size: int
    used: float

    def is_stale(self, now: float) -> bool:
        """Whether it is time to note that it was asked for again."""
        return now - self.used > _NOTED_EVERY_S


def find_derivative(connection: Connection, blob: str, recipe: str) -> Derivative | None:
    """What the object with this blob became by this recipe, if it is kept."""
    query = (
        select(derivatives.c.blob, derivatives.c.size, derivatives.c.used)
        .join(objects, objects.c.seq == derivatives.c.object)
        .where(objects.c.blob == blob, derivatives.c.recipe == recipe)
    )
    row = connection.execute(query).first()
    return Derivative(row.blob, row.size, row.used) if row is not None else None


def add_derivative(
    connection: Connection, blob: str, recipe: str, made: Derivative, room: int
) -> tuple[Derivative | None, list[str]]:
    """Note a new one: the one that is kept now, as another may have been quicker, and what goes.

    `room` bytes are free beside all of them. None when its object is gone.
    """
    present = find_derivative(connection, blob, recipe)
    if present is not None:
        return present, []
    content = connection.execute(select(objects.c.seq).where(objects.c.blob == blob)).scalar()
    if content is None:
        return None, []
    values = {"object": content, "recipe": recipe, "blob": made.blob, "size": made.size}
    connection.execute(derivatives.insert(), values | {"used": made.used})
    return made, expire_derivatives(connection, made.used, room, spare=made.blob)


def note_use(connection: Connection, blob: str, now: float) -> None:
    """It was asked for."""
    update = derivatives.update().where(derivatives.c.blob == blob)
    connection.execute(update.values(used=now))


def forget_derivative(connection: Connection, blob: str) -> None:
    """Its blob is not there or not whole, so it has to be made anew."""
    connection.execute(derivatives.delete().where(derivatives.c.blob == blob))


def expire_derivatives(
    connection: Connection, now: float, room: int, *, spare: str = ""
) -> list[str]:
    """Forget what nobody has asked for in a while, and what is too much, but for one to `spare`.

    The blobs to drop. `room` bytes are free beside all derivatives.
    """
    old = derivatives.delete().where(derivatives.c.used < now - KEEP_S)
    gone = list(connection.execute(old.returning(derivatives.c.blob)).scalars())
    gone += _forget_oldest(connection, _OF_REGIONS, REGION_BUDGET, spare)
    budget = min(BUDGET, (room + _taken(connection, _EACH)[1]) // SHARE)
    gone += _forget_oldest(connection, _EACH, budget, spare)
    _note(connection, gone, now)
    return gone


def give_way(connection: Connection, missing: int, now: float) -> list[str]:
    """Forget so many bytes of derivatives, or none when that is not enough; the blobs to drop."""
    taken = _taken(connection, _EACH)[1]
    if not 0 < missing <= taken:
        return []
    gone = _forget_oldest(connection, _EACH, taken - missing)
    _note(connection, gone, now)
    return gone


def _taken(connection: Connection, which: ColumnElement[bool]) -> tuple[int, int]:
    """How many there are of these, and how many bytes."""
    size = func.coalesce(func.sum(derivatives.c.size), 0)
    row = connection.execute(select(func.count(), size).where(which)).one()
    return int(row[0]), int(row[1])


def _forget_oldest(
    connection: Connection, which: ColumnElement[bool], budget: int, spare: str = ""
) -> list[str]:
    count, total = _taken(connection, which)
    if count <= MOST and total <= budget:
        return []
    columns = (derivatives.c.blob, derivatives.c.size)
    query = select(*columns).where(which, derivatives.c.blob != spare).order_by(derivatives.c.used)
    gone: list[str] = []
    for row in connection.execute(query).all():
        if count <= MOST and total <= budget:
            break
        count, total = count - 1, total - row.size
        gone.append(row.blob)
        forget_derivative(connection, row.blob)
    return gone


def _note(connection: Connection, gone: list[str], now: float) -> None:
    # Should the server be killed before it drops them, upkeep does.
    if gone:
        note_unused(connection, [f"{UNUSED_BLOB}{blob}" for blob in gone], now)
