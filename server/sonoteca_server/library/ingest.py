"""The one door in: check, store, catalogue, announce.

Blob bytes, fsync, rename, fsync of the folder, row committed, answer: never in another order, so
that whatever was answered is there after a power cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.catalog.schema import revisions, sounds
from sonoteca_server.library import analysis_rows, objects
from sonoteca_server.library.objects import Held, Kept, ObjectMissingError
from sonoteca_server.library.places import free_name, sound_at, sound_near
from sonoteca_server.library.sounds import Told, columns_of, compose
from sonoteca_server.storage import BlobDamagedError, Blobs, Incoming
from sonoteca_shared import names
from sonoteca_shared.errors import BadRequestError, NameTakenError
from sonoteca_shared.ids import new_id
from sonoteca_shared.models import Finding, Sound
from sonoteca_shared.wav import describe
from sonoteca_shared.wav.audio_digest import AudioHasher, audio_digest

_WAV_ENDINGS = frozenset({"wav", "wave", "bwf", "rf64", "bw64", "w64", "amb"})


class OnConflict(StrEnum):
    """What becomes of other bytes under a folder and name that are taken."""

    RENAME = "rename"
    VERSION = "version"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a sender wants its file to be kept; an empty name asks us for one."""

    repository: str = "main"
    folder: str = ""
    name: str = ""
    on_conflict: OnConflict = OnConflict.RENAME
    # Whether bytes that the repository has under any name are answered with that sound.
    skip_known: bool = False


def parse_wish(given: Mapping[str, str], name: str = "") -> Wish:
    """What a sender asked for in words, and a name that is clean already."""
    conflict = given.get("on_conflict", OnConflict.RENAME)
    if conflict not in list(OnConflict):
        raise BadRequestError(f"“on_conflict” is rename, version or reject, not “{conflict}”")
    duplicate = given.get("on_duplicate", "keep")
    if duplicate not in ("keep", "skip"):
        raise BadRequestError(f"“on_duplicate” is keep or skip, not “{duplicate}”")
    folder = names.clean_folder(given.get("folder", ""))
    if len(folder.encode()) > names.MAX_FOLDER_BYTES:
        raise BadRequestError(f"“folder” has more than {names.MAX_FOLDER_BYTES} bytes")
    return Wish(
        repository=given.get("repository") or "main",
        folder=folder,
        name=name,
        on_conflict=OnConflict(conflict),
        skip_known=duplicate == "skip",
    )


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a file: the sound's document, and what the sender should be told."""

    doc: str
    id: str
    created: bool
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was checked and stored, on its way into the catalogue."""

    sha256: str
    size: int
    told: Told
    at: str


class Ingest:
    """Takes files in; `announce` is called after each commit that changed the catalogue."""

    def __init__(self, catalog: Catalog, blobs: Blobs, announce: Callable[[], None]) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self._announce = announce

    def begin(self) -> Incoming:
        """A part to stream a body into; give it to `admit`, or discard it."""
        return self._blobs.begin()

    async def admit(
        self,
        part: Incoming,
        wish: Wish,
        audio: AudioHasher,
        note: Callable[[Connection, Admitted], None] | None = None,
    ) -> Admitted:
        """Check a whole file and take it into the library; NotAWavError when it is none.

        `audio` has heard every byte of the part on its way in. What `note` writes of the result is
        committed with it or not at all.
        """
        if part.size == 0:
            raise BadRequestError("the file is empty: send the bytes of a WAV as the body")
        wav = await asyncio.to_thread(describe, part.read_at, part.size)
        told = Told(wav, await asyncio.to_thread(audio.digest, wav.facts, part.read_at))
        kept = await objects.keep(self._catalog, self._blobs, part, wish.repository)
        admitted = await objects.enter(self._catalog, self._blobs, kept, _enter, told, wish, note)
        self._announce()
        return admitted

    async def admit_known(self, sha256: str, wish: Wish) -> Admitted:
        """Make a sound of bytes that the repository has; ObjectMissingError when it has not."""
        known = await objects.known(self._catalog, wish.repository, sha256)
        told = await asyncio.to_thread(_read, self._blobs, known)
        admitted = await self._catalog.write(_enter_known, known, told, wish)
        self._announce()
        return admitted


def _read(blobs: Blobs, known: objects.Known) -> Told:
    """What a stored file says; bytes that are lost count as missing, so that they come again."""
    try:
        blob = blobs.open(known.blob)
    except BlobDamagedError as error:
        raise ObjectMissingError(known.repository, known.sha256) from error
    try:
        if blob.size != known.size:
            raise ObjectMissingError(known.repository, known.sha256)
        wav = describe(blob.read_at, blob.size)
        return Told(wav, known.audio_sha256 or audio_digest(blob.read_at, wav.facts))
    finally:
        blob.close()


def _enter_known(connection: Connection, known: objects.Known, told: Told, wish: Wish) -> Admitted:
    """Catalogue a file that is stored, unless it was taken away meanwhile."""
    row = objects.find_known(connection, known.repository, known.sha256)
    analysis_rows.want(connection, row.seq)
    file = _File(known.sha256, known.size, told, feed.timestamp(feed.now(connection)))
    return _admit(connection, row.repository, row.seq, file, wish)


def _enter(
    connection: Connection,
    kept: Kept,
    told: Told,
    wish: Wish,
    note: Callable[[Connection, Admitted], None] | None,
) -> tuple[Held, Admitted]:
    """Catalogue a stored file, and note what became of it in the same transaction."""
    held, admitted = _catalogue(connection, kept, told, wish)
    if note is not None:
        note(connection, admitted)
    return held, admitted


def _catalogue(connection: Connection, kept: Kept, told: Told, wish: Wish) -> tuple[Held, Admitted]:
    """A stored file's object, and the sound that it becomes."""
    at = feed.timestamp(feed.now(connection))
    held = objects.hold(connection, kept, at)
    file = _File(kept.sha256, kept.size, told, at)
    return held, _admit(connection, held.repository, held.seq, file, wish)


