"""The places to look in: the whole library, this computer, and every folder."""

from __future__ import annotations

from typing import TypeAlias

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from sonoteca_desktop.models import units
from sonoteca_desktop.sync.mirror import ALL, Scope
from sonoteca_desktop.views.theme import Theme, paint_pixmap
from sonoteca_shared.names import sort_key

Index: TypeAlias = QModelIndex | QPersistentModelIndex

_SCOPE = Qt.ItemDataRole.UserRole
_ICON = _SCOPE + 1
_COUNT = _SCOPE + 2
_DEPTH = _SCOPE + 3
_SEARCH = _SCOPE + 4
_LOCAL = Scope("local")


class Sidebar(QListWidget):
    """Places as a list with headings.

    Signals:
        scopeChosen(Scope): another place was chosen.
        searchChosen(str): a search that is kept on this computer was chosen; "" when left again.
    """

    scopeChosen = Signal(object)
    searchChosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setAccessibleName("Places")
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setMouseTracking(True)
        self.setItemDelegate(_PlaceDelegate(theme, self))
        self._folders: list[tuple[str, int]] = []
        self._pins: list[str] = []
        self._add_heading("Library")
        self._all = self._add_place("All sounds", "library", ALL)
        self._local = self._add_place("On this computer", "hard-drive", _LOCAL)
        self._fixed = self.count()
        self.setCurrentItem(self._all)
        self.currentItemChanged.connect(self._chosen)
        theme.changed.connect(self.viewport().update)

    @property
    def title(self) -> str:
        """The name of the chosen place."""
        scope: Scope = self.currentItem().data(_SCOPE)
        return scope.folder.replace("/", " / ") if scope.folder else self.currentItem().text()

    def set_counts(self, total: int, local: int) -> None:
        self._all.setData(_COUNT, total)
        self._local.setData(_COUNT, local)

    def set_folders(self, folders: list[tuple[str, int]]) -> None:
        """Show these folders; the chosen one stays chosen while it is there."""
        if folders != self._folders:
            self._folders = folders
            self._rebuild()

    def set_pins(self, searches: list[str]) -> None:
        """Show these searches as what is kept on this computer."""
        if searches != self._pins:
            self._pins = searches
            self._rebuild()

    def _rebuild(self) -> None:
        """Fill in all that is not always there anew."""
        scope, search = self.currentItem().data(_SCOPE), self.currentItem().data(_SEARCH)
        self.blockSignals(True)
        while self.count() > self._fixed:
            self.takeItem(self._fixed)
        for text in self._pins:
            self._add_pin(text)
        if self._folders:
            self._add_heading("Folders")
        self._add_folders(self._folders)
        found = self._choose(scope, search) or (search is not None and self._choose(ALL, None))
        self.blockSignals(False)
        if not found:
            self.choose(ALL)

    def choose(self, scope: Scope) -> bool:
        """Choose a place; False when it is not in the list."""
        return self._choose(scope, None)

    def follow(self, text: str) -> None:
        """Another search was typed: a place that stands for one is left, and the search stays."""
        if self.currentItem().data(_SEARCH) not in (None, text):
            self.blockSignals(True)
            self._choose(ALL, None)
            self.blockSignals(False)
            self.viewport().update()

    def _choose(self, scope: Scope, search: str | None) -> bool:
        for row in range(self.count()):
            item = self.item(row)
            if (item.data(_SCOPE), item.data(_SEARCH)) == (scope, search):
                self.setCurrentRow(row)
                return True
        return False

    def sizeHint(self) -> QSize:
        return QSize(218, 400)

    def _add_pin(self, text: str) -> None:
        repository = text.startswith("repo:") and " " not in text
        name = text.removeprefix("repo:") if repository else text
        item = self._add_place(name, "server" if repository else "pin", ALL)
        item.setData(_SEARCH, text)
        item.setData(_DEPTH, 1)
        words = f"Kept on this computer: all of {text}"
        item.setToolTip(units.tool_tip(words))
        item.setData(Qt.ItemDataRole.AccessibleTextRole, words)

    def _add_folders(self, folders: list[tuple[str, int]]) -> None:
        for path, count in with_parents(folders):
            item = self._add_place(path.split("/")[-1], "folder", Scope("folder", path))
            item.setData(_COUNT, count)
            item.setData(_DEPTH, min(path.count("/"), 5))
            item.setToolTip(units.tool_tip(path))

    def _add_heading(self, text: str) -> None:
        item = QListWidgetItem(text, self)
        item.setFlags(Qt.ItemFlag.NoItemFlags)

    def _add_place(self, text: str, icon: str, scope: Scope) -> QListWidgetItem:
        item = QListWidgetItem(text, self)
        item.setData(_SCOPE, scope)
        item.setData(_ICON, icon)
        return item

    def _chosen(self, item: QListWidgetItem | None, before: QListWidgetItem | None) -> None:
        if item is None or not isinstance(scope := item.data(_SCOPE), Scope):
            return
        self.scopeChosen.emit(scope)
        search = item.data(_SEARCH)
        if search is not None:
            self.searchChosen.emit(search)
        elif before is not None and before.data(_SEARCH) is not None:
            self.searchChosen.emit("")


def with_parents(folders: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Folders with those above them, each right before what is in it, its number counting all."""
    counts: dict[str, int] = {}
    for path, count in folders:
        names = path.split("/")
        for depth in range(1, len(names) + 1):
            above = "/".join(names[:depth])
            counts[above] = counts.get(above, 0) + count
    return sorted(counts.items(), key=lambda row: [sort_key(name) for name in row[0].split("/")])


class _PlaceDelegate(QStyledItemDelegate):
    """Headings in small type, places with icon and number."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, _option: QStyleOptionViewItem, index: Index) -> QSize:
        if index.data(_SCOPE) is not None:
            return QSize(120, 33)
        return QSize(120, 38 if index.row() == 0 else 50)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(_SCOPE) is None:
            painter.setFont(self._theme.font(11, 600))
            painter.setPen(self._theme.color("dim"))
            place = QRectF(rect.left() + 18, rect.bottom() - 25, rect.width() - 36, 20)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, str(index.data()))
        else:
            self._paint_place(painter, QRectF(rect.adjusted(8, 1, -8, -1)), state, index)
        painter.restore()

    def _paint_place(
        self, painter: QPainter, area: QRectF, state: QStyle.StateFlag, index: Index
    ) -> None:
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("selection" if chosen else "hover"))
            painter.drawRoundedRect(area, 7, 7)
        left = area.left() + 10 + 14 * int(index.data(_DEPTH) or 0)
        ratio = painter.device().devicePixelRatioF()
        icon = self._theme.pixmap(index.data(_ICON), "accent" if chosen else "dim", ratio=ratio)
        paint_pixmap(painter, QRectF(left, area.top(), 16, area.height()), icon)
        right = area.right() - 10
        if count := int(index.data(_COUNT) or 0):
            painter.setFont(self._theme.font(11))
            painter.setPen(self._theme.color("dim"))
            text = units.count(count)
            width = painter.fontMetrics().horizontalAdvance(text)
            place = QRectF(right - width, area.top(), width + 1, area.height())
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, text)
            right -= width + 8
        painter.setFont(self._theme.font(13, 500))
        painter.setPen(self._theme.color("text"))
        place = QRectF(left + 25, area.top(), right - left - 25, area.height())
        name = painter.fontMetrics().elidedText(
            str(index.data()), Qt.TextElideMode.ElideMiddle, int(place.width())
        )
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, name)
