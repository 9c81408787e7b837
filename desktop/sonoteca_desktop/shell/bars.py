"""How transfers go, as bars on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from sonoteca_desktop.shell import words
from sonoteca_desktop.shell.reports import ENDED
from sonoteca_desktop.transfers.queue import State, Transfer

_MOVING = frozenset({State.PREPARING, State.HASHING, State.RUNNING, State.VERIFYING})


class Bars:
    """A bar for everything and one for each file that moves."""

    def __init__(self) -> None:
        label = Column(ratio=2, no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=label),
            BarColumn(bar_width=None, table_column=Column(ratio=1)),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(),
            auto_refresh=False,
            transient=True,
            expand=True,
        )
        self._all: TaskID | None = None
        self._bars: dict[int, TaskID] = {}

    def tell(self, transfers: Sequence[Transfer]) -> None:
        """Draw how they stand."""
        moving = {each.key: each for each in transfers if each.state in _MOVING}
        for key in self._bars.keys() - moving.keys():
            self._progress.remove_task(self._bars.pop(key))
        ended = sum(each.state in ENDED for each in transfers)
        # While a file is read for its hash nothing of it has moved.
        done = sum(each.done for each in transfers if each.state is not State.HASHING)
        total = sum(each.total for each in transfers)
        self._all = self._draw(self._all, f"{ended} of {len(transfers)} files", done, total)
        for key, each in moving.items():
            self._bars[key] = self._draw(self._bars.get(key), _label(each), each.done, each.total)
        # Not before there is something to draw.
        self._progress.start()
        self._progress.refresh()

    def close(self, transfers: Sequence[Transfer]) -> None:
        """Leave the sum of it in the place of the bars."""
        self._progress.stop()
        print(words.summary(transfers))

    def _draw(self, bar: TaskID | None, label: str, done: int, total: int) -> TaskID:
        if bar is None:
            return self._progress.add_task(label, completed=done, total=total)
        self._progress.update(bar, description=label, completed=done, total=total)
        return bar


def _label(transfer: Transfer) -> str:
    label = words.printable(transfer.name)
    if transfer.state is State.HASHING:
        return f"reading {label}"
    if transfer.state is State.PREPARING:
        return f"waiting for {label}"
    return f"checking {label}" if transfer.state is State.VERIFYING else label
