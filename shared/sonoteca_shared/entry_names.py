"""Names of files in an archive that can be unpacked anywhere: safe, relative, and each only once.

Whoever named a file does not decide where it lands: no name leads out of the folder that an archive
is unpacked in, means a device, or hides what it is. Windows and macOS see one name where Linux sees
two that differ by case or by how an accent is written, so those count as the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from sonoteca_shared.names import MAX_BYTES, cut_name, numbered

# When nothing of a name is left.
UNNAMED = "unnamed"
_SEPARATORS = re.compile(r"[/\\]")
# What Windows has in no name; slashes have separated the parts by then.
_FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
# What joins letters and emoji to what people read is no deception.
_JOINERS = frozenset("\u200c\u200d")
# Control and format characters (bidi among them), lone halves, line ends, and what no standard
# knows, which APFS refuses.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
# Devices of Windows, whatever ending follows, and however many spaces come before that.
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)",
    re.IGNORECASE,
)


def entry_name(folder: str, name: str) -> str:
    """The path of a file in an archive, relative and with `/` between its parts."""
    file = _part(_SEPARATORS.split(name)[-1]) or UNNAMED
    return f"{_folder(folder)}/{file}" if _folder(folder) else file


def unique_entries(paths: Iterable[str], taken: Iterable[str] = ()) -> Iterator[str]:
    """The paths in their order; one that is taken already gets a number before its ending.

    A file does not get the name of a folder either, nor a folder that of a taken file. Takes what
    `entry_name` gives.
    """
    known = list(paths)
    used, folders = {_key(path) for path in taken}, _folder_keys(known)
    for clash in sorted(used & folders):
        known = _moved(known, clash, used | folders | set(map(_key, known)))
        folders = _folder_keys(known)
    used |= folders
    last: dict[str, int] = {}
    for path in known:
        key = _key(path)
        if key in used:
            path, key = _numbered(path, used, last)
        used.add(key)
        yield path


@lru_cache(maxsize=1_000)
def _folder(text: str) -> str:
    """A folder as every system takes it; many files are in one."""
    return "/".join(filter(None, map(_part, _SEPARATORS.split(text))))


def _numbered(path: str, used: set[str], last: dict[str, int]) -> tuple[str, str]:
    """The next free name like this one; counts on from the last, however many there are."""
    folder, slash, name = path.rpartition("/")
    wanted, number = _key(path), last.get(_key(path), 1)
    while True:
        number += 1
        free = folder + slash + numbered(name, number)
        if _key(free) not in used:
            last[wanted] = number
            return free, _key(free)


def _moved(paths: list[str], folder: str, used: set[str]) -> list[str]:
    """The paths, those in the folder with this key in another one, whose name is free."""
    depth, moved, free = folder.count("/") + 1, [], ""
    for path in paths:
        parts = path.split("/", depth)
        head = "/".join(parts[:depth])
        if len(parts) > depth and _key(head) == folder:
            free = free or _numbered(head, used, {})[0]
            path = f"{free}/{parts[depth]}"
        moved.append(path)
    return moved


def _folder_keys(paths: Iterable[str]) -> set[str]:
    return {_key(folder) for path in paths for folder in _folders(path)}


def _folders(path: str) -> Iterator[str]:
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def _key(path: str) -> str:
    """What two paths have in common that are one to some system."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _part(text: str) -> str:
    """A part of a path as every system takes it, "" when nothing of it is left."""
    if not text.isascii() or not text.isprintable():
        normal = unicodedata.normalize("NFC", text)
        kept = (c for c in normal if c in _JOINERS or unicodedata.category(c) not in _HIDDEN)
        # What stood between a letter and its accent is gone by now.
        text = unicodedata.normalize("NFC", "".join(kept))
    text = _trimmed(text.translate(_FORBIDDEN))
    if _DEVICE.match(text):
        text = f"_{text}"
    return _trimmed(cut_name(text, MAX_BYTES))


def _trimmed(text: str) -> str:
    """Without the dots and spaces at the end, which Windows drops."""
    return text.strip().rstrip(". ")
