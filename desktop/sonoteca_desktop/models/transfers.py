"""The list of transfers, as the queue has them, with the words that a person reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeAlias

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from sonoteca_desktop.models import units
from sonoteca_desktop.transfers.queue import Kind, State, Transfer, TransferQueue

Index: TypeAlias = QModelIndex | QPersistentModelIndex

TransferRole = Qt.ItemDataRole.UserRole
LineRole = TransferRole + 1
ActionsRole = TransferRole + 2
_NOWHERE = QModelIndex()
_MOVING = frozenset({State.HASHING, State.RUNNING, State.VERIFYING})
_ENDED = frozenset({State.DONE, State.FAILED})
_IDLE = _ENDED | {State.PAUSED}


class Action(StrEnum):
    """What can be done with one transfer."""

    PAUSE = "Pause"
    RESUME = "Resume"
    RETRY = "Try again"
    CANCEL = "Cancel"


_ACTIONS = {
    State.QUEUED: (Action.PAUSE, Action.CANCEL),
    State.HASHING: (Action.PAUSE, Action.CANCEL),
    State.RUNNING: (Action.PAUSE, Action.CANCEL),
    State.VERIFYING: (Action.CANCEL,),
    State.WAITING: (Action.RETRY, Action.PAUSE, Action.CANCEL),
    State.PAUSED: (Action.RESUME, Action.CANCEL),
    State.BLOCKED: (Action.RETRY, Action.PAUSE, Action.CANCEL),
    State.FAILED: (Action.RETRY, Action.CANCEL),
    State.DONE: (),
}


def actions(transfer: Transfer) -> tuple[Action, ...]:
    """What can be done with a transfer; what is kept for a pin ends with that alone."""
    offered = _ACTIONS[transfer.state]
    return tuple(each for each in offered if not (transfer.kept and each is Action.CANCEL))


def line(transfer: Transfer) -> str:
    """The second line of a transfer: how far it is, or why it is not going on."""
    size = units.size(transfer.total)
    match transfer.state:
        case State.HASHING:
            return f"Checking {units.size_of(transfer.done, transfer.total)}"
        case State.RUNNING:
            return _pace(transfer)
        case State.PAUSED:
            return f"Paused at {units.size_of(transfer.done, transfer.total)}"
        case State.VERIFYING:
            return f"Checking {size}"
        case State.DONE:
            usual = "uploaded" if transfer.kind == Kind.UPLOAD else "verified"
            usual = "kept on this computer" if transfer.kept else usual
            return f"{size} · {transfer.note or usual}"
        case State.QUEUED:
            return transfer.note or f"Waiting for its turn · {size}"
        case _:
            return transfer.note or "Waiting for the server"


def _pace(transfer: Transfer) -> str:
    parts = [units.size_of(transfer.done, transfer.total)]
    if transfer.speed >= 1:
        parts.append(units.speed(transfer.speed))
    if transfer.seconds_left is not None:
        parts.append(units.time_left(transfer.seconds_left))
    return " · ".join(parts)


class TransfersModel(QAbstractListModel):
    """Transfers of the queue: those that still have to do something first, then what has ended.

    Signals:
        statusChanged(): speed, number of open transfers or anything else of the whole changed.
        downloadingChanged(dict): SHA-256 -> fraction, of the downloads that are not done.
        finished(Transfer): a transfer was done since the last look.
        limitChanged(): another speed limit was set.
    """

    statusChanged = Signal()
    downloadingChanged = Signal(dict)
    finished = Signal(object)
    limitChanged = Signal()

    def __init__(self, queue: TransferQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._rows: list[Transfer] = []
        self._downloading: dict[str, float] = {}
        self._timer = QTimer(self, interval=100)
        self._timer.timeout.connect(self.poll)
        self._timer.start()
        self.poll()

    # The whole

    @property
    def speed(self) -> float:
        """Bytes a second of all transfers together."""
        return sum(row.speed for row in self._rows if row.state in _MOVING)

    @property
    def open_count(self) -> int:
        """How many transfers go on by themselves when they are left alone."""
        return sum(row.state not in _IDLE for row in self._rows)

    @property
    def paused_count(self) -> int:
        return sum(row.state == State.PAUSED for row in self._rows)

    @property
    def downloading(self) -> Mapping[str, float]:
        """How far the downloads are that are not done (0 to 1), by SHA-256."""
        return self._downloading

    @property
    def done_count(self) -> int:
        return sum(row.state == State.DONE for row in self._rows)

    @property
    def limit(self) -> int | None:
        """Bytes a second that all transfers together may use; None is as fast as it goes."""
        return self._queue.limit

    def set_limit(self, bytes_per_second: int | None) -> None:
        if bytes_per_second != self.limit:
            self._queue.set_limit(bytes_per_second)
            self.limitChanged.emit()

    def pause_all(self) -> None:
        self._queue.pause_all()
        self.poll()

    def resume_all(self) -> None:
        self._queue.resume_all()
        self.poll()

    def clear_finished(self) -> None:
        self._queue.clear_finished()
        self.poll()

    def act(self, key: int, action: Action) -> None:
        """Do what was asked for with one transfer, and show it at once."""
        match action:
            case Action.PAUSE:
                self._queue.pause(key)
            case Action.RESUME:
                self._queue.resume(key)
            case Action.RETRY:
                self._queue.retry(key)
            case Action.CANCEL:
                self._queue.cancel(key)
        self.poll()

    def stop(self) -> None:
        """Look at the queue no more."""
        self._timer.stop()

    # Qt's questions

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        transfer = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return transfer.name
            case Qt.ItemDataRole.ToolTipRole:
                return units.tool_tip(f"{transfer.name}\n{line(transfer)}")
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{transfer.kind.capitalize()} of {transfer.name}: {line(transfer)}"
        if role == TransferRole:
            return transfer
        if role == LineRole:
            return line(transfer)
        return actions(transfer) if role == ActionsRole else None

    # The queue, ten times a second

    def poll(self) -> None:
        """Look at the queue and show what changed."""
        fresh = _ordered(self._queue.snapshot())
        if fresh == self._rows:
            return
        was_done = {row.key for row in self._rows if row.state == State.DONE}
        first_look = not self._rows
        self._follow(fresh)
        self.statusChanged.emit()
        self._tell_downloading()
        if not first_look:
            for row in fresh:
                if row.state == State.DONE and row.key not in was_done:
                    self.finished.emit(row)

    def _follow(self, fresh: list[Transfer]) -> None:
        """Turn the rows into the fresh ones by the steps that views understand."""
        self._remove_all_but({row.key for row in fresh})
        keys = [row.key for row in self._rows]
        there = set(keys)
        for place, row in enumerate(fresh):
            if place < len(keys) and keys[place] == row.key:
                continue
            if row.key in there:
                self._move(keys, keys.index(row.key, place), place)
            else:
                self._insert(keys, fresh, place, there)
        for place, row in enumerate(fresh):
            if row != self._rows[place]:
                self._rows[place] = row
                self.dataChanged.emit(self.index(place), self.index(place))

    def _remove_all_but(self, staying: Collection[int]) -> None:
        last = len(self._rows) - 1
        while last >= 0:
            if self._rows[last].key in staying:
                last -= 1
                continue
            first = last
            while first > 0 and self._rows[first - 1].key not in staying:
                first -= 1
            self.beginRemoveRows(QModelIndex(), first, last)
            del self._rows[first : last + 1]
            self.endRemoveRows()
            last = first - 1

    def _move(self, keys: list[int], source: int, target: int) -> None:
        self.beginMoveRows(QModelIndex(), source, source, QModelIndex(), target)
        self._rows.insert(target, self._rows.pop(source))
        keys.insert(target, keys.pop(source))
        self.endMoveRows()

    def _insert(
        self, keys: list[int], fresh: list[Transfer], first: int, there: Collection[int]
    ) -> None:
        """Put all new neighbours in at once: a dropped folder may bring thousands."""
        end = first
        while end < len(fresh) and fresh[end].key not in there:
            end += 1
        self.beginInsertRows(QModelIndex(), first, end - 1)
        self._rows[first:first] = fresh[first:end]
        keys[first:first] = [row.key for row in fresh[first:end]]
        self.endInsertRows()

    def _tell_downloading(self) -> None:
        downloading = {
            row.sha256: row.done / row.total if row.total else 0.0
            for row in self._rows
            if row.sha256
            and row.kind == Kind.DOWNLOAD
            and row.state not in _ENDED
            # What is kept waits quietly for its turn.
            and (row.state in _MOVING or not row.kept)
        }
        if downloading != self._downloading:
            self._downloading = downloading
            self.downloadingChanged.emit(downloading)


def _ordered(transfers: list[Transfer]) -> list[Transfer]:
    """What still has to be done in the order of the queue, then what ended, the latest first.

    What failed stands above what is done: one bad file of five hundred must not be looked for.
    """
    open_ones = [row for row in transfers if row.state not in _ENDED]
    failed = [row for row in reversed(transfers) if row.state == State.FAILED]
    return open_ones + failed + [row for row in reversed(transfers) if row.state == State.DONE]
