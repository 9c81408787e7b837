"""What objects were converted to, as the catalogue knows it: functions on a connection."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from sonoteca_server.catalog.conversions import derivatives
from sonoteca_server.catalog.schema import objects
from sonoteca_server.library.unused import UNUSED_BLOB, note_unused

KEEP_S = 30 * 86_400.0
"""So long a derivative is kept that nobody asks for."""
BUDGET = 32 << 30
"""So many bytes all of them have; what was asked for longest ago goes first."""
# To note each use would make every listening a write.
_NOTED_EVERY_S = 3_600.0


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
    connection: Connection, blob: str, recipe: str, made: Derivative
) -> Derivative | None:
    """Note a new one: the one that is kept now, as another may have been quicker.

    None when its object is gone.
    """
    present = find_derivative(connection, blob, recipe)
    if present is not None:
        return present
    content = connection.execute(select(objects.c.seq).where(objects.c.blob == blob)).scalar()
    if content is None:
        return None
    values = {"object": content, "recipe": recipe, "blob": made.blob, "size": made.size}
    connection.execute(derivatives.insert(), values | {"used": made.used})
    return made


def note_use(connection: Connection, blob: str, now: float) -> None:
    """It was asked for."""
    update = derivatives.update().where(derivatives.c.blob == blob)
    connection.execute(update.values(used=now))


def forget_derivative(connection: Connection, blob: str) -> None:
    """Its blob is not there or not whole, so it has to be made anew."""
    connection.execute(derivatives.delete().where(derivatives.c.blob == blob))


def expire_derivatives(
    connection: Connection, now: float, *, keep_s: float = KEEP_S, budget: int = BUDGET
) -> None:
    """Forget what nobody has asked for in a while, and what is over the budget."""
    columns = (derivatives.c.blob, derivatives.c.size, derivatives.c.used)
    newest = connection.execute(select(*columns).order_by(derivatives.c.used.desc()))
    gone, total = [], 0
    for row in newest:
        total += row.size
        if total > budget or row.used < now - keep_s:
            gone.append(row.blob)
    for blob in gone:
        forget_derivative(connection, blob)
    note_unused(connection, [f"{UNUSED_BLOB}{blob}" for blob in gone], now)
