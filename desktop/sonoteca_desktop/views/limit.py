"""The speed limit: a button that says it, and a menu to change it, its hours, and how many run."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QPaintEvent
from PySide6.QtWidgets import QMenu, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.transfers.arrangement import AT_ONCE_MOST
from sonoteca_desktop.transfers.schedule import Schedule
from sonoteca_desktop.views.buttons import ThemedButton
from sonoteca_desktop.views.dialogs import LimitDialog
from sonoteca_desktop.views.schedule import ScheduleDialog
from sonoteca_desktop.views.theme import Theme, paint_pixmap

_CHOICES: tuple[int | None, ...] = (None, 256_000, 1_000_000, 5_000_000)
_NONE = "No speed limit"


def limit_words(limit: int | None) -> str:
    """A limit as the button says it."""
    return _NONE if limit is None else f"Up to {units.speed(limit)}"


class LimitButton(ThemedButton):
    """Says how fast transfers may be.

    Signals:
        limitChosen(object): bytes a second, or None for no limit.
        scheduleChosen(object): a Schedule for hours of their own, or None.
        atOnceChosen(int): how many transfers may run at once.
    """

    limitChosen = Signal(object)
    scheduleChosen = Signal(object)
    atOnceChosen = Signal(int)

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(theme, "gauge", parent)
        self.setObjectName("limitButton")
        self.setFont(theme.font(11, 500))
        self._limit: int | None = None
        self._limit_now: int | None = None
        self._schedule: Schedule | None = None
        self.menu = QMenu(self)
        self.menu.setObjectName("limitMenu")
        for choice in _CHOICES:
            action = QAction("Unlimited" if choice is None else units.speed(choice), self.menu)
            action.setData(choice)
            action.setCheckable(True)
            self.menu.addAction(action)
        self.menu.addSeparator()
        self._custom = self.menu.addAction("Custom…")
        self._custom.setCheckable(True)
        self._choices = [each for each in self.menu.actions() if not each.isSeparator()]
        self._hours = self.menu.addAction("At certain hours…")
        self._hours.setCheckable(True)
        self._hours.triggered.connect(self._ask_hours)
        self._at_once = self._at_once_menu()
        self.menu.triggered.connect(self._chosen)
        self.clicked.connect(self._open)
        self.show_limit(None, None)

    def show_limit(self, limit: int | None, limit_now: int | None) -> None:
        """Show the usual limit, and say the one that holds now."""
        self._limit, self._limit_now = limit, limit_now
        for action in self._choices:
            action.setChecked(action is not self._custom and action.data() == limit)
        self._custom.setChecked(limit not in _CHOICES)
        words = limit_words(limit_now)
        if words == self.text():
            return
        self.setText(words)
        self.setAccessibleName(f"Speed limit: {words}")
        self.setToolTip("How fast all transfers together may be")
        self.updateGeometry()
        self.update()

    def show_rules(self, schedule: Schedule | None, at_once: int) -> None:
        """Show the hours with a limit of their own, and how many may run at once."""
        self._schedule = schedule
        self._hours.setChecked(schedule is not None)
        self._at_once.actions()[at_once - 1].setChecked(True)

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 54, 28)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = self._painter()
        area = QRectF(self.rect())
        if self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.theme.color("raised"))
            painter.drawRoundedRect(area, 7, 7)
        ratio = self.devicePixelRatioF()
        token = "dim" if self._limit_now is None else "accent"
        icon = self.theme.pixmap(self.icon_name, token, 15, ratio=ratio)
        paint_pixmap(painter, QRectF(6, 0, 16, area.height()), icon)
        painter.setPen(self.theme.color("text" if self.underMouse() else "dim"))
        words = QRectF(28, 0, area.width() - 44, area.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self.text())
        arrow = self.theme.pixmap("chevron-down", "dim", 12, ratio=ratio)
        paint_pixmap(painter, QRectF(area.right() - 20, 0, 12, area.height()), arrow)
        self._paint_focus(painter, 7)

    def _at_once_menu(self) -> QActionGroup:
        menu = self.menu.addMenu("Transfers at once")
        group = QActionGroup(menu)
        for count in range(1, AT_ONCE_MOST + 1):
            action = QAction(str(count), group)
            action.setCheckable(True)
            action.setData(count)
        menu.addActions(group.actions())
        group.triggered.connect(self._count_chosen)
        return group

    def _open(self) -> None:
        self.menu.popup(self.mapToGlobal(self.rect().bottomLeft()))

    def _ask_hours(self) -> None:
        self._hours.setChecked(self._schedule is not None)  # until the dialog is answered
        dialog = ScheduleDialog(self.theme, self._schedule, self.window())
        dialog.scheduleChosen.connect(self.scheduleChosen)
        dialog.open()

    def _count_chosen(self, action: QAction) -> None:
        self.atOnceChosen.emit(action.data())

    def _chosen(self, action: QAction) -> None:
        if action not in self._choices:
            return
        if action is self._custom:
            self.show_limit(
                self._limit, self._limit_now
            )  # nothing is chosen before the dialog is answered
            dialog = LimitDialog(self.theme, self._limit, self.window())
            dialog.limitChosen.connect(self.limitChosen)
            dialog.open()
            return
        self.limitChosen.emit(action.data())
