"""Asks for the hours of the day with a speed limit of their own."""

from __future__ import annotations

from PySide6.QtCore import QTime, Signal
from PySide6.QtWidgets import QCheckBox, QSpinBox, QTimeEdit, QWidget

from sonoteca_desktop.transfers.schedule import Schedule
from sonoteca_desktop.views.dialogs import Question
from sonoteca_desktop.views.layout import Label, row
from sonoteca_desktop.views.theme import Theme

_NIGHT = Schedule(start=22 * 60, end=6 * 60)


class ScheduleDialog(Question):
    """One row: from when to when, and how fast.

    Signals:
        scheduleChosen(object): a Schedule, or None for the same limit all day.
    """

    scheduleChosen = Signal(object)

    def __init__(
        self, theme: Theme, schedule: Schedule | None, parent: QWidget | None = None
    ) -> None:
        super().__init__(
            theme,
            "Speed at certain hours",
            "Between these times this limit holds in place of the usual one.",
            parent,
        )
        self.setObjectName("scheduleDialog")
        shown = schedule or _NIGHT
        self._on = QCheckBox("Daily from", self)
        self._on.setObjectName("scheduleOn")
        self._start = self._time("scheduleStart", "Begins at", shown.start)
        self._end = self._time("scheduleEnd", "Ends at", shown.end)
        self._limit = QSpinBox(self)
        self._limit.setObjectName("scheduleLimit")
        self._limit.setAccessibleName("Speed limit in these hours in KB/s; 0 is none")
        self._limit.setRange(0, 10_000_000)
        self._limit.setSpecialValueText("no limit")
        self._limit.setSuffix(" KB/s")
        self._limit.setValue((shown.limit or 0) // 1000)
        self._on.setChecked(schedule is not None)
        self._on.toggled.connect(self._allow)
        line = row(spacing=8)
        line.addWidget(self._on)
        line.addWidget(self._start)
        line.addWidget(Label(theme, "scheduleTo", self, text="to"))
        line.addWidget(self._end)
        line.addWidget(self._limit, 1)
        self.body.addLayout(line)
        self.body.addSpacing(14)
        self.add_button("Cancel", "scheduleCancel").clicked.connect(self.reject)
        self.add_button("Set hours", "scheduleSet", primary=True).clicked.connect(self.accept)
        self.accepted.connect(self._tell)
        self._allow()

    def _time(self, name: str, words: str, minute: int) -> QTimeEdit:
        field = QTimeEdit(QTime(minute // 60, minute % 60), self)
        field.setObjectName(name)
        field.setAccessibleName(words)
        field.setDisplayFormat("HH:mm")
        return field

    def _allow(self) -> None:
        for field in (self._start, self._end, self._limit):
            field.setEnabled(self._on.isChecked())

    def _tell(self) -> None:
        start, end = (field.time() for field in (self._start, self._end))
        schedule = Schedule(
            start=start.hour() * 60 + start.minute(),
            end=end.hour() * 60 + end.minute(),
            limit=self._limit.value() * 1000 or None,
        )
        self.scheduleChosen.emit(schedule if self._on.isChecked() else None)
