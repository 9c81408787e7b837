"""Read `iXML`: project, scene, take and tracks, as recorders write them for the cutting room.

Source: the iXML specification 3.01 (Gallery SW). Elements that have no field of ours are kept as
they are, without their attributes, which iXML does not use.
"""

from __future__ import annotations

import re

from sonoteca_shared.models import Element, Ixml, Production, Timecode, Track
from sonoteca_shared.wav.text import Find
from sonoteca_shared.wav.xmltree import parse_xml

IXML_BYTES = 1 << 20

_ROOT = "BWFXML"
_PLAIN = {
    "IXML_VERSION": "version",
    "PROJECT": "project",
    "SCENE": "scene",
    "TAKE": "take",
    "TAPE": "tape",
    "NOTE": "note",
    "UBITS": "ubits",
    "FILE_UID": "file_uid",
}
_FILE_SET = {"FAMILY_UID": "family_uid", "FAMILY_NAME": "family_name"}
_MIDNIGHT = "timestamp_samples_since_midnight"
_NUMBER = re.compile(r"-?\d{1,10}", re.ASCII)
_MAX_HIGH = 0x7FFFFFFF


def read_ixml(payload: bytes, *, find: Find, codec: str) -> Ixml | None:
    """What the payload says as far as it can be read; None when that is nothing."""
    root = parse_xml(payload, find, codec)
    if root is None:
        return None
    if root.name.upper() != _ROOT:
        find("ixml.root")
    plain: dict[str, str] = {}
    parts: dict[str, Element] = {}
    other: list[Element] = []
    for element in root.elements:
        name = element.name.upper()
        if name in _PLAIN:
            plain.setdefault(_PLAIN[name], element.text)
        elif name in ("CIRCLED", "SPEED", "FILE_SET", "TRACK_LIST") and name not in parts:
            parts[name] = element
        else:
            other.append(element)
    speed = _leaves(parts.get("SPEED"))
    family = _leaves(parts.get("FILE_SET"))
    for tag, name in _FILE_SET.items():
        plain[name] = family.get(tag.lower(), "")
    return Ixml(
        **plain,
        circled=_truth(parts.get("CIRCLED")),
        speed=speed,
        time_reference=_time_reference(speed),
        tracks=_tracks(parts.get("TRACK_LIST")),
        other=tuple(other),
    )


def production(ixml: Ixml) -> Production:
    """Where the recording belongs."""
    return Production(
        project=ixml.project,
        scene=ixml.scene,
        take=ixml.take,
        tape=ixml.tape,
        note=ixml.note,
    )


def timecode(ixml: Ixml, time_reference: int | None) -> Timecode | None:
    """When the recording began: the broadcast extension's word goes before iXML's."""
    rate = ixml.speed.get("timecode_rate", "")
    reference = time_reference or ixml.time_reference or 0
    if not (reference or rate):
        return None
    drop = ixml.speed.get("timecode_flag", "").upper() == "DF"
    return Timecode(time_reference=reference, rate=rate, drop=drop)


def _leaves(element: Element | None) -> dict[str, str]:
    """The texts within an element that are not empty, by their names in lower case."""
    leaves: dict[str, str] = {}
    for child in element.elements if element else ():
        if child.text:
            leaves.setdefault(child.name.lower(), child.text)
    return leaves


def _truth(element: Element | None) -> bool | None:
    return {"TRUE": True, "FALSE": False}.get(element.text.upper()) if element else None


def _number(text: str | None) -> int | None:
    return int(text) if text and _NUMBER.fullmatch(text) else None


def _time_reference(speed: dict[str, str]) -> int | None:
    low, high = _number(speed.get(f"{_MIDNIGHT}_lo")), _number(speed.get(f"{_MIDNIGHT}_hi"))
    if low is None or not 0 <= (high or 0) <= _MAX_HIGH:
        return None
    # Some write the lower half as a signed number.
    return (high or 0) << 32 | low & 0xFFFFFFFF


def _tracks(track_list: Element | None) -> tuple[Track, ...]:
    """The tracks in their order; one without a channel index has its place in the list."""
    tracks: list[Track] = []
    for element in track_list.elements if track_list else ():
        if element.name.upper() != "TRACK":
            continue
        leaves = _leaves(element)
        index = _number(leaves.get("channel_index")) or len(tracks) + 1
        channel = _number(leaves.get("interleave_index")) or 0
        tracks.append(
            Track(
                index=index,
                name=leaves.get("name", ""),
                function=leaves.get("function", ""),
                channel=channel if channel != index else 0,
            )
        )
    return tuple(tracks)
