"""The sound table: a window over the ids that fit, rows read from the mirror as they are seen."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import replace
from enum import IntEnum, StrEnum
from typing import TypeAlias

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from sonoteca_desktop.models import units
from sonoteca_desktop.models.questions import STATE, Answer, Question, Searcher
from sonoteca_desktop.models.steps import steps_between
from sonoteca_desktop.sync.mirror import Here, Mirror, Scope
from sonoteca_shared.models import Sound

Index: TypeAlias = QModelIndex | QPersistentModelIndex

SoundRole = Qt.ItemDataRole.UserRole
WhereRole = SoundRole + 1
ProgressRole = SoundRole + 2  # of a download that runs, 0 to 1
_NOWHERE = QModelIndex()
_PAGE = 128
_PAGES = 64


class Column(IntEnum):
    """The columns of the table, from left to right."""

    PLAY = 0
    NAME = 1
    WAVEFORM = 2
    LENGTH = 3
    FORMAT = 4
    SIZE = 5
    ADDED = 6
    STATE = 7


class Where(StrEnum):
    """Where the bytes of a sound are."""

    CLOUD = "In the library on the server"
    DOWNLOADING = "Downloading"
    LOCAL = "On this computer"
    KEPT = "Kept on this computer"
    KEEPING = "Waiting to be kept on this computer"

    @property
    def is_here(self) -> bool:
        """Whether the bytes are on this computer."""
        return self in (Where.LOCAL, Where.KEPT)


TITLES = {
    Column.PLAY: "",
    Column.NAME: "Name",
    Column.WAVEFORM: "Waveform",
    Column.LENGTH: "Length",
    Column.FORMAT: "Format",
    Column.SIZE: "Size",
    Column.ADDED: "Added",
    Column.STATE: "State",
}
SORTS = {
    Column.NAME: "name",
    Column.LENGTH: "duration",
    Column.FORMAT: "samplerate",
    Column.SIZE: "size",
    Column.ADDED: "created",
    Column.STATE: STATE,
}


class SoundsModel(QAbstractTableModel):
    """Sounds of the mirror that fit the words, the scope and the order asked for.

    Signals:
        aboutToSwap(): the rows change in a moment; a view notes what it shows.
        swapped(bool): the new rows are there; True when they answer a new question, False when
            the library itself changed.
        failed(str): the mirror could not be read; the sentence says why.
        pinnedChanged(): other sounds are kept on this computer for good.
    """

    aboutToSwap = Signal()
    pinnedChanged = Signal()
    swapped = Signal(bool)
    failed = Signal(str)

    def __init__(
        self, mirror: Mirror, parent: QObject | None = None, *, debounce_ms: int = 150
    ) -> None:
        super().__init__(parent)
        self._mirror = mirror
        self._question = Question()
        self._shown = self._question
        self._keys: array[int] = array("q")
        self._pages: OrderedDict[int, list[Sound | None]] = OrderedDict()
        self._local: frozenset[str] = frozenset()
        self._pinned: frozenset[str] = frozenset()
        self._downloading: dict[str, float] = {}
        self.total = 0
        self.local_total = 0
        self.folders: list[tuple[str, int]] = []
        self.ignored: tuple[str, ...] = ()
        self.typed_order = False
        self.loaded = False
        self._closed = False
        self.searcher = Searcher(mirror, self)
        self.searcher.found.connect(self._take)
        self.searcher.failed.connect(self.failed)
        self._debounce = QTimer(self, singleShot=True, interval=debounce_ms)
        self._debounce.timeout.connect(self.refresh)

    # What is asked for

    @property
    def question(self) -> Question:
        """What is asked for now; the rows may still answer the question before."""
        return self._question

    @property
    def shown(self) -> Question:
        """The question that the rows answer."""
        return self._shown

    def search(self, words: str) -> None:
        """Look for words, after the typing has paused."""
        words = words.strip()
        if words != self._question.words:
            self._question = replace(self._question, words=words)
            self._debounce.start()

    def set_scope(self, scope: Scope) -> None:
        """Look in the whole library, on this computer or in one folder."""
        if scope != self._question.scope:
            self._question = replace(self._question, scope=scope)
            self.refresh()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order by a column; columns without an order of their own change nothing."""
        key = SORTS.get(Column(column)) if column in tuple(Column) else None
        descending = order == Qt.SortOrder.DescendingOrder
        if key and (key, descending) != (self._question.sort, self._question.descending):
            self._question = replace(self._question, sort=key, descending=descending)
            self.refresh()

    def refresh(self) -> None:
        """Ask again: the library changed. Rows that are still there keep their place."""
        self._debounce.stop()
        self.searcher.ask(self._question, Here(self._local, self._pinned))

    def set_local(self, digests: Collection[str]) -> None:
        """Which sounds are on this computer, by the SHA-256 of their files."""
        if (local := frozenset(digests)) != self._local:
            self._local = local
            self._redraw(Column.STATE)
            self.refresh()

    def set_pinned(self, digests: Collection[str]) -> None:
        """Which sounds are kept on this computer for good, or are to be, by SHA-256."""
        if (pinned := frozenset(digests)) != self._pinned:
            self._pinned = pinned
            self._redraw(Column.STATE)
            self.pinnedChanged.emit()
            if "pinned" in self._question.words:
                self.refresh()

    def set_downloading(self, progress: Mapping[str, float]) -> None:
        """Which sounds are being downloaded, by SHA-256, and how far they are (0 to 1)."""
        if progress != self._downloading:
            self._downloading = dict(progress)
            self._redraw(Column.STATE)

    def close(self) -> None:
        """End the search thread; call it before the mirror is closed."""
        self._debounce.stop()
        self._closed = True
        self.searcher.close()

    # Rows

    def sound(self, row: int) -> Sound | None:
        """The sound of a row; None when it left the library a moment ago."""
        if not 0 <= row < len(self._keys):
            return None
        page, place = divmod(row, _PAGE)
        rows = self._pages.get(page)
        if rows is None:
            rows = self._mirror.sounds(self._keys[page * _PAGE : (page + 1) * _PAGE])
            self._pages[page] = rows
            if len(self._pages) > _PAGES:
                self._pages.popitem(last=False)
        else:
            self._pages.move_to_end(page)
        return rows[place]

    def key(self, row: int) -> int:
        """What stands for a row across swaps, see `row_of`."""
        return self._keys[row]

    def row_of(self, key: int) -> int | None:
        """The row of a key, or None when it is not among the rows."""
        try:
            return self._keys.index(key)
        except ValueError:
            return None

    def is_pinned(self, sound: Sound) -> bool:
        """Whether the sound is kept on this computer for good, or is to be."""
        return sound.sha256 in self._pinned

    def where(self, sound: Sound) -> Where:
        pinned = sound.sha256 in self._pinned
        if sound.sha256 in self._local:
            return Where.KEPT if pinned else Where.LOCAL
        if sound.sha256 in self._downloading:
            return Where.DOWNLOADING
        return Where.KEEPING if pinned else Where.CLOUD

    # Qt's questions

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._keys)

    def columnCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        horizontal = orientation == Qt.Orientation.Horizontal
        if horizontal and role == Qt.ItemDataRole.DisplayRole and section in tuple(Column):
            return TITLES[Column(section)]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        sound = self.sound(index.row())
        if sound is None or role == SoundRole:
            return sound
        if role == WhereRole:
            return self.where(sound)
        if role == ProgressRole:
            return self._downloading.get(sound.sha256)
        return self._words(sound, Column(index.column()), role)

    def _words(self, sound: Sound, column: Column, role: int) -> str | None:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(sound, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tool_tip(sound, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            if column == Column.WAVEFORM and sound.loudness:
                return f"{TITLES[column]}, {units.loudness(sound.loudness)}"
            return self._text(sound, column) or TITLES[column] or f"Play {sound.name}"
        return None

    def _text(self, sound: Sound, column: Column) -> str:
        match column:
            case Column.NAME:
                return f"{sound.name}, in {sound.folder}" if sound.folder else sound.name
            case Column.LENGTH:
                return units.length(sound.duration)
            case Column.FORMAT:
                return units.sample_format(sound)
            case Column.SIZE:
                return units.size(sound.size)
            case Column.ADDED:
                return units.date(sound.created)
            case Column.STATE:
                return str(self.where(sound))
            case _:
                return ""

    def _tool_tip(self, sound: Sound, column: Column) -> str | None:
        match column:
            case Column.NAME:
                place = f"{sound.folder}/{sound.name}" if sound.folder else sound.name
                return units.tool_tip(f"{place}\n{sound.description}".rstrip())
            case Column.WAVEFORM:
                return units.loudness(sound.loudness) if sound.loudness else None
            case Column.FORMAT:
                return f"{units.sample_format(sound)} · {units.channels(sound.channels)}"
            case Column.SIZE:
                return f"{units.count(sound.size)} bytes"
            case Column.ADDED:
                return f"{sound.created.astimezone():%Y-%m-%d %H:%M:%S}"
            case Column.STATE:
                return str(self.where(sound))
            case _:
                return None

    # Answers

    def _take(self, answer: Answer) -> None:
        if self._closed or answer.question != self._question:
            return  # typed on meanwhile: a newer answer is on its way
        fresh = answer.question != self._shown or not self.loaded
        self.total, self.local_total = answer.total, answer.local_total
        self.folders, self.ignored = answer.folders, answer.ignored
        self.typed_order = answer.typed_order
        self._shown, self.loaded = answer.question, True
        self.aboutToSwap.emit()
        self._swap(answer.keys, fresh=fresh)
        self.swapped.emit(fresh)

    def _swap(self, keys: array[int], *, fresh: bool) -> None:
        """Put new rows in place by small steps, so that selections live on; else all at once."""
        steps = None if fresh else steps_between(self._keys, keys)
        if steps is None:
            self.beginResetModel()
            self._keys = keys
            self._pages.clear()
            self.endResetModel()
            return
        self._pages.clear()
        for step in steps:
            first, last = step.row, step.row + step.count - 1
            if step.keys is None:
                self.beginRemoveRows(QModelIndex(), first, last)
                del self._keys[first : last + 1]
                self._pages.clear()
                self.endRemoveRows()
            else:
                self.beginInsertRows(QModelIndex(), first, last)
                self._keys[first:first] = step.keys
                self._pages.clear()
                self.endInsertRows()
        if self._keys:  # what is known of the sounds themselves may have changed too
            last_row, last_column = len(self._keys) - 1, len(Column) - 1
            self.dataChanged.emit(self.index(0, 0), self.index(last_row, last_column))

    def _redraw(self, column: Column) -> None:
        if self._keys:
            first, last = self.index(0, column), self.index(len(self._keys) - 1, column)
            self.dataChanged.emit(first, last)
