"""The nouns that travel between server and desktop, as msgspec Structs.

Field names are Freesound's where it has one. Sizes and offsets are bytes, durations are seconds,
dates are aware UTC in RFC 3339 form.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something odd in a file that can be used all the same."""

    code: str
    severity: str
    offset: int | None = None


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes that belong to a sound are; `peaks` is None until they are computed."""

    file: str
    peaks: str | None = None


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """A catalogue entry of a WAV: facts read from the file and what people say of it."""

    id: str
    rev: int
    repository: str
    folder: str
    name: str
    sha256: str
    size: int
    duration: float
    samplerate: int
    bitdepth: int
    channels: int
    frames: int
    format: str
    container: str
    created: datetime
    description: str = ""
    findings: tuple[Finding, ...] = ()
    links: Links


class Uploaded(Sound, frozen=True, kw_only=True):
    """The answer to an upload: the sound, and the name it was sent under if that was taken."""

    renamed_from: str | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the catalogue; clients ignore the types they do not know."""

    type: str
    id: str
    rev: int
    at: datetime
    sound: Sound | None


class ChangePage(msgspec.Struct, frozen=True, kw_only=True):
    """Changes in commit order, and the cursor to ask with next time."""

    cursor: str
    more: bool
    results: list[Change]


class SoundPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list; `next` and `previous` are paths, or None at an end."""

    count: int
    count_is_estimate: bool
    next: str | None
    previous: str | None
    results: list[Sound]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error as RFC 9457 writes it; `error` repeats the title for simple clients."""

    type: str
    title: str
    status: int
    code: str
    request_id: str
    error: str
    detail: str = ""
    instance: str = ""
