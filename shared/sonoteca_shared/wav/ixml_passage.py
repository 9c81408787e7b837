"""IXML as it is true of a passage: places and times move, what holds for the whole alone goes.

Source: the iXML specification 3.01 (Gallery SW). All that is not named here stays byte for byte;
what is named but cannot be understood goes, because nobody could say whether it is still true.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial

from sonoteca_shared.wav.passage import Passage
from sonoteca_shared.wav.xmlplaces import Editing, Place, find_places
from sonoteca_shared.wav.xmltree import as_utf8

_NUMBER = re.compile(r"-?\d{1,20}", re.ASCII)
_ENCODING = re.compile(rb"\A(<\?xml[^>]*?encoding\s*=\s*[\"'])[A-Za-z0-9._-]+")
_MOST = 1 << 63
_BEXT_LEVELS = (
    "BWF_LOUDNESS_VALUE",
    "BWF_LOUDNESS_RANGE",
    "BWF_MAX_TRUE_PEAK_LEVEL",
    "BWF_MAX_MOMENTARY_LOUDNESS",
    "BWF_MAX_SHORT_TERM_LOUDNESS",
)


def move_ixml(payload: bytes, passage: Passage, codec: str) -> bytes | None:
    """The payload of an `iXML` chunk for the passage, in UTF-8; None where it is no sound XML."""
    text = _ENCODING.sub(rb"\1UTF-8", as_utf8(payload, codec), count=1)
    root = find_places(text)
    if root is None:
        return None
    editing = Editing(text)
    mover = _Mover(editing, passage)
    for place in root.children:
        mover.move(place)
    return editing.result()


class _Mover:
    """Makes the elements of one text true."""

    def __init__(self, editing: Editing, passage: Passage) -> None:
        self._editing = editing
        self._passage = passage

    def move(self, place: Place) -> None:
        """One of the outer elements."""
        passage = self._passage
        gone = {
            # The passage is another file, and has no name of its own yet.
            "FILE_UID": True,
            "TRACK_LIST": passage.is_mixed,
            "LOUDNESS": not passage.is_as_loud,
        }
        if gone.get(place.name):
            self._editing.drop(place)
        elif place.name == "SPEED":
            self._speed(place)
        elif place.name == "BEXT":
            self._bext(place)
        elif place.name == "SYNC_POINT_LIST":
            self._sync_points(place)
        elif place.name == "PRE_RECORD_SAMPLECOUNT":
            self._change(place, passage.place)

    def _speed(self, speed: Place) -> None:
        """The digitizer's rate is history; the others are those of the file that this is."""
        passage = self._passage
        if passage.samplerate != passage.target_rate:
            for place in speed.named("FILE_SAMPLE_RATE"):
                self._change(place, lambda _: passage.target_rate)
        if passage.target_bits is not None:
            bits = passage.target_bits
            for place in speed.named("AUDIO_BIT_DEPTH"):
                self._change(place, lambda _: bits)
        rates = (self._number(place) for place in speed.named("TIMESTAMP_SAMPLE_RATE"))
        own = [rate for rate in rates if rate is not None and rate != passage.samplerate]
        rate = min(own, default=None)
        self._time(speed, "TIMESTAMP_SAMPLES_SINCE_MIDNIGHT", ("_LO", "_HI"), rate)
        for place in speed.named("TIMESTAMP_SAMPLE_RATE"):
            self._change(
                place, lambda rate: passage.target_rate if rate == passage.samplerate else rate
            )

    def _bext(self, bext: Place) -> None:
        self._time(bext, "BWF_TIME_REFERENCE", ("_LOW", "_HIGH"))
        if not self._passage.is_as_loud:
            for place in bext.children:
                if place.name in _BEXT_LEVELS:
                    self._editing.drop(place)

    def _time(
        self, parent: Place, name: str, halves: tuple[str, str], rate: int | None = None
    ) -> None:
        """When the file began, in frames, or by a clock of a rate of its own."""
        passage = self._passage
        if rate is None:
            self._change_pair(parent, name, halves, passage.since_midnight)
        else:
            later = round(Fraction(passage.frames.start * rate, passage.samplerate))
            self._change_pair(parent, name, halves, lambda began: began + later)

    def _sync_points(self, points: Place) -> None:
        kept = 0
        for point in points.named("SYNC_POINT"):
            kept += self._sync_point(point)
        for count in points.named("SYNC_POINT_COUNT"):
            self._change(count, lambda _: kept)

    def _sync_point(self, point: Place) -> bool:
        """Move a place in the sound, or rescale a time of day; whether it goes along."""
        passage, halves = self._passage, ("_LOW", "_HIGH")
        kinds = [self._editing.read(kind).upper() for kind in point.named("SYNC_POINT_TYPE")]
        at = self._pair(point, "SYNC_POINT", halves)
        if "ABSOLUTE" in kinds:
            self._change_pair(point, "SYNC_POINT", halves, passage.scaled)
            stretch = passage.scaled
        elif at is None or passage.place(at) is None:
            self._editing.drop(point)
            return False
        else:
            self._change_pair(point, "SYNC_POINT", halves, passage.place)
            stretch = partial(passage.stretch, at)
        for place in point.named("SYNC_POINT_EVENT_DURATION"):
            self._change(place, stretch)
        return True

    # ---- numbers in elements

    def _number(self, place: Place) -> int | None:
        text = self._editing.read(place)
        return int(text) if _NUMBER.fullmatch(text) else None

    def _change(self, place: Place, changed: Callable[[int], int | None]) -> None:
        """Have another number in an element, which goes where there is none; empty it stays."""
        if not self._editing.read(place):
            return
        number = self._number(place)
        moved = None if number is None or not 0 <= number < _MOST else changed(number)
        if moved is None:
            self._editing.drop(place)
        elif moved != number:
            self._editing.write(place, str(moved))

    def _pair(self, parent: Place, name: str, halves: tuple[str, str]) -> int | None:
        """A number of 64 bits in two elements; some write the lower half as a signed number."""
        low, high = (
            next((self._number(place) for place in parent.named(name + half)), None)
            for half in halves
        )
        if low is None or not 0 <= (high or 0) < 1 << 31 or not -(1 << 31) <= low < 1 << 32:
            return None
        return (high or 0) << 32 | low & 0xFFFFFFFF

    def _change_pair(
        self,
        parent: Place,
        name: str,
        halves: tuple[str, str],
        changed: Callable[[int], int | None],
    ) -> None:
        places = [list(parent.named(name + half)) for half in halves]
        if not any(self._editing.read(place) for place in places[0]):
            return
        number = self._pair(parent, name, halves)
        moved = None if number is None else changed(number)
        if moved == number and number is not None:
            return
        if moved is None or not 0 <= moved < (_MOST if places[1] else 1 << 32):
            for place in (*places[0], *places[1]):
                self._editing.drop(place)
            return
        for half, value in zip(places, (moved & 0xFFFFFFFF, moved >> 32), strict=True):
            for place in half:
                self._editing.write(place, str(value))
