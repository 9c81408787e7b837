"""Lists sounds in columns that fit the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable

import msgspec
from rich.cells import cell_len, set_cell_size

from sonoteca_desktop.models import units
from sonoteca_desktop.shell.words import printable
from sonoteca_shared.models import Sound

_LENGTH = 10
_FORMAT = 16
_GAP = "  "


def show(pages: Iterable[list[Sound]], *, json: bool) -> None:
    """Print sounds as they come: in columns, or one JSON object a line."""
    columns = None
    for page in pages:
        columns = columns or _columns(page)
        for sound in page:
            print(msgspec.json.encode(sound).decode() if json else _row(sound, columns))
        sys.stdout.flush()


def _columns(page: list[Sound]) -> tuple[int, int]:
    """The widths of name and folder: as wide as they need, as far as there is room."""
    names = max((cell_len(printable(each.name)) for each in page), default=0)
    folders = max((cell_len(printable(each.folder)) for each in page), default=0)
    if not sys.stdout.isatty():
        return names, folders
    room = shutil.get_terminal_size().columns - _LENGTH - _FORMAT - 3 * len(_GAP)
    room = max(room, 20)
    folders = min(folders, max(room // 3, room - names))
    return min(names, room - folders), folders


def _row(sound: Sound, columns: tuple[int, int]) -> str:
    cells = [
        _fitted(printable(sound.name), columns[0]),
        _fitted(printable(sound.folder), columns[1]),
        units.length(sound.duration).rjust(_LENGTH),
        units.sample_format(sound),
    ]
    return _GAP.join(cells)


def _fitted(text: str, width: int) -> str:
    # Cut in a terminal alone; what goes into a file is whole, in rows that may not line up.
    if cell_len(text) > width and sys.stdout.isatty():
        text = set_cell_size(text, max(width - 1, 0)).rstrip() + "…"
    return text + " " * max(0, width - cell_len(text))
