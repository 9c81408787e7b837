"""The nouns that travel between server and desktop, as msgspec Structs.

Field names are Freesound's where it has one. Sizes and offsets are bytes, durations are seconds,
dates are aware UTC in RFC 3339 form.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something odd in a file that can be used all the same."""

    code: str
    severity: str
    offset: int | None = None


class Production(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a recording belongs in a production, as its recorder wrote it."""

    project: str = ""
    scene: str = ""
    take: str = ""
    tape: str = ""
    note: str = ""


class Track(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A track of a recorder; `channel` is its place in this file where the two differ, else 0."""

    index: int
    name: str
    function: str = ""
    channel: int = 0


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a sound, or a region of it when it has a length."""

    at: float
    length: float = 0.0
    label: str = ""
    note: str = ""


class Timecode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a recording began, in samples since midnight, and how its frames are counted."""

    time_reference: int
    rate: str = ""
    """Frames a second as the recorder wrote them: `25/1`, `24000/1001`."""
    drop: bool = False


class Loudness(msgspec.Struct, frozen=True, kw_only=True):
    """Loudness by EBU R 128 in LUFS, LU and dBTP; None where nobody measured it."""

    integrated: float | None = None
    range: float | None = None
    true_peak: float | None = None
    momentary: float | None = None
    short_term: float | None = None


class Bext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The broadcast extension of a WAV (EBU Tech 3285), as it stands there."""

    version: int
    description: str = ""
    originator: str = ""
    originator_reference: str = ""
    origination_date: str = ""
    origination_time: str = ""
    time_reference: int = 0
    umid: str = ""
    """Hex digits: 64 of a basic UMID, 128 of an extended one."""
    loudness: Loudness | None = None
    coding_history: str = ""


class Element(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An element of XML that has no meaning to us, and is kept all the same."""

    name: str
    text: str = ""
    elements: tuple[Element, ...] = ()


class Ixml(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a recorder wrote as iXML; the elements that we do not know are in `other`."""

    version: str = ""
    project: str = ""
    scene: str = ""
    take: str = ""
    tape: str = ""
    note: str = ""
    circled: bool | None = None
    ubits: str = ""
    file_uid: str = ""
    family_uid: str = ""
    family_name: str = ""
    speed: dict[str, str] = {}
    time_reference: int | None = None
    tracks: tuple[Track, ...] = ()
    other: tuple[Element, ...] = ()


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """A loop of a sampler; `end` is its last frame, `count` 0 means for ever."""

    start: int
    end: int
    kind: str
    count: int


class Sampler(msgspec.Struct, frozen=True, kw_only=True):
    """How a sampler plays a sound: the MIDI note of its own pitch, and its loops."""

    unity_note: int
    pitch_fraction: float = 0.0
    """Semitones above the note."""
    loops: tuple[Loop, ...] = ()


class Embedded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a WAV says of itself, chunk by chunk; those it does not have are left out."""

    bext: Bext | None = None
    ixml: Ixml | None = None
    info: dict[str, str] = {}
    smpl: Sampler | None = None
    id3: dict[str, str] = {}


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a WAV says of itself: chunk by chunk, and what that means put together."""

    embedded: Embedded = Embedded()
    production: Production = Production()
    tracks: tuple[Track, ...] = ()
    markers: tuple[Marker, ...] = ()
    timecode: Timecode | None = None
    recorded: str = ""
    """`2018-12-31T12:40:00` where it was recorded, or the day alone; empty when nobody knows."""


class ChunkPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a chunk lies; `size` is what is there of it, `declared` what it claims if it does."""

    id: str
    offset: int
    size: int
    declared: int | None = None
    kind: str = ""
    """What a LIST is a list of."""
    chunks: tuple[ChunkPlace, ...] = ()


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
    audio_sha256: str | None = None
    """Of format and samples alone: the same for a copy with other metadata."""
    created: datetime
    recorded: str | None = None
    """By the recorder's clock: `2018-12-31T12:40:00`, or only the day."""
    uploaded_by: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    license: str | None = None
    rating: int | None = None
    loudness: Loudness | None = None
    timecode: Timecode | None = None
    production: Production | None = None
    tracks: tuple[Track, ...] = ()
    markers: tuple[Marker, ...] = ()
    findings: tuple[Finding, ...] = ()
    embedded: Embedded | None = None
    links: Links


class Collection(msgspec.Struct, frozen=True, kw_only=True):
    """Sounds that somebody put together, in an order; `sounds` is how many."""

    id: str
    rev: int
    name: str
    created: datetime
    sounds: int


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the library with its own bytes, and how much of what it holds."""

    name: str
    visibility: str
    """`members` see all that is in it, or everybody their `own`."""
    created: datetime
    sounds: int
    objects: int
    bytes: int


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


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """How many sounds share a value; None is the value of those that have none."""

    value: str | int | None
    count: int


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """The least and the greatest of something."""

    min: float
    max: float


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """Sounds that match, counted by what they share; each facet has the name that asks for it."""

    total: int
    as_of: str
    duration: Range | None
    facets: dict[str, list[Bucket]]


class FileError(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not in an archive although it was asked for, and why."""

    url: str
    code: str
    detail: str


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job has come; a total is None while nobody knows it."""

    files_done: int = 0
    files_total: int | None = None
    bytes_done: int = 0
    bytes_total: int | None = None


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed, or why its last try did and it waits for the next."""

    code: str
    detail: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Work that outlives its request: `ready`, `running`, `done`, `failed` or `cancelled`."""

    id: str
    rev: int
    kind: str
    state: str
    attempts: int
    """How often it was begun; interruptions that were not its fault do not count."""
    created: datetime
    due: datetime | None = None
    """When a job that is ready begins at the earliest."""
    ended: datetime | None = None
    progress: Progress | None = None
    error: JobError | None = None
    result: Any = None


class ArchiveStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far an archive is: `in-progress`, `completed` with its `url`, `failed` or `cancelled`.

    `errors` is there when a file could not be had; `progress` and `expires` when asked for.
    """

    status: str
    url: str | None = None
    errors: tuple[FileError, ...] = ()
    progress: Progress | None = None
    expires: datetime | None = None


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


# msgspec finds out what a Struct holds when the first one is read, and two threads that do so at
# the same time crash it: here there is one.
for _kind in tuple(vars().values()):
    if isinstance(_kind, type) and issubclass(_kind, msgspec.Struct):
        msgspec.json.Decoder(_kind)
