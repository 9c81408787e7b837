"""What closing the window means while transfers run: asked once, and kept when that is wished."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from sonoteca_desktop.models.transfers import TransfersModel
from sonoteca_desktop.views.dialogs import ClosingAnswer, ClosingQuestion, QuitQuestion
from sonoteca_desktop.views.theme import Theme


class Closing(QObject):
    """Decides with the user whether the window closes for good.

    `switch` shows and changes whether transfers run on without a question. With `has_tray` the
    window goes away meanwhile, else it is minimised.

    Signals:
        chosen(object): a ClosingAnswer from now on, or None to be asked; worth remembering.
        steppedAside(): the window is away, and transfers run on.
    """

    chosen = Signal(object)
    steppedAside = Signal()

    def __init__(
        self, theme: Theme, transfers: TransfersModel, switch: QAction, window: QWidget
    ) -> None:
        super().__init__(window)
        self._theme = theme
        self._transfers = transfers
        self._window = window
        self._question: ClosingQuestion | QuitQuestion | None = None
        self._sure = False
        self._switch = switch
        self._choice: ClosingAnswer | None = None
        self.has_tray = False
        switch.toggled.connect(self._switched)

    @property
    def choice(self) -> ClosingAnswer | None:
        """What is done without a question; None is to ask."""
        return self._choice

    def allows(self) -> bool:
        """Whether the window may close now; if not, the user is asked, or it steps aside."""
        running = self._transfers.open_count
        if self._sure or not running or self._choice is ClosingAnswer.STOP:
            return True
        if self._choice is ClosingAnswer.KEEP:
            self._step_aside()
        elif self._question is None:
            question = ClosingQuestion(self._theme, running, self._window)
            question.answered.connect(self._answer)
            self._question = question
            question.open()
        return False

    def quit(self) -> None:
        """End the program: ask once while transfers run, wherever the window is."""
        running = self._transfers.open_count
        if not running:
            self._leave()
        elif self._question is None:
            self._window.show()
            question = QuitQuestion(self._theme, running, self._window)
            question.accepted.connect(self._leave)
            question.finished.connect(self._forget_question)
            self._question = question
            question.open()

    def set_choice(self, choice: ClosingAnswer | None) -> None:
        """From now on do this without a question; None is to ask."""
        if choice is not self._choice:
            self._choice = choice
            self.chosen.emit(choice)
        self._switch.setChecked(choice is ClosingAnswer.KEEP)

    def _switched(self, on: object) -> None:
        if on or self._choice is ClosingAnswer.KEEP:
            self.set_choice(ClosingAnswer.KEEP if on else None)

    def _answer(self, answer: ClosingAnswer, always: object) -> None:
        self._question = None
        if always and answer is not ClosingAnswer.CANCEL:
            self.set_choice(answer)
        if answer is ClosingAnswer.KEEP:
            self._step_aside()
        elif answer is ClosingAnswer.STOP:
            self._leave()

    def _step_aside(self) -> None:
        if self.has_tray:
            self._window.hide()
        else:
            self._window.showMinimized()
        self.steppedAside.emit()

    def _forget_question(self) -> None:
        self._question = None

    def _leave(self) -> None:
        self._sure = True
        self._window.close()
