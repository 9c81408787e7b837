"""The panel of transfers: how far each is, and pause, resume, cancel and the speed limit."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QHelpEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QListView,
    QMenu,
    QStackedWidget,
    QToolTip,
    QWidget,
)

from sonoteca_desktop.models import units
from sonoteca_desktop.models.transfers import Action, ActionsRole, TransferRole, TransfersModel
from sonoteca_desktop.transfers.queue import Transfer
from sonoteca_desktop.views.buttons import IconButton
from sonoteca_desktop.views.layout import Label, column, row
from sonoteca_desktop.views.limit import LimitButton
from sonoteca_desktop.views.theme import Theme
from sonoteca_desktop.views.transfer_rows import TransferDelegate, action_rect


class TransferList(QListView):
    """Transfers as rows; their buttons answer the mouse, Enter and Delete the keyboard.

    Signals:
        actionRequested(int, str): the key of a transfer, and the value of an Action.
    """

    actionRequested = Signal(int, str)

    def __init__(self, theme: Theme, model: TransfersModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("transferList")
        self.setAccessibleName("Transfers")
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.viewport().setAutoFillBackground(False)
        self._delegate = TransferDelegate(theme, self)
        self.setItemDelegate(self._delegate)
        self.setModel(model)
        self.customContextMenuRequested.connect(self._open_menu)
        theme.changed.connect(self.viewport().update)

    def actions_of(self, index: QModelIndex) -> tuple[Action, ...]:
        """What can be done with a row now, as its buttons stand from left to right."""
        actions: tuple[Action, ...] | None = index.data(ActionsRole)
        return actions or ()

    def button_rect(self, row: int, action: Action) -> QRect:
        """Where a button of a row is in the viewport; empty when the row does not have it."""
        index = self.model().index(row, 0)
        actions = self.actions_of(index)
        if action not in actions:
            return QRect()
        return action_rect(self.visualRect(index), actions.index(action), len(actions))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        point = event.position().toPoint()
        action = self._action_at(point)
        if event.button() == Qt.MouseButton.LeftButton and action is not None:
            self._request(self.indexAt(point), action)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._delegate.mouse = event.position().toPoint()
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._delegate.mouse = None
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        actions = self.actions_of(index)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and actions:
            self._request(index, actions[0])
        elif event.key() == Qt.Key.Key_Delete and Action.CANCEL in actions:
            self._request(index, Action.CANCEL)
        else:
            super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            action = self._action_at(event.pos())
            if action is not None:
                QToolTip.showText(event.globalPos(), str(action), self)
                return True
        return super().viewportEvent(event)

    def _action_at(self, point: QPoint) -> Action | None:
        index = self.indexAt(point)
        actions = self.actions_of(index)
        for place, action in enumerate(actions):
            if action_rect(self.visualRect(index), place, len(actions)).contains(point):
                return action
        return None

    def _request(self, index: QModelIndex, action: Action) -> None:
        transfer = index.data(TransferRole)
        if isinstance(transfer, Transfer):
            self.actionRequested.emit(transfer.key, str(action))

    def _open_menu(self, point: QPoint) -> None:
        index = self.indexAt(point)
        actions = self.actions_of(index)
        if not actions:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        transfer = index.data(TransferRole)
        for action in actions:
            item = menu.addAction(str(action))
            item.setData((transfer.key, str(action)))
        menu.triggered.connect(self._menu_chosen)
        menu.popup(self.viewport().mapToGlobal(point))

    def _menu_chosen(self, item: QAction) -> None:
        key, action = item.data()
        self.actionRequested.emit(key, action)


class TransfersPanel(QWidget):
    """The list with its heading, the buttons for all, and the speed limit.

    Signals:
        actionRequested(int, str): the key of a transfer, and the value of an Action.
        pauseAllRequested(), resumeAllRequested(), clearFinishedRequested(): the buttons for all.
        limitChosen(object): bytes a second, or None for no limit.
    """

    actionRequested = Signal(int, str)
    pauseAllRequested = Signal()
    resumeAllRequested = Signal()
    clearFinishedRequested = Signal()
    limitChosen = Signal(object)

    def __init__(self, theme: Theme, model: TransfersModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("transfersPanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._model = model
        self.list = TransferList(theme, model, self)
        self.list.actionRequested.connect(self.actionRequested)
        self._title = Label(theme, "transfersTitle", self, text="Transfers", pixels=15, weight=600)
        self._speed = Label(theme, "totalSpeed", self, tone="dim")
        self.limit = LimitButton(theme, self)
        self.limit.limitChosen.connect(self.limitChosen)
        self._pause = self._button("pause", "Pause all transfers", "pauseAllButton")
        self._pause.clicked.connect(self.pauseAllRequested)
        self._resume = self._button("play", "Resume all transfers", "resumeAllButton")
        self._resume.clicked.connect(self.resumeAllRequested)
        self._clear = self._button("list-x", "Clear finished transfers", "clearFinishedButton")
        self._clear.clicked.connect(self.clearFinishedRequested)
        self._empty = self._empty_label()
        self._stack = QStackedWidget(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.list)
        self._arrange()
        model.statusChanged.connect(self._show)
        model.limitChanged.connect(self._show)
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(312, 400)

    def _button(self, icon: str, name: str, object_name: str) -> IconButton:
        button = IconButton(self._theme, icon, name, size=30, icon_size=16, parent=self)
        button.setObjectName(object_name)
        return button

    def _empty_label(self) -> QWidget:
        page = QWidget(self)
        text = (
            "Nothing is being transferred.\n\nFiles that you drop on the window are uploaded. "
            "Select sounds and press Enter to download them."
        )
        label = Label(self._theme, "transfersEmpty", page, text=text, tone="dim", wrap=True)
        box = column(page, margins=(16, 8, 16, 16))
        box.addWidget(label)
        box.addStretch(1)
        return page

    def _arrange(self) -> None:
        heading = row(margins=(16, 12, 16, 0))
        heading.addWidget(self._title, 1)
        heading.addWidget(self._speed)
        tools = row(spacing=2, margins=(10, 4, 10, 4))
        tools.addWidget(self.limit)
        tools.addStretch(1)
        for button in (self._resume, self._pause, self._clear):
            tools.addWidget(button)
        box = column(self)
        box.addLayout(heading)
        box.addLayout(tools)
        box.addWidget(self._stack, 1)

    def _show(self) -> None:
        model = self._model
        self._stack.setCurrentWidget(self.list if model.rowCount() else self._empty)
        self._pause.setEnabled(model.open_count > 0)
        self._resume.setEnabled(model.paused_count > 0)
        self._clear.setEnabled(model.done_count > 0)
        self._speed.setText(units.speed(model.speed) if model.speed >= 1 else "")
        self.limit.show_limit(model.limit)
