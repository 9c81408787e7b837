"""The table of sounds: stepping through it plays, Enter downloads."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPointF,
    QRect,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableView, QWidget

from sonoteca_desktop.models.sounds import Column, SoundsModel, Where
from sonoteca_desktop.views.delegates import ROW_HEIGHT, Playing, RowDelegate
from sonoteca_desktop.views.header import SoundHeader
from sonoteca_desktop.views.theme import Theme
from sonoteca_desktop.views.waveform import WaveformPainter
from sonoteca_shared.models import Sound

_WIDTHS = {
    Column.PLAY: 44,
    Column.WAVEFORM: 196,
    Column.LENGTH: 78,
    Column.FORMAT: 116,
    Column.SIZE: 76,
    Column.ADDED: 102,
    Column.STATE: 56,
}
# What a narrow table goes without, in this order: the name is never squeezed for it.
_DISPENSABLE = (Column.ADDED, Column.SIZE, Column.FORMAT, Column.WAVEFORM)
_NAME_WIDTH = 170


class SoundTable(QTableView):
    """Sounds as rows.

    Signals:
        auditionRequested(Sound): one row alone was chosen: play it.
        toggleRequested(Sound): the play button of a row was pressed.
        downloadRequested(list[Sound]): Enter, or the cloud of a row was pressed.
        chosen(): other rows are selected.
        typed(str): a character that is no shortcut: it is to be looked for.
        escaped(): Esc was pressed.
    """

    auditionRequested = Signal(object)
    toggleRequested = Signal(object)
    downloadRequested = Signal(list)
    chosen = Signal()
    typed = Signal(str)
    escaped = Signal()

    def __init__(
        self, theme: Theme, model: SoundsModel, waveforms: WaveformPainter, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setObjectName("soundTable")
        self.setAccessibleName("Sounds")
        self._sounds = model
        self._swapping = False
        self._quiet = False
        self._pressed: Sound | None = None  # by a plain click that has played nothing yet
        self._pressed_at = QPointF()
        self._anchor: tuple[int, int] | None = None
        self._selected_keys: list[int] = []
        self._current_key: int | None = None
        self._delegate = RowDelegate(theme, waveforms, self)
        self.setItemDelegate(self._delegate)
        self.setHorizontalHeader(SoundHeader(theme, self))
        self.setModel(model)
        self._arrange()
        model.aboutToSwap.connect(self._note)
        model.swapped.connect(self._restore)
        theme.changed.connect(self.viewport().update)

    def _arrange(self) -> None:
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setMouseTracking(True)
        self.setCornerButtonEnabled(False)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setMinimumSectionSize(ROW_HEIGHT)
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.verticalScrollBar().setSingleStep(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setMinimumSectionSize(40)
        for column, width in _WIDTHS.items():
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            header.resizeSection(column, width)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(Column.ADDED, Qt.SortOrder.DescendingOrder)
        self.setSortingEnabled(True)

    # What is selected

    def chosen_sounds(self) -> list[Sound]:
        """The selected sounds, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [sound for row in rows if (sound := self._sounds.sound(row)) is not None]

    def current_sound(self) -> Sound | None:
        """The sound of the selected row, or of the last one selected of several."""
        if not self.selectionModel().hasSelection():
            return None
        return self._sounds.sound(self.currentIndex().row())

    def step(self, rows: int) -> None:
        """Go up or down by so many rows, and play what is there."""
        last = self._sounds.rowCount() - 1
        if last < 0:
            return
        current = self.currentIndex().row()
        # With the keyboard the table gets a current row, but nothing is selected yet.
        first = not self.selectionModel().hasSelection()
        self.select_row(max(current, 0) if first else min(max(current + rows, 0), last))

    def select_row(self, row: int) -> None:
        index = self._sounds.index(row, Column.NAME)
        self.setCurrentIndex(index)
        self.scrollTo(index)

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        super().selectionChanged(selected, deselected)
        if self._swapping:
            return
        self.chosen.emit()
        rows = self.selectionModel().selectedRows()
        if len(rows) == 1 and not selected.isEmpty() and not self._quiet:
            sound = self._sounds.sound(rows[0].row())
            if sound is not None and not (sound == self._pressed and self._is_loaded(sound)):
                self._pressed = None
                self.auditionRequested.emit(sound)

    # The row that plays

    def show_playing(self, playing: Playing | None) -> None:
        """Show in its row what the player does; paints that row alone."""
        before, self._delegate.playing = self._delegate.playing, playing
        ids = {state.sound_id for state in (before, playing) if state is not None}
        if playing == before:
            return
        only_moved = len(ids) == 1 and before and playing and before.running == playing.running
        for row in self._visible_rows():
            sound = self._sounds.sound(row)
            if sound is None or sound.id not in ids:
                continue
            rect = self.visualRect(self._sounds.index(row, Column.WAVEFORM))
            if not only_moved:
                rect = QRect(0, rect.top(), self.viewport().width(), ROW_HEIGHT)
            self.viewport().update(rect)

    def _is_loaded(self, sound: Sound | None) -> bool:
        playing = self._delegate.playing
        return sound is not None and playing is not None and playing.sound_id == sound.id

    def _visible_rows(self) -> range:
        first = max(self.rowAt(0), 0)
        last = self.rowAt(self.viewport().height() - 1)
        return range(first, (last if last >= 0 else self._sounds.rowCount() - 1) + 1)

    # Keys and mouse

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if sounds := self.chosen_sounds():
                self.downloadRequested.emit(sounds)
            return
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
            return
        steps = event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and not event.modifiers()
        if steps and not self.selectionModel().hasSelection():
            self.step(0)
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """What is typed goes to the search, in place of Qt's jump to a row that begins so."""
        if search.isprintable() and not search.isspace():
            self.typed.emit(search)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        plain = event.button() == Qt.MouseButton.LeftButton and not event.modifiers()
        sound = self._sounds.sound(index.row()) if plain else None
        self._pressed = None
        if (
            sound is not None
            and index.column() == Column.STATE
            and self._sounds.where(sound) == Where.CLOUD
        ):
            self.downloadRequested.emit([sound])
            return
        alone = self.selectionModel().selectedRows()
        already = self._is_loaded(sound) or [each.row() for each in alone] == [index.row()]
        self._quiet = event.button() != Qt.MouseButton.LeftButton  # a menu is opened in silence
        self._pressed, self._pressed_at = sound, event.position()
        super().mousePressEvent(event)
        self._quiet = False
        if sound is not None and already and index.column() == Column.PLAY:
            self._pressed = None
            self.toggleRequested.emit(sound)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        pressed, self._pressed = self._pressed, None
        # Selected in silence before, or heard to its end.
        if pressed is not None and not self._is_loaded(pressed):
            self.auditionRequested.emit(pressed)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        sound = self._sounds.sound(index.row())
        if sound is not None and index.column() == Column.PLAY:
            self.toggleRequested.emit(sound)
        elif sound is not None and event.button() == Qt.MouseButton.LeftButton:
            self.auditionRequested.emit(sound)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        self._hover(index)
        way = event.position() - self._pressed_at
        if way.manhattanLength() >= QApplication.startDragDistance():
            self._pressed = None
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(QModelIndex())
        super().leaveEvent(event)

    def _hover(self, index: QModelIndex) -> None:
        place = (index.row(), index.column())
        if place != self._delegate.hovered:
            before, self._delegate.hovered = self._delegate.hovered[0], place
            width = self.viewport().width()
            for row in {before, place[0]} - {-1}:
                self.viewport().update(0, self.rowViewportPosition(row), width, ROW_HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        room = self.viewport().width() - sum(_WIDTHS.values())
        for column in _DISPENSABLE:
            hide = room < _NAME_WIDTH
            if hide:
                room += _WIDTHS[column]
            if self.isColumnHidden(column) != hide:
                self.setColumnHidden(column, hide)
        super().resizeEvent(event)

    # New rows under the eyes of the user

    def _note(self) -> None:
        """Remember what is seen and selected, for when the rows have changed."""
        self._swapping = True
        selected = self.selectionModel().selectedRows()
        self._selected_keys = [self._sounds.key(index.row()) for index in selected]
        current = self.currentIndex().row()
        self._current_key = self._sounds.key(current) if current >= 0 else None
        top = self.rowAt(0)
        self._anchor = None
        if top > 0 or (top == 0 and self.verticalScrollBar().value() > 0):
            self._anchor = (self._sounds.key(top), self.rowViewportPosition(top))

    def _restore(self, fresh: bool) -> None:
        """Select the same sounds again, and keep the same ones in sight."""
        self.horizontalHeader().setSortIndicatorShown(not self._sounds.typed_order)
        if not self.selectionModel().hasSelection():
            self._select_again()
        if fresh:
            self.scrollToTop()
        elif self._anchor is not None:
            key, place = self._anchor
            row = self._sounds.row_of(key)
            if row is not None:
                self.updateGeometries()
                self.verticalScrollBar().setValue(row * ROW_HEIGHT - place)
        self._swapping = False
        self.chosen.emit()

    def _select_again(self) -> None:
        flags = QItemSelectionModel.SelectionFlag
        if self._current_key is not None:
            row = self._sounds.row_of(self._current_key)
            if row is not None:
                index = self._sounds.index(row, Column.NAME)
                self.selectionModel().setCurrentIndex(index, flags.NoUpdate)
        selection = QItemSelection()
        for key in self._selected_keys[:1000]:
            row = self._sounds.row_of(key)
            if row is not None:
                index = self._sounds.index(row, 0)
                selection.select(index, index)
        self.selectionModel().select(selection, flags.Select | flags.Rows)
