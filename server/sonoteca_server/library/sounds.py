"""Sounds as the catalogue keeps them: described, found, and their bytes located."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Row, bindparam, select

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog.schema import ANALYSE_NEW, MAX_KEY, objects, sound_tags, sounds
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared import routes
from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.models import Finding, Links, Loudness, Sound
from sonoteca_shared.names import sort_key
from sonoteca_shared.query import fold, searchable
from sonoteca_shared.wav import Description


@dataclass(frozen=True, slots=True)
class Content:
    """Where the bytes of an object are, and what they are called."""

    blob: str
    sha256: str
    size: int
    name: str
    created: str
    is_wav: bool = True


@dataclass(frozen=True, slots=True)
class PeaksFile:
    """How far the waveform overview of a sound is: pending, ready with its blob, or failed."""

    state: str
    blob: str | None
    sha256: str
    name: str
    created: str


class Sounds:
    """Finds sounds and their bytes in one library; `announce` tells of what is to be computed."""

    def __init__(self, catalog: Catalog, blobs: LocalBlobs, announce: Callable[[], None]) -> None:
        self.catalog = catalog
        self._blobs = blobs
        self._announce = announce

    async def doc(self, sound_id: str) -> Sound:
        """The sound with this id."""
        row = _present(await self.catalog.glance(_find_doc, sound_id))
        return msgspec.json.decode(row.doc, type=Sound)

    async def content(self, sound_id: str) -> Content:
        """The bytes of the sound's present revision."""
        row = _present(await self.catalog.recall(_find_content, sound_id))
        return Content(row.blob, row.oid, row.size, row.name, row.created)

    async def peaks(self, sound_id: str) -> PeaksFile:
        """How far the waveform overview of this sound is."""
        row = _present(await self.catalog.recall(_find_content, sound_id))
        return PeaksFile(row.peaks_state, row.peaks_blob, row.oid, row.name, row.created)

    async def lose_peaks(self, lost: PeaksFile) -> None:
        """The file of a waveform is not there: have it computed again."""
        await self.catalog.write(_lose_peaks, lost.blob)
        self._announce()


def _lose_peaks(connection: Connection, blob: str | None) -> None:
    again = {"analysis": ANALYSE_NEW, "analysis_tries": 0}
    values = {"peaks_state": "pending", "peaks_blob": None, **again}
    connection.execute(objects.update().where(objects.c.peaks_blob == blob).values(values))


# Made once: it is asked for every part of every download.
_BYTES = (
    select(
        sounds.c.name, objects.c.oid, objects.c.size, objects.c.blob, objects.c.created,
        objects.c.peaks_state, objects.c.peaks_blob,
    )
    .join(objects, objects.c.seq == sounds.c.object)
    .where(sounds.c.id == bindparam("id"), sounds.c.trashed.is_(None))
)  # fmt: skip
_DOC = select(sounds.c.doc).where(sounds.c.id == bindparam("id"), sounds.c.trashed.is_(None))

_Found: TypeAlias = Row[*tuple[Any, ...]] | None


def _find_content(connection: Connection, sound_id: str) -> _Found:
    return connection.execute(_BYTES, {"id": sound_id}).first()


def _find_doc(connection: Connection, sound_id: str) -> _Found:
    return connection.execute(_DOC, {"id": sound_id}).first()


def _present(row: _Found) -> Row[*tuple[Any, ...]]:
    """The row that was found, unless there is none, or its sound is in the trash."""
    if row is None:
        raise NotFoundError("there is no sound with this id")
    return row


@dataclass(frozen=True, slots=True)
class Told:
    """What a file says of itself, and the digest of its sound alone."""

    wav: Description
    audio_sha256: str


def compose(
    told: Told,
    findings: Iterable[Finding],
    *,
    sound_id: str,
    rev: int,
    repository: str,
    folder: str,
    name: str,
    sha256: str,
    size: int,
    created: str,
    description: str = "",
) -> Sound:
    """A sound from what its file says and what it is called."""
    facts, metadata = told.wav.facts, told.wav.metadata
    return Sound(
        id=sound_id,
        rev=rev,
        repository=repository,
        folder=folder,
        name=name,
        sha256=sha256,
        size=size,
        duration=facts.duration,
        samplerate=facts.samplerate,
        bitdepth=facts.bitdepth,
        channels=facts.channels,
        frames=facts.frames,
        format=facts.format,
        container=facts.container,
        audio_sha256=told.audio_sha256,
        recorded=metadata.recorded or None,
        timecode=metadata.timecode,
        production=metadata.production,
        tracks=metadata.tracks,
        markers=metadata.markers,
        embedded=metadata.embedded,
        created=datetime.fromisoformat(created),
        description=description,
        findings=tuple(findings),
        links=Links(file=routes.content_path(repository, sha256, name)),
    )


def columns_of(sound: Sound) -> dict[str, Any]:
    """The columns that a sound's document is filtered and ordered by, and the document itself."""
    same = ("id", "folder", "name", "size", "duration", "samplerate", "bitdepth", "channels",
            "format", "container", "audio_sha256", "description", "license", "rating",
            "uploaded_by", "recorded", "rev")  # fmt: skip
    loudness = sound.loudness or Loudness()
    return {column: _storable(getattr(sound, column)) for column in same} | {
        "folder_key": _key(sound.folder),
        "name_key": _key(sound.name),
        "words": searchable(sound.name, sound.description, *sound.tags),
        "loudness": loudness.integrated,
        "peak": loudness.true_peak,
        "marker_count": len(sound.markers),
        "finding_count": len(sound.findings),
        "tag_count": len(sound.tags),
        "created": sound.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "doc": msgspec.json.encode(sound).decode(),
    }


_UNTAG = sound_tags.delete().where(sound_tags.c.sound == bindparam("seq"))


def write_tags(connection: Connection, seq: int, tags: Sequence[str]) -> None:
    """Make these the tags of the sound."""
    connection.execute(_UNTAG, {"seq": seq})
    if rows := tag_rows(seq, tags):
        connection.execute(sound_tags.insert(), rows)


def tag_rows(seq: int, tags: Sequence[str]) -> list[dict[str, Any]]:
    """The tags of a sound in their order, as rows; those that differ by case are one."""
    rows: dict[str, dict[str, Any]] = {}
    for position, tag in enumerate(tags):
        row = {
            "tag_key": _storable(fold(tag)),
            "sound": seq,
            "tag": _storable(tag),
            "position": position,
        }
        rows.setdefault(fold(tag), row)
    return list(rows.values())


def _storable(value: Any) -> Any:
    """The value as both engines take it: PostgreSQL has no text with NUL in it."""
    return value.replace("\0", "") if isinstance(value, str) else value


def _key(text: str) -> str:
    return sort_key(text)[:MAX_KEY]
