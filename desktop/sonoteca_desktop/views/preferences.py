"""The preferences: what is kept of what was heard, how transfers go, and what closing means."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QWidget

from sonoteca_desktop.models import units
from sonoteca_desktop.models.transfers import TransfersModel
from sonoteca_desktop.views.buttons import TextButton
from sonoteca_desktop.views.choice import Choice
from sonoteca_desktop.views.closing import Closing
from sonoteca_desktop.views.dialogs import ClosingAnswer, Question
from sonoteca_desktop.views.layout import Label, row
from sonoteca_desktop.views.limit import LimitButton
from sonoteca_desktop.views.theme import Theme

_GB = 1_000_000_000
_CLOSING: tuple[tuple[str, ClosingAnswer | None], ...] = (
    ("Ask what to do", None),
    ("Keep them running", ClosingAnswer.KEEP),
    ("Stop, and go on next time", ClosingAnswer.STOP),
)


class PreferencesDialog(Question):
    """Shows what is chosen; every change applies at once.

    Signals:
        budgetChosen(object): so many bytes of what was heard may stay on this computer.
        emptyRequested(): give back the room of what was heard.
    """

    budgetChosen = Signal(object)
    emptyRequested = Signal()

    def __init__(
        self,
        theme: Theme,
        transfers: TransfersModel,
        leaving: Closing,
        *,
        budget: int,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, "Preferences", "Every change applies at once.", parent)
        self.setObjectName("preferencesDialog")
        self._transfers = transfers
        self._leaving = leaving
        self._add_cache(theme, budget)
        self._add_transfers(theme)
        self._add_closing(theme)
        self.add_button("Done", "preferencesDone", primary=True).clicked.connect(self.accept)
        self._budget.setFocus()

    def show_used(self, used: int) -> None:
        """So many bytes are kept of what was heard."""
        self._used.setText(f"{units.size(used)} in use; what was heard longest ago goes first")
        self._empty.setEnabled(used > 0)

    def _add_cache(self, theme: Theme, budget: int) -> None:
        self._budget = QDoubleSpinBox(self)
        self._budget.setObjectName("cacheBudget")
        self._budget.setAccessibleName("Room for sounds that were heard, in GB")
        self._budget.setRange(0.0, 10_000.0)
        self._budget.setDecimals(1)
        self._budget.setSingleStep(0.5)
        self._budget.setSuffix(" GB")
        self._budget.setKeyboardTracking(False)  # not before a number is typed to its end
        self._budget.setValue(budget / _GB)
        self._budget.valueChanged.connect(self._choose_budget)
        self._used = Label(theme, "cacheUsed", self, text="…", tone="dim", pixels=11)
        self._empty = TextButton(theme, "Empty now", height=28, parent=self)
        self._empty.setObjectName("cacheEmpty")
        self._empty.setEnabled(False)
        self._empty.clicked.connect(self.emptyRequested)
        self._add_line(theme, "Keep sounds that were heard", self._budget)
        line = row(spacing=8)
        line.addWidget(self._used, 1)
        line.addWidget(self._empty)
        self.body.addSpacing(6)
        self.body.addLayout(line)
        self.body.addSpacing(16)

    def _add_transfers(self, theme: Theme) -> None:
        self.limit = LimitButton(theme, self)
        self._several = QCheckBox("Fetch big files over several connections at once", self)
        self._several.setObjectName("severalConnections")
        self._several.setToolTip("Faster where the line is long; up to four for a file from 64 MiB")
        self._several.setChecked(self._transfers.several)
        self._several.toggled.connect(self._transfers.set_several)
        self.limit.limitChosen.connect(self._transfers.set_limit)
        self.limit.scheduleChosen.connect(self._transfers.set_schedule)
        self.limit.atOnceChosen.connect(self._transfers.set_at_once)
        self._transfers.limitChanged.connect(self._show_limit)
        self._show_limit()
        self._add_line(theme, "Speed of transfers", self.limit)
        self.body.addSpacing(8)
        self.body.addWidget(self._several)
        self.body.addSpacing(16)

    def _add_closing(self, theme: Theme) -> None:
        self._closing = Choice(theme, self)
        self._closing.setObjectName("closingChoice")
        self._closing.setAccessibleName("When the window is closed while transfers run")
        for words, answer in _CLOSING:
            self._closing.addItem(words, answer)
        self._closing.setCurrentIndex(
            [answer for _, answer in _CLOSING].index(self._leaving.choice)
        )
        self._closing.currentIndexChanged.connect(self._choose_closing)
        self._add_line(theme, "When closed while transfers run", self._closing)
        self.body.addSpacing(14)

    def _add_line(self, theme: Theme, words: str, field: QWidget) -> None:
        label = Label(theme, f"{field.objectName()}Label", self, text=words)
        label.setBuddy(field)
        line = row(spacing=8)
        line.addWidget(label, 1)
        line.addWidget(field)
        self.body.addLayout(line)

    def _show_limit(self) -> None:
        transfers = self._transfers
        self.limit.show_limit(transfers.limit, transfers.limit_now)
        self.limit.show_rules(transfers.schedule, transfers.at_once)

    def _choose_budget(self, gigabytes: float) -> None:
        self.budgetChosen.emit(round(gigabytes * _GB))

    def _choose_closing(self, index: int) -> None:
        self._leaving.set_choice(_CLOSING[index][1])
