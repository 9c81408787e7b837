"""The list of transfers: rows that are selected, dragged, and answered by mouse and keyboard."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QDropEvent, QHelpEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QListView, QToolTip, QWidget

from sonoteca_desktop.models.transfers import (
    Action,
    ActionsRole,
    TransferRole,
    TransfersModel,
    actions,
)
from sonoteca_desktop.transfers.queue import State, Transfer
from sonoteca_desktop.transfers.ranking import Move
from sonoteca_desktop.views.theme import Theme
from sonoteca_desktop.views.transfer_menu import Choice, Errand, TransferMenu
from sonoteca_desktop.views.transfer_rows import TransferDelegate, action_rect

_ENTER = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})
# What Enter may do by itself: nothing that cannot be taken back.
_GENTLE = frozenset({Action.PAUSE, Action.RESUME, Action.RETRY})
_PLAIN_KEYS = _ENTER | {Qt.Key.Key_Space, Qt.Key.Key_Delete}
_MOVES = {
    Qt.Key.Key_Home: Move.TOP,
    Qt.Key.Key_Up: Move.UP,
    Qt.Key.Key_Down: Move.DOWN,
    Qt.Key.Key_End: Move.BOTTOM,
}


class TransferList(QListView):
    """Transfers as rows with buttons; one or many can be selected.

    Space pauses and resumes, Delete cancels or removes, Enter opens what is done and else pauses,
    resumes or tries again, Ctrl with an arrow moves, and dragging does, too.

    Signals:
        asked(list[Transfer], object): these, and the Action, Move or Errand that is wanted of them.
    """

    asked = Signal(list, object)

    def __init__(self, theme: Theme, model: TransfersModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("transferList")
        self.setAccessibleName("Transfers")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setDragDropMode(QListView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.viewport().setAutoFillBackground(False)
        self._pressed: tuple[int, Action] | None = None
        self._delegate = TransferDelegate(theme, self)
        self.setItemDelegate(self._delegate)
        self.setModel(model)
        self.customContextMenuRequested.connect(self._open_menu)
        self.doubleClicked.connect(self._open_file)
        theme.changed.connect(self.viewport().update)

    def actions_of(self, index: QModelIndex) -> tuple[Action, ...]:
        """What the buttons of a row do now, as they stand from left to right."""
        buttons: tuple[Action, ...] | None = index.data(ActionsRole)
        return buttons or ()

    def button_rect(self, row: int, action: Action) -> QRect:
        """Where a button of a row is in the viewport; empty when the row does not have it."""
        index = self.model().index(row, 0)
        buttons = self.actions_of(index)
        if action not in buttons:
            return QRect()
        return action_rect(self.visualRect(index), buttons.index(action), len(buttons))

    def selected(self) -> list[Transfer]:
        """The transfers that are selected, from top to bottom."""
        indexes = sorted(self.selectedIndexes(), key=QModelIndex.row)
        return [index.data(TransferRole) for index in indexes]

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        at = self._button_at(event.position().toPoint())
        self._pressed = at if left else None
        if at is None:
            super().mousePressEvent(event)  # a button neither selects its row nor drags it

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        # A button's second click may be on the row that came up below the first; it is no press.
        if self._action_at(event.position().toPoint()) is None:
            super().mouseDoubleClickEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        point = event.position().toPoint()
        if event.button() != Qt.MouseButton.LeftButton:
            return
        # Between the two a row may have moved, or its button become another.
        pressed, self._pressed = self._pressed, None
        if pressed is not None and pressed == self._button_at(point):
            self.asked.emit([self.indexAt(point).data(TransferRole)], pressed[1])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(event.position().toPoint())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(None)

    def dropEvent(self, event: QDropEvent) -> None:
        point = event.position().toPoint()
        index = self.indexAt(point)
        below = index.isValid() and point.y() > self.visualRect(index).center().y()
        row = index.row() + below if index.isValid() else -1
        if self.model().dropMimeData(
            event.mimeData(), Qt.DropAction.MoveAction, row, 0, QModelIndex()
        ):
            event.accept()
        self.stopAutoScroll()
        self.setState(QListView.State.NoState)
        self.viewport().update()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            action = self._action_at(event.pos())
            if action is not None:
                QToolTip.showText(event.globalPos(), str(action), self)
                return True
        return super().viewportEvent(event)

    def _hover(self, point: QPoint | None) -> None:
        for each in (self._delegate.mouse, point):
            if each is not None:
                self.viewport().update(self.visualRect(self.indexAt(each)))
        self._delegate.mouse = point

    def _action_at(self, point: QPoint) -> Action | None:
        index = self.indexAt(point)
        buttons = self.actions_of(index)
        for place, action in enumerate(buttons):
            if action_rect(self.visualRect(index), place, len(buttons)).contains(point):
                return action
        return None

    def _button_at(self, point: QPoint) -> tuple[int, Action] | None:
        """The key of the transfer that a button there belongs to, and what the button does."""
        action = self._action_at(point)
        return None if action is None else (self.indexAt(point).data(TransferRole).key, action)

    # Keyboard

    def event(self, event: QEvent) -> bool:
        # Space plays and Alt+Up steps everywhere else in the window; here the list has its own.
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and (self._move_of(event) or self._is_plain(event))
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        transfers = self.selected()
        move = self._move_of(event)
        if transfers and move is not None:
            self.asked.emit(transfers, move)
        elif transfers and self._is_plain(event):
            self._press(Qt.Key(event.key()), transfers)
        else:
            super().keyPressEvent(event)

    def _press(self, key: Qt.Key, transfers: list[Transfer]) -> None:
        possible = {action for each in transfers for action in actions(each)}
        if key in _ENTER:
            self._enter(transfers)
        elif key == Qt.Key.Key_Delete:
            self._ask_first((Action.CANCEL, Action.REMOVE), possible, transfers)
        else:
            self._ask_first((Action.PAUSE, Action.RESUME), possible, transfers)

    def _enter(self, transfers: list[Transfer]) -> None:
        if transfers[0].state is State.DONE:
            self.asked.emit(transfers[:1], Errand.OPEN)
            return
        for action in actions(transfers[0]):
            if action in _GENTLE:
                self.asked.emit(transfers, action)
                return

    def _ask_first(
        self, wanted: tuple[Action, ...], possible: set[Action], transfers: list[Transfer]
    ) -> None:
        for action in wanted:
            if action in possible:
                self.asked.emit(transfers, action)
                return

    def _is_plain(self, event: QKeyEvent) -> bool:
        keypad = Qt.KeyboardModifier.KeypadModifier
        return event.key() in _PLAIN_KEYS and not event.modifiers() & ~keypad

    def _move_of(self, event: QKeyEvent) -> Move | None:
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return None
        return _MOVES.get(Qt.Key(event.key()))

    # Menu

    def _open_menu(self, point: QPoint) -> None:
        index = self.indexAt(point)
        if index.isValid() and not self.selectionModel().isSelected(index):
            self.selectionModel().setCurrentIndex(
                index, QItemSelectionModel.SelectionFlag.ClearAndSelect
            )
        transfers = self.selected()
        if not transfers:
            return
        menu = TransferMenu(transfers, self)
        menu.chosen.connect(self._choose)
        menu.popup(self.viewport().mapToGlobal(point))

    def _choose(self, choice: Choice) -> None:
        self.asked.emit(self.selected(), choice)

    def _open_file(self, index: QModelIndex) -> None:
        transfer = index.data(TransferRole)
        if isinstance(transfer, Transfer) and transfer.state is State.DONE:
            self.asked.emit([transfer], Errand.OPEN)
