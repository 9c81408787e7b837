"""Does every row have its bytes, and are they what they were?

Works beside a running server: it reads a page of rows at a time, so that no long transaction holds
anybody up, and what looks damaged is looked up again, since it may be mended or gone by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from sonoteca_server.catalog.schema import objects, repositories, sounds
from sonoteca_server.library.objects import fault_of, named_blobs
from sonoteca_server.storage import BlobMissingError, Blobs
from sonoteca_shared import peaks

_PAGE = 500
_NAMES = 3
_DIGITS = "0123456789abcdef"


@dataclass(slots=True)
class Tally:
    """What was looked at, and how much of it is damaged."""

    objects: int = 0
    size: int = 0
    waveforms: int = 0
    damaged: int = 0
    unnamed: int = 0

    def __str__(self) -> str:
        waiting = f"; {self.unnamed} that no row names wait for upkeep" if self.unnamed else ""
        return (
            f"{self.objects} objects ({self.size} bytes) and {self.waveforms} waveforms: "
            f"{self.damaged or 'none'} damaged{waiting}"
        )


def verify(connection: Connection, blobs: Blobs, tally: Tally, *, full: bool) -> Iterator[str]:
    """A line for each damaged blob, naming it and its row; with `full` every byte is read."""
    for row in _rows(connection):
        tally.objects += 1
        tally.size += row.size
        fault = fault_of(blobs, row.blob, row.size, row.oid if full else None)
        if fault and _still(connection, row, "blob"):
            tally.damaged += 1
            yield f"blob {row.blob} {fault}: {_described(connection, row)}"
        if row.peaks_blob is None:
            continue
        tally.waveforms += 1
        fault = _fault_of_peaks(blobs, row.peaks_blob, full=full)
        if fault and _still(connection, row, "peaks_blob"):
            tally.damaged += 1
            yield f"blob {row.peaks_blob} {fault}: waveform of {_described(connection, row)}"
    for digit in _DIGITS:
        # Listed first: what is kept meanwhile is not in the list, and what is named is in the rows.
        listed = {each.key for each in blobs.list_blobs(digit)}
        tally.unnamed += len(listed - named_blobs(connection, digit))
        connection.rollback()


def _rows(connection: Connection) -> Iterator[Row[*tuple[Any, ...]]]:
    columns = (
        objects.c.seq, objects.c.oid, objects.c.size, objects.c.blob, objects.c.peaks_blob,
        repositories.c.name.label("repository"),
    )  # fmt: skip
    query = select(*columns).join(repositories).order_by(objects.c.seq).limit(_PAGE)
    last = 0
    while rows := connection.execute(query.where(objects.c.seq > last)).all():
        # A transaction that stays open would keep the database from tidying up behind others.
        connection.rollback()
        yield from rows
        last = rows[-1].seq


def _still(connection: Connection, row: Row[*tuple[Any, ...]], column: str) -> bool:
    """Whether the row is as it was when it was read."""
    query = select(objects.c[column]).where(objects.c.seq == row.seq)
    present = connection.execute(query).scalar()
    connection.rollback()
    return bool(present == getattr(row, column))


def _described(connection: Connection, row: Row[*tuple[Any, ...]]) -> str:
    query = select(sounds.c.name).where(sounds.c.object == row.seq).order_by(sounds.c.seq)
    names = list(connection.execute(query.limit(_NAMES + 1)).scalars())
    connection.rollback()
    told = ", ".join(f"“{name}”" for name in names[:_NAMES]) or "no sound"
    more = " and others" if len(names) > _NAMES else ""
    return f"object {row.seq}, {row.repository}/{row.oid} ({told}{more})"


def _fault_of_peaks(blobs: Blobs, key: str, *, full: bool) -> str | None:
    """What is wrong with a waveform: its head says how long it has to be."""
    try:
        blob = blobs.open(key)
        try:
            if full:
                peaks.parse(blob.read_at(0, blob.size))
        finally:
            blob.close()
    except BlobMissingError as error:
        return error.fault
    except (ValueError, OSError) as error:
        return f"cannot be read ({error})"
    return None