def _admit(
    connection: Connection, repository: int, content: int, file: _File, wish: Wish
) -> Admitted:
    """The sound that these bytes are already, if that will do; else the one they become."""
    if wish.skip_known or not wish.name:
        oldest = _oldest_with(connection, content)
        if oldest is not None:
            return Admitted(oldest.doc, oldest.id, created=False)
    wish = replace(wish, name=wish.name or f"{file.sha256[:12]}.wav")
    return _name(connection, repository, content, file, wish)


def _name(
    connection: Connection, repository: int, content: int, file: _File, wish: Wish
) -> Admitted:
    """Find the file its place under the name it asked for, or near it."""
    place = (connection, repository, wish.folder, wish.name)
    taken = sound_at(*place)
    if taken is not None and taken.object != content:
        if wish.on_conflict is OnConflict.REJECT:
            raise NameTakenError(
                f"“{wish.name}” is already there with other content; send it under another name, "
                "or with on_conflict=rename or on_conflict=version"
            )
        if wish.on_conflict is OnConflict.VERSION:
            return _new_revision(connection, taken, content, file, wish)
        taken = sound_near(*place, content)
    if taken is not None:
        return Admitted(taken.doc, taken.id, created=False)
    name = free_name(*place)
    renamed_from = wish.name if name != wish.name else None
    wish = replace(wish, name=name)
    sound = compose(
        file.told,
        _oddities(name, file.told),
        sound_id=new_id(),
        rev=1,
        repository=wish.repository,
        folder=wish.folder,
        name=name,
        sha256=file.sha256,
        size=file.size,
        created=file.at,
    )
    sound = analysis_rows.with_computed(connection, content, sound)
    feed.note_clock(connection, file.at)
    change = feed.append(connection, "sound.created", sound.id, 1, file.at)
    values = columns_of(sound) | {"repository": repository, "object": content, "changed": change}
    connection.execute(sounds.insert().values(values))
    return Admitted(values["doc"], sound.id, created=True, renamed_from=renamed_from)


def _new_revision(
    connection: Connection, taken: Row[*tuple[Any, ...]], content: int, file: _File, wish: Wish
) -> Admitted:
    """Other bytes become the next revision of the sound that has the name."""
    rev = taken.rev + 1
    before = msgspec.json.decode(taken.doc, type=Sound)
    sound = compose(
        file.told,
        _oddities(wish.name, file.told),
        sound_id=taken.id,
        rev=rev,
        repository=wish.repository,
        folder=wish.folder,
        name=wish.name,
        sha256=file.sha256,
        size=file.size,
        created=taken.created,
        description=before.description,
    )
    said = {name: getattr(before, name) for name in ("tags", "license", "rating", "uploaded_by")}
    sound = msgspec.structs.replace(sound, **said)
    sound = analysis_rows.with_computed(connection, content, sound)
    was = {"sound": taken.seq, "rev": taken.rev, "object": taken.object, "doc": taken.doc}
    made = {"step": new_id(), "kind": "changed", "at": file.at}
    connection.execute(revisions.insert().values(was | made))
    change = feed.append(connection, "sound.changed", taken.id, rev, file.at)
    values = columns_of(sound) | {"object": content, "changed": change}
    connection.execute(sounds.update().where(sounds.c.seq == taken.seq).values(values))
    return Admitted(values["doc"], taken.id, created=True)


def _oldest_with(connection: Connection, content: int) -> Row[*tuple[Any, ...]] | None:
    query = select(sounds.c.doc, sounds.c.id).where(
        sounds.c.object == content, sounds.c.trashed.is_(None)
    )
    return connection.execute(query.order_by(sounds.c.seq).limit(1)).first()


def _oddities(name: str, told: Told) -> tuple[Finding, ...]:
    stem, dot, ending = name.rpartition(".")
    if stem and dot and ending.lower() not in _WAV_ENDINGS:
        return (*told.wav.findings, Finding(code="wav.name-extension", severity="info"))
    return told.wav.findings
