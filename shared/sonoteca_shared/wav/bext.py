"""`bext`, the broadcast extension, read and moved: who recorded what, when, and how loud.

Source: EBU Tech 3285 version 2 (2011) with its supplement on the coding history. Version 1 added
the UMID (SMPTE 330M), version 2 the loudness; the bytes were reserved before.
"""

from __future__ import annotations

import re
import struct
from datetime import date, time

from sonoteca_shared.models import Bext, Loudness, Production, Track
from sonoteca_shared.wav.passage import Passage
from sonoteca_shared.wav.text import MAX_TEXT, Find, read_text

BEXT_FIXED = 602
BEXT_BYTES = BEXT_FIXED + MAX_TEXT + 1

_UMID = slice(348, 412)
_BASIC_UMID = 32
_TIME_AT, _VERSION_AT, _LOUDNESS_AT = 338, 346, 412
_LOUDNESS = struct.Struct("5h")
_LOUDNESS_SINCE = 2
_NOT_MEASURED = 0x7FFF
_MAX_TIME_REFERENCE = 1 << 63  # further no catalogue counts, and no recorder was ever on

# Recorders of Sound Devices, Metacorder and others keep what iXML has in the description too.
_LINE = re.compile(r"^[a-z]?(PROJECT|SCENE|TAKE|TAPE|NOTE|TRK(\d{1,3}))=(.*)$", re.MULTILINE)
_DATE = re.compile(r"(\d{4})[-_:/. ](\d\d)[-_:/. ](\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d)[-_:/. ](\d\d)[-_:/. ](\d\d)", re.ASCII)
_FIRST_YEAR = 1900


def read_bext(payload: bytes, *, order: str, find: Find, codec: str) -> Bext:
    """What the payload says; fields that are not there are empty."""
    if len(payload) < BEXT_FIXED:
        find("bext.short")
    fixed = payload[:BEXT_FIXED].ljust(BEXT_FIXED, b"\0")
    low, high, version = struct.unpack_from(f"{order}IIH", fixed, _TIME_AT)
    reference = high << 32 | low
    if reference >= _MAX_TIME_REFERENCE:
        find("bext.time-reference")
        reference = 0
    bext = Bext(
        version=version,
        description=read_text(fixed[:256], find, codec),
        originator=read_text(fixed[256:288], find, codec),
        originator_reference=read_text(fixed[288:320], find, codec),
        origination_date=read_text(fixed[320:330], find, codec),
        origination_time=read_text(fixed[330:338], find, codec),
        time_reference=reference,
        umid=_umid_of(fixed[_UMID]) if version >= 1 else "",
        loudness=_loudness_of(fixed, order) if version >= _LOUDNESS_SINCE else None,
        coding_history=read_text(payload[BEXT_FIXED:], find, codec),
    )
    if bext.origination_date.strip("0-_:/. ") and not recorded(bext):
        find("bext.date")
    return bext


def move_bext(head: bytes, passage: Passage) -> bytes:
    """The first BEXT_FIXED bytes of the payload, or as many as there are, for the passage."""
    moved = bytearray(head)
    source, target = passage.order, passage.target_order
    if len(head) >= _VERSION_AT:
        low, high = struct.unpack_from(f"{source}II", head, _TIME_AT)
        began = passage.since_midnight(high << 32 | low)
        struct.pack_into(
            f"{target}II", moved, _TIME_AT, began & 0xFFFFFFFF, began >> 32 & 0xFFFFFFFF
        )
    if len(head) < _LOUDNESS_AT + _LOUDNESS.size:
        return bytes(moved)
    (version,) = struct.unpack_from(f"{source}H", head, _VERSION_AT)
    struct.pack_into(f"{target}H", moved, _VERSION_AT, version)
    values = struct.unpack_from(f"{source}5h", head, _LOUDNESS_AT)
    if version >= _LOUDNESS_SINCE and not passage.is_as_loud and any(values):
        values = (_NOT_MEASURED,) * 5
    struct.pack_into(f"{target}5h", moved, _LOUDNESS_AT, *values)
    return bytes(moved)


def recorded(bext: Bext) -> str:
    """When it was recorded, as far as the dates make sense: `2018-12-31T12:40:00`, or a day."""
    return parse_moment(bext.origination_date, bext.origination_time)


def parse_moment(day: str, clock: str = "") -> str:
    """A day and a time of day in the forms of ISO 8601; empty when there is no such day."""
    found = _DATE.match(day.strip())
    if found is None or int(found[1]) < _FIRST_YEAR:
        return ""
    try:
        told = date.fromisoformat("-".join(found.groups())).isoformat()
    except ValueError:
        return ""
    at = _TIME.match(clock.strip())
    try:
        return f"{told}T{time.fromisoformat(':'.join(at.groups()))}" if at else told
    except ValueError:
        return told


def production(bext: Bext) -> Production:
    """What a recorder wrote into the description of scene and take."""
    lines = {name.lower(): text.strip() for name, number, text in _lines(bext) if not number}
    return Production(**lines)


def tracks(bext: Bext) -> tuple[Track, ...]:
    """The names of tracks that a recorder wrote into the description."""
    named = {int(number): text.strip() for _, number, text in _lines(bext) if number}
    return tuple(Track(index=index, name=name) for index, name in sorted(named.items()) if name)


def _lines(bext: Bext) -> list[tuple[str, str, str]]:
    return _LINE.findall(bext.description)


def _umid_of(raw: bytes) -> str:
    """The UMID in hex digits, a basic one without its empty half; nothing when it is all zero."""
    used = raw if any(raw[_BASIC_UMID:]) else raw[:_BASIC_UMID]
    return used.hex() if any(used) else ""


def _loudness_of(fixed: bytes, order: str) -> Loudness | None:
    values = struct.unpack_from(f"{order}5h", fixed, _LOUDNESS_AT)
    # Five times zero are bytes that a writer of version 2 left empty: no sound measures so.
    if not any(values):
        return None
    told = [None if value == _NOT_MEASURED else value / 100 for value in values]
    if told == [None] * 5:
        return None
    integrated, spread, peak, momentary, short_term = told
    return Loudness(
        integrated=integrated,
        range=spread,
        true_peak=peak,
        momentary=momentary,
        short_term=short_term,
    )
