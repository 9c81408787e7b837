"""The menu of the transfers that are selected: what can be done with them, and what is copied."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from sonoteca_desktop.models.totals import ENDED
from sonoteca_desktop.models.transfer_words import trouble
from sonoteca_desktop.models.transfers import Action, actions
from sonoteca_desktop.transfers.queue import Kind, State, Transfer
from sonoteca_desktop.transfers.ranking import Move


class Errand(StrEnum):
    """What is done with the file of a transfer, or with what is known of it."""

    OPEN = "Open"
    REVEAL = "Show in folder"
    MISSING = "Show what is missing…"
    COPY_ERROR = "Copy error"
    COPY_ADDRESS = "Copy address"


Choice = Action | Move | Errand
_KEYS: dict[Choice, str] = {
    Action.CANCEL: "Del",
    Action.REMOVE: "Del",
    Move.TOP: "Ctrl+Home",
    Move.UP: "Ctrl+Up",
    Move.DOWN: "Ctrl+Down",
    Move.BOTTOM: "Ctrl+End",
}


def choices(transfers: Sequence[Transfer]) -> list[list[Choice]]:
    """What makes sense for these, in groups; what fits one of many is offered, for that one."""
    possible = {action for each in transfers for action in actions(each)}
    groups: list[list[Choice]] = [[action for action in Action if action in possible]]
    if any(each.state not in ENDED for each in transfers):
        groups.append(list(Move))
    groups.append([errand for errand in Errand if _suits(errand, transfers)])
    return [group for group in groups if group]


def _suits(errand: Errand, transfers: Sequence[Transfer]) -> bool:
    match errand:
        case Errand.OPEN:
            # Of a download there is no file before it is done.
            return len(transfers) == 1 and (
                transfers[0].kind is Kind.UPLOAD or transfers[0].state is State.DONE
            )
        case Errand.REVEAL:
            return len(transfers) == 1
        case Errand.MISSING:
            return len(transfers) == 1 and transfers[0].has_gaps
        case Errand.COPY_ERROR:
            return any(trouble(each) for each in transfers)
        case Errand.COPY_ADDRESS:
            return any(each.url for each in transfers)


class TransferMenu(QMenu):
    """Offers what makes sense for some transfers.

    Signals:
        chosen(object): an Action, a Move or an Errand.
    """

    chosen = Signal(object)

    def __init__(self, transfers: Sequence[Transfer], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("transferMenu")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        # Qt would make plain text of what it keeps itself.
        self._choices: dict[QAction, Choice] = {}
        for group in choices(transfers):
            self.addSeparator()
            for choice in group:
                # Told, not bound: the list itself answers these keys.
                action = self.addAction(f"{choice}\t{_KEYS.get(choice, '')}".rstrip("\t"))
                self._choices[action] = choice
        self.triggered.connect(self._tell)

    def _tell(self, action: QAction) -> None:
        self.chosen.emit(self._choices[action])
