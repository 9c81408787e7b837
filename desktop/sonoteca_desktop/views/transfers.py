"""The panel of transfers: all together, the buttons for all, which are shown, and the list."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QStackedWidget, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.models.totals import Filter
from sonoteca_desktop.models.transfers import TransfersModel
from sonoteca_desktop.views.buttons import IconButton
from sonoteca_desktop.views.chips import Chip
from sonoteca_desktop.views.layout import Label, column, row
from sonoteca_desktop.views.limit import LimitButton
from sonoteca_desktop.views.theme import Theme
from sonoteca_desktop.views.transfer_list import TransferList

_MANY = 8
"""From so many on one may want to see some of them only."""


class TransfersPanel(QWidget):
    """The list with its heading, the buttons for all, and the speed limit.

    What is wanted of single transfers, `list.asked` says; of their speed, the signals of `limit`.

    Signals:
        pauseAllRequested(), resumeAllRequested(), clearFinishedRequested(): the buttons for all.
        filterChosen(Filter): show these only.
    """

    pauseAllRequested = Signal()
    resumeAllRequested = Signal()
    clearFinishedRequested = Signal()
    filterChosen = Signal(object)

    def __init__(self, theme: Theme, model: TransfersModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("transfersPanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._model = model
        self.list = TransferList(theme, model, self)
        self._title = Label(theme, "transfersTitle", self, text="Transfers", pixels=15, weight=600)
        self._speed = Label(theme, "totalSpeed", self, tone="dim")
        self._together = Label(theme, "transfersTogether", self, tone="dim", pixels=11, wrap=True)
        self.limit = LimitButton(theme, self)
        self._pause = self._button("pause", "Pause all transfers", "pauseAllButton")
        self._pause.clicked.connect(self.pauseAllRequested)
        self._resume = self._button("play", "Resume all transfers", "resumeAllButton")
        self._resume.clicked.connect(self.resumeAllRequested)
        self._clear = self._button("list-x", "Clear finished transfers", "clearFinishedButton")
        self._clear.clicked.connect(self.clearFinishedRequested)
        self._filters = self._filter_chips()
        self._stack = QStackedWidget(self)
        self._empty = self._words(
            "transfersEmpty",
            "Nothing is being transferred.\n\nFiles that you drop on the window are uploaded. "
            "Select sounds and press Enter to download them.",
        )
        self._none = self._words("transfersNone", "None of the transfers is like that.")
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

    def _filter_chips(self) -> QWidget:
        place = QWidget(self)
        box = row(place, spacing=4, margins=(14, 0, 14, 6))
        group = QButtonGroup(place)
        self._chips: dict[QAbstractButton, Filter] = {}
        for wanted in Filter:
            chip = Chip(self._theme, str(wanted), place)
            chip.setObjectName(f"filter{wanted}")
            group.addButton(chip)
            self._chips[chip] = wanted
            box.addWidget(chip)
        box.addStretch(1)
        group.buttonClicked.connect(self._choose_filter)
        return place

    def _words(self, name: str, text: str) -> QWidget:
        page = QWidget(self)
        label = Label(self._theme, name, page, text=text, tone="dim", wrap=True)
        box = column(page, margins=(16, 8, 16, 16))
        box.addWidget(label)
        box.addStretch(1)
        self._stack.addWidget(page)
        return page

    def _arrange(self) -> None:
        heading = row(margins=(16, 12, 16, 0))
        heading.addWidget(self._title, 1)
        heading.addWidget(self._speed)
        together = row(margins=(16, 2, 16, 0))
        together.addWidget(self._together)
        tools = row(spacing=2, margins=(10, 4, 10, 4))
        tools.addWidget(self.limit)
        tools.addStretch(1)
        for button in (self._resume, self._pause, self._clear):
            tools.addWidget(button)
        box = column(self)
        box.addLayout(heading)
        box.addLayout(together)
        box.addLayout(tools)
        box.addWidget(self._filters)
        box.addWidget(self._stack, 1)

    def _choose_filter(self, chip: QAbstractButton) -> None:
        self.filterChosen.emit(self._chips[chip])

    def _show(self) -> None:
        model, totals = self._model, self._model.totals
        shown = self.list if model.total_count else self._empty
        if model.total_count and not model.rowCount():
            shown = self._none
        self._stack.setCurrentWidget(shown)
        self._pause.setEnabled(totals.open > 0)
        self._resume.setEnabled(totals.paused > 0)
        self._clear.setEnabled(totals.done > 0)
        self._speed.setText(units.speed(totals.speed) if totals.speed >= 1 else "")
        self._together.setText(totals.words())
        self._together.setVisible(bool(totals.words()))
        self._show_filters()
        self.limit.show_limit(model.limit, model.limit_now)
        self.limit.show_rules(model.schedule, model.at_once)

    def _show_filters(self) -> None:
        model, totals = self._model, self._model.totals
        counts = {
            Filter.ALL: model.total_count,
            Filter.OPEN: totals.open + totals.paused,
            Filter.FAILED: totals.failed,
            Filter.DONE: totals.done,
        }
        for chip, wanted in self._chips.items():
            chip.setText(f"{wanted} {units.count(counts[wanted])}")
            chip.setChecked(wanted == model.filter)
        chosen = model.filter is not Filter.ALL
        self._filters.setVisible(model.total_count >= _MANY or chosen)
