"""Sounds put straight into a catalogue: many, and of kinds that nobody would record for a test."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from sonoteca_server.catalog.schema import collection_sounds, collections, objects, sounds
from sonoteca_server.library.repositories import find_or_make
from sonoteca_server.library.sounds import columns_of, write_tags
from sonoteca_shared.ids import new_id
from sonoteca_shared.models import Links, Sound
from sonoteca_shared.names import sort_key
from tests.kit.oracle import Record

CREATED = datetime(2026, 1, 5, 7, 56, 18, tzinfo=UTC)


def sound(**facts: Any) -> Sound:
    """A sound of a second, but for what is said of it."""
    usual: dict[str, Any] = {
        "id": new_id(), "rev": 1, "repository": "main", "folder": "", "name": "take.wav",
        "sha256": "0" * 64, "size": 96_044, "duration": 1.0, "samplerate": 48_000, "bitdepth": 16,
        "channels": 1, "frames": 48_000, "format": "pcm", "container": "RIFF", "created": CREATED,
        "links": Links(file=""),
    }  # fmt: skip
    return Sound(**usual | facts)


def keep(connection: Connection, records: Iterable[Record]) -> None:
    """Catalogue the sounds, with the collections that they are in."""
    for number, record in enumerate(records):
        at = record.sound.created.isoformat()
        repository = find_or_make(connection, record.sound.repository, at)
        held = connection.execute(
            objects.insert().values(
                repository=repository, oid=f"{number:064x}", size=record.sound.size,
                blob=new_id(), created=at,
            )
        )  # fmt: skip
        assert held.inserted_primary_key is not None
        row = columns_of(record.sound) | {
            "repository": repository,
            "object": held.inserted_primary_key[0],
            "changed": 0,
            "trashed": at if record.trashed else None,
        }
        made = connection.execute(sounds.insert().values(**row))
        assert made.inserted_primary_key is not None
        seq = made.inserted_primary_key[0]
        write_tags(connection, seq, record.sound.tags)
        for name in record.collections:
            values = {"collection": _collection(connection, name), "sound": seq, "position": seq}
            connection.execute(collection_sounds.insert().values(**values))


def _collection(connection: Connection, name: str) -> int:
    found = connection.execute(select(collections.c.seq).where(collections.c.name == name)).scalar()
    if found is not None:
        return int(found)
    values = {"id": new_id(), "name": name, "name_key": sort_key(name), "rev": 1, "created": ""}
    made = connection.execute(collections.insert().values(**values))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])
