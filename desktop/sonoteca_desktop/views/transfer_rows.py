"""How a transfer is painted, with its buttons; thousands of them cost as little as ten."""

from __future__ import annotations

from typing import TypeAlias

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from sonoteca_desktop.models.transfers import Action, ActionsRole, LineRole, TransferRole
from sonoteca_desktop.transfers.queue import Kind, State, Transfer
from sonoteca_desktop.views.theme import Theme, paint_pixmap

Index: TypeAlias = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 66
_BUTTON = 26
_EDGE = 16
_ICONS = {
    Action.PAUSE: "pause",
    Action.RESUME: "play",
    Action.RETRY: "rotate-cw",
    Action.CANCEL: "x",
    Action.REMOVE: "x",
}
_MARKS = {
    State.QUEUED: "clock",
    State.HASHING: "search",
    State.VERIFYING: "search",
    State.PREPARING: "clock",
    State.WAITING: "clock",
    State.PAUSED: "pause",
    State.BLOCKED: "triangle-alert",
    State.FAILED: "circle-alert",
}
_BARS = {
    State.HASHING: "faint",
    State.RUNNING: "accent",
    State.VERIFYING: "accent",
    State.DONE: "done",
    State.WAITING: "danger",
}
_IN_WORDS = frozenset(
    {State.FAILED, State.BLOCKED}
)  # the reason and the way out in place of the bar
_LINES = {State.FAILED: "danger", State.BLOCKED: "danger", State.WAITING: "danger"}


def action_rect(row: QRect, place: int, count: int) -> QRect:
    """Where the button number `place` of `count` is in the rectangle of a row."""
    left = row.right() - _EDGE + 6 - (count - place) * _BUTTON
    return QRect(left, row.top() + 4, _BUTTON, _BUTTON)


class TransferDelegate(QStyledItemDelegate):
    """Name, a line of words, a bar, and the buttons at the right."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.mouse: QPoint | None = None

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(120, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        transfer = index.data(TransferRole)
        if not isinstance(transfer, Transfer):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("selection"))
            painter.drawRoundedRect(QRectF(rect).adjusted(6.5, 1.5, -6.5, -1.5), 8, 8)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(self._theme.color("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(6.5, 1.5, -6.5, -1.5), 8, 8)
        room = self._paint_buttons(painter, rect, index, transfer)
        self._paint_words(painter, rect, room, index, transfer)
        self._paint_bar(painter, rect, transfer)
        painter.restore()

    def _paint_buttons(
        self, painter: QPainter, rect: QRect, index: Index, transfer: Transfer
    ) -> int:
        """Paint the buttons or the mark of an end; the width that is left for the name."""
        actions: tuple[Action, ...] = index.data(ActionsRole)
        ratio = painter.device().devicePixelRatioF()
        if transfer.state == State.DONE:
            place = action_rect(rect, 0, 1)
            mark = self._theme.pixmap("circle-check", "done", 16, ratio=ratio)
            paint_pixmap(painter, QRectF(place), mark)
        for number, action in enumerate(actions):
            place = action_rect(rect, number, len(actions))
            hovered = self.mouse is not None and place.contains(self.mouse)
            if hovered:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._theme.color("raised"))
                painter.drawRoundedRect(QRectF(place), 7, 7)
            icon = self._theme.pixmap(_ICONS[action], "text" if hovered else "dim", 15, ratio=ratio)
            paint_pixmap(painter, QRectF(place), icon)
        return action_rect(rect, 0, max(len(actions), 1)).left() - rect.left() - _EDGE

    def _paint_words(
        self, painter: QPainter, rect: QRect, room: int, index: Index, transfer: Transfer
    ) -> None:
        left, ratio = rect.left() + _EDGE, painter.device().devicePixelRatioF()
        arrow = "arrow-up" if transfer.kind == Kind.UPLOAD else "arrow-down"
        icon = self._theme.pixmap(arrow, "dim", 13, ratio=ratio)
        paint_pixmap(painter, QRectF(left - 2, rect.top() + 8, 13, 18), icon)
        painter.setFont(self._theme.font(13, 500))
        painter.setPen(self._theme.color("text"))
        name = painter.fontMetrics().elidedText(
            transfer.name, Qt.TextElideMode.ElideMiddle, room - 24
        )
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(left + 16, rect.top() + 8, room - 16, 18), middle, name)
        painter.setFont(self._theme.font(11))
        tone = _LINES.get(transfer.state, "dim")
        indent = self._paint_mark(
            painter, QRectF(left - 2, rect.top() + 30, 13, 14), transfer, tone
        )
        painter.setPen(self._theme.color(tone))
        line = QRect(left + indent, rect.top() + 30, rect.width() - 2 * _EDGE - indent, 15)
        if transfer.state not in _IN_WORDS:
            _paint_line(painter, line, str(index.data(LineRole)))
            return
        _paint_line(painter, line, transfer.note)
        painter.setPen(self._theme.color("dim"))
        _paint_line(painter, line.translated(0, 15), transfer.way_out)

    def _paint_mark(self, painter: QPainter, place: QRectF, transfer: Transfer, tone: str) -> int:
        """Paint the icon of a state that is not plain to see; the width that it takes."""
        mark = _MARKS.get(transfer.state)
        if mark is None:
            return 0
        ratio = painter.device().devicePixelRatioF()
        paint_pixmap(painter, place, self._theme.pixmap(mark, tone, 12, ratio=ratio))
        return 16

    def _paint_bar(self, painter: QPainter, rect: QRect, transfer: Transfer) -> None:
        if transfer.state in _IN_WORDS:
            return
        track = QRectF(rect.left() + _EDGE, rect.bottom() - 13, rect.width() - 2 * _EDGE, 4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.color("hairline"))
        painter.drawRoundedRect(track, 2, 2)
        share = 1.0 if transfer.state == State.DONE else 0.0
        if transfer.total and transfer.state != State.DONE:
            share = min(transfer.done / transfer.total, 1.0)
        if share > 0:
            track.setWidth(max(track.width() * share, 4))
            painter.setBrush(self._theme.color(_BARS.get(transfer.state, "faint")))
            painter.drawRoundedRect(track, 2, 2)


def _paint_line(painter: QPainter, area: QRect, words: str) -> None:
    """One line; what does not fit is cut off with an ellipsis."""
    metrics = painter.fontMetrics()
    short = metrics.elidedText(words, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, short)
