"""How a transfer stands, in words: for a tool tip, a screen reader, and the clipboard."""

from __future__ import annotations

from sonoteca_desktop.transfers.queue import Kind, State, Transfer

_TROUBLE = frozenset({State.WAITING, State.BLOCKED, State.FAILED})
_STATES = {
    State.QUEUED: "Waiting for its turn",
    State.HASHING: "Checking",
    State.VERIFYING: "Checking",
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
