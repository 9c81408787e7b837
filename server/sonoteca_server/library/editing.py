"""What people change of a sound: each edit one transaction, a change in the feed, and undoable.

Before an edit the sound as it was goes to the revisions, under the step that the edit is part of.
Undoing a step gives every sound of it back what it had, as an edit like any other: so an undo can
be undone too, and nothing is ever lost on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, select

from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.catalog.schema import revisions, sounds
from sonoteca_server.library import analysis_rows
from sonoteca_server.library.sounds import columns_of, write_tags
from sonoteca_shared import routes
from sonoteca_shared.errors import (
    BadRequestError,
    ConflictError,
    NameTakenError,
    NotFoundError,
    SonotecaError,
)
from sonoteca_shared.ids import is_id, new_id
from sonoteca_shared.models import Collection, Sound
from sonoteca_shared.names import MAX_FOLDER_BYTES, clean_folder, clean_name

SoundRow = Row[*tuple[Any, ...]]

# Of these only line ends and tabs mean something in a text.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


# Made once: for each sound of a batch it would cost more than to carry it out.
_PRESENT = select(sounds).where(sounds.c.id == bindparam("id"), sounds.c.trashed.is_(None))
_CHANGE = sounds.update().where(sounds.c.seq == bindparam("one"))


class RevisionMismatchError(SonotecaError):
    """Somebody edited it since; `present` is what it is now."""

    code = "revision-mismatch"

    def __init__(self, *, given: int, present: Sound | Collection) -> None:
        super().__init__(
            f"“{present.name}” stands at revision {present.rev}, not at {given}: "
            "look at the present one and decide again"
        )
        self.present = present


class NothingToUndoError(NotFoundError):
    """No step has this id, or nothing is left of it to undo."""

    code = "nothing-to-undo"


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of one sound of a step: its document as it is now, or why it stayed."""

    id: str
    doc: str | None
    error: SonotecaError | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Edits that were made together; its id undoes them together."""

    id: str
    results: list[Edited]


class Editing:
    """Edits, removes and brings back sounds; `announce` is called after each commit."""

    def __init__(self, catalog: Catalog, announce: Callable[[], None]) -> None:
        self._catalog = catalog
        self._announce = announce

    async def edit(self, sound_id: str, patch: dict[str, Any], *, rev: int) -> Step:
        """Change a sound that stands at `rev`; RevisionMismatchError when it does not."""
        values = checked(patch)
        return await self._commit(_edit_one, sound_id, values, rev)

    async def edit_many(self, sound_ids: Sequence[str], patch: dict[str, Any]) -> Step:
        """Change sounds whatever they stand at, as one step; each succeeds or stays by itself."""
        values = checked(patch)
        return await self._commit(_edit_many, sound_ids, values)

    async def trash(self, sound_ids: Sequence[str], *, rev: int | None = None) -> Step:
        """Put sounds in the trash: out of every list, until the step is undone."""
        return await self._commit(_trash_many, sound_ids, rev)

    async def undo(self, step: str) -> Step:
        """Give every sound of a step back what it had before, where nobody changed it since."""
        return await self._commit(_undo, step)

    async def revert(self, sound_id: str, rev: int) -> Step:
        """Make a sound what it was at an earlier revision."""
        return await self._commit(_revert, sound_id, rev)

    async def history(self, sound_id: str) -> list[dict[str, Any]]:
        """What a sound was, the latest first; each with when and by which step that ended."""
        return await self._catalog.read(_history, sound_id)

    async def _commit(self, function: Callable[..., Step], *args: Any) -> Step:
        done = await self._catalog.write(function, *args)
        self._announce()
        return done


def checked(patch: dict[str, Any]) -> dict[str, Any]:
    """The fields of a merge patch (RFC 7396), each of its kind; BadRequestError names the one."""
    readers: dict[str, Callable[[Any], Any]] = {
        "name": parse_name,
        "folder": _folder,
        "description": lambda value: _text(value, "description", 65_536),
        "license": lambda value: None if value is None else _text(value, "license", 200),
        "rating": _rating,
        "tags": _tags,
    }
    if unknown := set(patch) - set(readers):
        raise BadRequestError(
            f"“{min(unknown)[:100]}” cannot be edited; what can: {', '.join(sorted(readers))}"
        )
    return {name: readers[name](value) for name, value in patch.items()}


def parse_name(value: Any) -> str:
    """A name as it is kept; BadRequestError when it is none."""
    name = clean_name(_text(value, "name", 4096))
    if not name:
        raise BadRequestError("“name” cannot be empty")
    return name


def _folder(value: Any) -> str:
    folder = clean_folder(_text(value, "folder", 4096))
    if len(folder.encode()) > MAX_FOLDER_BYTES:
        raise BadRequestError(f"“folder” has more than {MAX_FOLDER_BYTES} bytes")
    return folder


def _text(value: Any, name: str, most: int) -> str:
    text = "" if value is None else value
    if not isinstance(text, str):
        raise BadRequestError(f"“{name}” takes text")
    if len(text) > most:
        raise BadRequestError(f"“{name}” takes at most {most} characters")
    if _CONTROL.search(text):
        raise BadRequestError(f"“{name}” takes text without control characters")
    return text


def _rating(value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= 5):
        raise BadRequestError("“rating” takes a whole number from 0 to 5, or null for none")
    return value


def _tags(value: Any) -> tuple[str, ...]:
    given = [] if value is None else value
    if not isinstance(given, list) or not all(isinstance(tag, str) for tag in given):
        raise BadRequestError("“tags” takes a list of texts")
    if any(map(_CONTROL.search, given)):
        raise BadRequestError("“tags” takes texts without control characters")
    tags = tuple(dict.fromkeys(tag.strip() for tag in given if tag.strip()))
    if len(tags) > 100 or any(len(tag) > 100 for tag in tags):
        raise BadRequestError("“tags” takes at most 100 tags of at most 100 characters")
    return tags


def _edit_one(connection: Connection, sound_id: str, values: dict[str, Any], rev: int) -> Step:
    row = _present(connection, sound_id)
    if row.rev != rev:
        raise RevisionMismatchError(given=rev, present=_sound(row))
    step = new_id()
    return Step(step, [_change(connection, row, values, step)])


def _edit_many(connection: Connection, sound_ids: Sequence[str], values: dict[str, Any]) -> Step:
    step = new_id()

    def change(sound_id: str) -> Edited:
        return _change(connection, _present(connection, sound_id), values, step)

    return Step(step, [_or_error(sound_id, change) for sound_id in sound_ids])


def _trash_many(connection: Connection, sound_ids: Sequence[str], rev: int | None) -> Step:
    step, moment = new_id(), _trash_moment(connection)

    def trash(sound_id: str) -> Edited:
        row = _present(connection, sound_id)
        if rev is not None and row.rev != rev:
            raise RevisionMismatchError(given=rev, present=_sound(row))
        sound = msgspec.structs.replace(_sound(row), rev=row.rev + 1)
        return write(connection, row, sound, kind="trashed", step=step, trashed=moment)

    if rev is not None:  # then there is one, whose asker wants to know
        return Step(step, [trash(sound_id) for sound_id in sound_ids])
    return Step(step, [_or_error(sound_id, trash) for sound_id in sound_ids])


def _undo(connection: Connection, step: str) -> Step:
    rows = connection.execute(
        select(revisions).where(revisions.c.step == step).order_by(revisions.c.seq.desc())
    ).all()
    if not rows:
        raise NothingToUndoError(
            "there is nothing to undo under this id; what was purged from the trash is gone"
        )
    again = new_id()

    def undo(before: SoundRow) -> Edited:
        row = connection.execute(select(sounds).where(sounds.c.seq == before.sound)).one()
        if row.rev != before.rev + 1:
            raise ConflictError(f"“{row.name}” was edited again since; nothing of it was undone")
        # Back in the trash it has all its time again: that of the first time may be over.
        trashed = None if before.trashed is None else _trash_moment(connection)
        return _bring_back(connection, row, before, again, trashed)

    by_id = {msgspec.json.decode(before.doc, type=Sound).id: before for before in rows}
    return Step(again, [_or_error(sound_id, lambda one: undo(by_id[one])) for sound_id in by_id])


def _revert(connection: Connection, sound_id: str, rev: int) -> Step:
    row = _present(connection, sound_id)
    before = connection.execute(
        select(revisions).where(revisions.c.sound == row.seq, revisions.c.rev == rev)
    ).first()
    if before is None:
        raise NotFoundError(f"“{row.name}” has no earlier revision {rev}")
    step = new_id()
    # To go back to what it was while it lay in the trash does not throw it away.
    return Step(step, [_bring_back(connection, row, before, step, None)])


def _history(connection: Connection, sound_id: str) -> list[dict[str, Any]]:
    row = connection.execute(select(sounds.c.seq).where(sounds.c.id == sound_id)).first()
    if row is None:
        raise NotFoundError("there is no sound with this id")
    query = select(revisions).where(revisions.c.sound == row.seq).order_by(revisions.c.rev.desc())
    return [
        {
            "rev": one.rev,
            "until": one.at,
            "kind": one.kind,
            "change": one.step,
            "sound": msgspec.Raw(one.doc.encode()),
        }
        for one in connection.execute(query)
    ]


def _change(connection: Connection, row: SoundRow, values: dict[str, Any], step: str) -> Edited:
    before = _sound(row)
    sound = msgspec.structs.replace(before, **values)
    if sound == before:
        return Edited(before.id, row.doc)
    if (sound.folder, sound.name) != (row.folder, row.name):
        _free_place(connection, row, sound)
    sound = msgspec.structs.replace(sound, rev=row.rev + 1)
    return write(connection, row, sound, kind="changed", step=step, trashed=None)


def _bring_back(
    connection: Connection, row: SoundRow, before: SoundRow, step: str, trashed: str | None
) -> Edited:
    sound = msgspec.json.decode(before.doc, type=Sound)
    if trashed is None:
        _free_place(connection, row, sound)
    # Waveform and loudness may have come since: what was computed is not what was edited.
    sound = analysis_rows.with_computed(connection, before.object, sound)
    sound = msgspec.structs.replace(sound, rev=row.rev + 1)
    kind = "changed"
    if row.trashed is not None and trashed is None:
        kind = "restored"
    elif trashed is not None:
        kind = "trashed"
    return write(
        connection, row, sound, kind=kind, step=step, trashed=trashed, content=before.object
    )


def write(
    connection: Connection,
    row: SoundRow,
    sound: Sound,
    *,
    kind: str,
    step: str,
    trashed: str | None,
    content: int | None = None,
) -> Edited:
    """Keep what was, write what is, and tell it in the feed."""
    now = _now()
    file = routes.content_path(sound.repository, sound.sha256, sound.name)
    sound = msgspec.structs.replace(sound, links=msgspec.structs.replace(sound.links, file=file))
    was = {"sound": row.seq, "object": row.object}
    was |= {name: getattr(row, name) for name in ("rev", "trashed", "doc")}
    connection.execute(revisions.insert(), was | {"step": step, "kind": kind, "at": now})
    change = feed.append(connection, f"sound.{kind}", sound.id, sound.rev, now)
    values = columns_of(sound) | {
        "trashed": trashed,
        "changed": change,
        "object": row.object if content is None else content,
    }
    connection.execute(_CHANGE, values | {"one": row.seq})
    write_tags(connection, row.seq, sound.tags)
    return Edited(sound.id, values["doc"])


def _free_place(connection: Connection, row: SoundRow, sound: Sound) -> None:
    taken = select(sounds.c.seq).where(
        sounds.c.repository == row.repository,
        sounds.c.folder == sound.folder,
        sounds.c.name == sound.name,
        sounds.c.trashed.is_(None),
        sounds.c.seq != row.seq,
    )
    if connection.execute(taken).first() is not None:
        place = f"“{sound.name}”" + (f" in folder “{sound.folder}”" if sound.folder else "")
        raise NameTakenError(f"{place} is another sound already; choose another name")


def _present(connection: Connection, sound_id: str) -> SoundRow:
    row = connection.execute(_PRESENT, {"id": sound_id}).first() if is_id(sound_id) else None
    if row is None:
        raise NotFoundError("there is no sound with this id")
    return row


def _or_error(sound_id: str, function: Callable[[str], Edited]) -> Edited:
    try:
        return function(sound_id)
    except SonotecaError as error:
        return Edited(sound_id, None, error)


def _sound(row: SoundRow) -> Sound:
    return msgspec.json.decode(row.doc, type=Sound)


def _trash_moment(connection: Connection) -> str:
    """Now, or the moment of the latest change if that is later.

    A machine that begins in 1970 would purge what went to the trash until it knew better.
    """
    return max(feed.timestamp(feed.now(connection)), feed.latest(connection))


def _now() -> str:
    return feed.timestamp(datetime.now(UTC))
