"""The list of transfers, as the queue has them, with the words that a person reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

from PySide6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from sonoteca_desktop.models import units
from sonoteca_desktop.models.totals import ENDED, MOVING, Batch, Filter, Totals, add_up, in_order
from sonoteca_desktop.models.transfer_words import line, state_words, trouble
from sonoteca_desktop.transfers.queue import Kind, State, Transfer, TransferQueue
from sonoteca_desktop.transfers.ranking import Move
from sonoteca_desktop.transfers.schedule import Schedule

Index: TypeAlias = QModelIndex | QPersistentModelIndex

TransferRole = Qt.ItemDataRole.UserRole
LineRole = TransferRole + 1
ActionsRole = TransferRole + 2
KEYS_TYPE = "application/x-sonoteca-transfers"
"""What is dragged within the list: the keys of transfers, as text."""
_NOWHERE = QModelIndex()
_MOST_DONE = 2_000
_FORGOTTEN_AT_ONCE = 500


class Action(StrEnum):
    """What can be done with one transfer."""

    PAUSE = "Pause"
    RESUME = "Resume"
    RETRY = "Try again"
    CANCEL = "Cancel"
    REMOVE = "Remove from the list"


_ACTIONS = {
    State.QUEUED: (Action.PAUSE, Action.CANCEL),
    State.HASHING: (Action.PAUSE, Action.CANCEL),
    State.PREPARING: (Action.PAUSE, Action.CANCEL),
    State.RUNNING: (Action.PAUSE, Action.CANCEL),
    State.VERIFYING: (Action.CANCEL,),
    State.WAITING: (Action.RETRY, Action.PAUSE, Action.CANCEL),
    State.PAUSED: (Action.RESUME, Action.CANCEL),
    State.BLOCKED: (Action.RETRY, Action.PAUSE, Action.CANCEL),
    State.FAILED: (Action.RETRY, Action.REMOVE),
    State.DONE: (),
}


def actions(transfer: Transfer) -> tuple[Action, ...]:
    """What can be done with a transfer."""
    return (Action.REMOVE,) if transfer.state is State.DONE else buttons(transfer)


def buttons(transfer: Transfer) -> tuple[Action, ...]:
    """What its row offers; what is kept for a pin ends with that alone."""
    offered = _ACTIONS[transfer.state]
    return tuple(each for each in offered if not (transfer.kept and each is Action.CANCEL))


class TransfersModel(QAbstractListModel):
    """Transfers of the queue: those that still have to do something first, then what has ended.

    Of these a `filter` may show a part; totals are always of all of them. Each look costs as much
    as the list is long: at rest, of what is done all but the latest few thousand leave it.

    Signals:
        statusChanged(): speed, number of open transfers or anything else of the whole changed.
        downloadingChanged(dict): SHA-256 -> fraction, of the downloads that are not done.
        finished(Transfer): a transfer was done since the last look.
        batchEnded(Batch): all is at rest again, after something ended.
        limitChanged(): another speed limit, schedule or number at once was set.
    """

    statusChanged = Signal()
    downloadingChanged = Signal(dict)
    finished = Signal(object)
    batchEnded = Signal(object)
    limitChanged = Signal()

    def __init__(self, queue: TransferQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._all: list[Transfer] = []
        self._rows: list[Transfer] = []
        self._before: frozenset[int] = frozenset()
        self.filter = Filter.ALL
        self.totals = Totals()
        self._downloading: dict[str, float] = {}
        self._timer = QTimer(self, interval=100)
        self._timer.timeout.connect(self.poll)
        self._timer.start()
        self.poll()

    # The whole

    @property
    def open_count(self) -> int:
        """How many transfers go on by themselves when they are left alone."""
        return self.totals.open

    @property
    def paused_count(self) -> int:
        return self.totals.paused

    @property
    def total_count(self) -> int:
        """How many there are, shown or not."""
        return len(self._all)

    @property
    def downloading(self) -> Mapping[str, float]:
        """How far the downloads are that are not done (0 to 1), by SHA-256."""
        return self._downloading

    @property
    def done_count(self) -> int:
        return self.totals.done

    @property
    def limit(self) -> int | None:
        """Bytes a second that all transfers together may use; None is as fast as it goes."""
        return self._queue.limit

    def set_limit(self, bytes_per_second: int | None) -> None:
        if bytes_per_second != self.limit:
            self._queue.set_limit(bytes_per_second)
            self.limitChanged.emit()

    @property
    def limit_now(self) -> int | None:
        """The limit that holds at this time of the day."""
        return self._queue.arrangement.limit_now

    @property
    def schedule(self) -> Schedule | None:
        """The hours with a speed limit of their own."""
        return self._queue.arrangement.schedule

    def set_schedule(self, schedule: Schedule | None) -> None:
        self._queue.arrangement.set_schedule(schedule)
        self.limitChanged.emit()

    @property
    def at_once(self) -> int:
        """How many may run at once."""
        return self._queue.arrangement.at_once

    def set_at_once(self, count: int) -> None:
        self._queue.arrangement.set_at_once(count)
        self.limitChanged.emit()

    @property
    def several(self) -> bool:
        """Whether a big file may have several connections."""
        return self._queue.arrangement.several

    def set_several(self, several: bool) -> None:
        self._queue.arrangement.set_several(several=several)

    def set_filter(self, wanted: Filter) -> None:
        """Show these only."""
        self.filter = wanted
        self._follow([row for row in self._all if wanted.shows(row)])
        self.statusChanged.emit()

    def pause_all(self) -> None:
        self._queue.pause_all()
        self.poll()

    def resume_all(self) -> None:
        self._queue.resume_all()
        self.poll()

    def clear_finished(self) -> None:
        self._queue.clear_finished()
        self.poll()

    def act(self, keys: Collection[int], action: Action) -> None:
        """Do what was asked for with those transfers that it can be done with; show it at once."""
        asked = set(keys)
        able = [
            each.key
            for each in self._queue.snapshot()
            if each.key in asked and action in actions(each)
        ]
        match action:
            case Action.PAUSE:
                self._queue.pause(*able)
            case Action.RESUME:
                self._queue.resume(*able)
            case Action.RETRY:
                self._queue.retry(*able)
            case Action.CANCEL | Action.REMOVE:
                self._queue.cancel(*able)
        self.poll()

    def move(self, keys: Collection[int], move: Move) -> None:
        """Let transfers run earlier or later, and show it at once."""
        self._queue.arrangement.move(keys, move)
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
                words = f"{state_words(transfer)}\n{trouble(transfer) or line(transfer)}"
                return units.tool_tip(f"{transfer.name}\n{words}")
            case Qt.ItemDataRole.AccessibleTextRole:
                said = trouble(transfer) or line(transfer)
                kind = transfer.kind.capitalize()
                return f"{kind} of {transfer.name}: {state_words(transfer)}. {said}"
        if role == TransferRole:
            return transfer
        if role == LineRole:
            return line(transfer)
        return buttons(transfer) if role == ActionsRole else None

    # Rows dragged to another place

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        flags = super().flags(index) | Qt.ItemFlag.ItemNeverHasChildren
        if self._rows[index.row()].state not in ENDED:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        return [KEYS_TYPE]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        keys = " ".join(str(self._rows[index.row()].key) for index in indexes)
        data = QMimeData()
        data.setData(KEYS_TYPE, QByteArray(keys.encode()))
        return data

    def dropMimeData(
        self, data: QMimeData, _action: Qt.DropAction, row: int, _column: int, _parent: Index
    ) -> bool:
        """Put the dragged ones before a row; -1 is the end."""
        if not data.hasFormat(KEYS_TYPE):
            return False
        keys = [int(key) for key in bytes(data.data(KEYS_TYPE).data()).split()]
        other = self._rows[row].key if 0 <= row < len(self._rows) else None
        self._queue.arrangement.move_before(keys, other)
        self.poll()
        return True

    # The queue, ten times a second

    def poll(self) -> None:
        """Look at the queue and show what changed."""
        fresh = in_order(self._queue.snapshot())
        if fresh == self._all:
            return
        was_done = {row.key for row in self._all if row.state == State.DONE}
        was_open = self.open_count
        self._all = fresh
        self._follow([row for row in fresh if self.filter.shows(row)])
        # What failed before and is tried again belongs to this batch.
        self._before -= {row.key for row in fresh if row.state not in ENDED}
        self.totals = add_up(fresh, self._before)
        self.statusChanged.emit()
        self._tell_downloading()
        for row in fresh:
            if row.state == State.DONE and row.key not in was_done:
                self.finished.emit(row)
        if not self.open_count and not self.paused_count:
            self._rest(tell=was_open > 0)

        if not self.open_count:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Take what was done longest ago out of the list; which files are here stays known.

        Some at a time: before they are cleared away no worker takes up what comes next.
        """
        done = [row.key for row in self._all if row.state is State.DONE]  # the latest first
        if too_many := done[_MOST_DONE:]:
            self._queue.cancel(*too_many[-_FORGOTTEN_AT_ONCE:])

    def _rest(self, *, tell: bool) -> None:
        """Everything has ended: what comes next is another batch."""
        ended = [row for row in self._all if row.key not in self._before]
        self._before = frozenset(row.key for row in self._all)
        if tell and ended:
            self.batchEnded.emit(Batch.of(ended))

    def _follow(self, fresh: list[Transfer]) -> None:
        """Turn the rows into the fresh ones by the steps that views understand."""
        self._remove_all_but({row.key for row in fresh})
        keys = [row.key for row in self._rows]
        sinking = {row.key: place for place, row in enumerate(fresh)}
        there = set(keys)
        for place, row in enumerate(fresh):
            if place < len(keys) and keys[place] == row.key:
                continue
            if row.key in there:
                self._bring(keys, place, row.key, sinking)
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

    def _bring(self, keys: list[int], place: int, key: int, sinking: dict[int, int]) -> None:
        """Bring a row up, or let those sink that stand in its place and go further.

        One that is done sinks below thousands: in one step, not by lifting each of them. Each
        sinks once at most.
        """
        while keys[place] != key:
            source = keys.index(key, place)
            goal = min(sinking.pop(keys[place], 0), len(keys) - 1)
            if goal > source:
                self._move(keys, place, goal)
            else:
                self._move(keys, source, place)

    def _move(self, keys: list[int], source: int, target: int) -> None:
        before = target + 1 if target > source else target
        self.beginMoveRows(QModelIndex(), source, source, QModelIndex(), before)
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
            for row in self._all
            if row.sha256
            and row.kind == Kind.DOWNLOAD
            and row.state not in ENDED
            # What is kept waits quietly for its turn.
            and (row.state in MOVING or not row.kept)
        }
        if downloading != self._downloading:
            self._downloading = downloading
            self.downloadingChanged.emit(downloading)
