"""How a transfer stands, in words: for its row, a tool tip, a screen reader, the clipboard."""

from __future__ import annotations

from sonoteca_desktop.models import units
from sonoteca_desktop.transfers.queue import Kind, State, Transfer

_TROUBLE = frozenset({State.WAITING, State.BLOCKED, State.FAILED})
_STATES = {
    State.QUEUED: "Waiting for its turn",
    State.HASHING: "Checking",
    State.VERIFYING: "Checking",
    State.PREPARING: "Preparing",
    State.WAITING: "Waiting",
    State.PAUSED: "Paused",
    State.BLOCKED: "Blocked",
    State.DONE: "Done",
    State.FAILED: "Failed",
}


def state_words(transfer: Transfer) -> str:
    """The state in a word or two."""
    if transfer.state is State.RUNNING:
        return "Uploading" if transfer.kind is Kind.UPLOAD else "Downloading"
    return _STATES[transfer.state]


def trouble(transfer: Transfer) -> str:
    """Why it is not going on, and what helps; nothing when all is well."""
    if transfer.state not in _TROUBLE:
        return ""
    return " ".join(f"{each.rstrip('.')}." for each in (transfer.note, transfer.way_out) if each)


def report(transfer: Transfer) -> str:
    """Trouble with the file that has it, as one sends it to somebody who can help."""
    return f"{state_words(transfer)}: {transfer.name} ({transfer.path})\n{trouble(transfer)}"


def line(transfer: Transfer) -> str:
    """The second line of a transfer: how far it is, or why it is not going on."""
    match transfer.state:
        case State.HASHING:
            return f"Checking {_so_far(transfer)}"
        case State.RUNNING:
            return _pace(transfer)
        case State.PAUSED:
            return f"Paused at {_so_far(transfer)}" if transfer.total else "Paused"
        case State.VERIFYING:
            return f"Checking {units.size(transfer.total)}"
        case State.DONE:
            return f"{units.size(transfer.total)} · {transfer.note or _end(transfer)}"
        case State.QUEUED | State.PREPARING | State.WAITING:
            return transfer.note or _expectation(transfer)
        case _:
            return trouble(transfer)


def _end(transfer: Transfer) -> str:
    """What is usually said of one that is done."""
    if transfer.kept:
        return "kept on this computer"
    if transfer.kind == Kind.UPLOAD:
        return "uploaded"
    return "complete" if transfer.is_computed else "verified"


def _expectation(transfer: Transfer) -> str:
    """What one that has not begun waits for."""
    if transfer.state is State.PREPARING:
        return "The server is preparing it"
    if transfer.state is State.WAITING:
        return "Waiting for the server"
    turn = "Waiting for its turn"
    return f"{turn} · {units.size(transfer.total)}" if transfer.total else turn


def _so_far(transfer: Transfer) -> str:
    return units.size_of(transfer.done, transfer.total)


def _pace(transfer: Transfer) -> str:
    parts = [_so_far(transfer)]
    if transfer.speed >= 1:
        parts.append(units.speed(transfer.speed))
    if transfer.seconds_left is not None:
        parts.append(units.time_left(transfer.seconds_left))
    return " · ".join(parts)
