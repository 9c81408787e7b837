"""How transfers are told in a shell: what came of each, what failed, and what to do then."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator

from sonoteca_desktop.models import units
from sonoteca_desktop.transfers.queue import Kind, State, Transfer
from sonoteca_desktop.transfers.ways_out import way_out

_DONE = {Kind.UPLOAD: "sent", Kind.DOWNLOAD: "fetched"}
_KEPT = {Kind.UPLOAD: "Nothing of it was added", Kind.DOWNLOAD: "Nothing of it was kept"}
_ANY_WAY = way_out(State.FAILED, "")
GO_ON = "The same command goes on where it stopped"


def printable(text: str) -> str:
    """A text of strangers as a terminal may show it: nothing in it is a command to it."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) in ("Cc", "Cf", "Cs") else each
        for each in text
    )


def tell(sentence: str) -> None:
    """Say on stderr, in one line, what went wrong or was left out."""
    print(f"sonoteca: {printable(sentence)}", file=sys.stderr, flush=True)


def name(transfer: Transfer) -> str:
    """The name of a sound with its folder."""
    folder = f"{transfer.folder}/" if transfer.folder else ""
    return printable(f"{folder}{transfer.name}")


def result(transfer: Transfer) -> str:
    """What came of a finished transfer, in one line."""
    became = printable(transfer.note) or _DONE[transfer.kind]
    return f"{name(transfer)}  {units.size(transfer.total)}  {became}"


def failures(transfers: Iterable[Transfer]) -> Iterator[str]:
    """One line for each transfer that came to nothing; one for all that waited for the server."""
    waiting: list[Transfer] = []
    for each in transfers:
        if each.state is State.FAILED:
            way = "The same command tries again"
            if each.way_out != _ANY_WAY:
                way = printable(each.way_out)
            yield f"{_where(each)}: {_reason(each)}. {_KEPT[each.kind]}. {way}."
        elif each.state is State.BLOCKED:
            yield f"{_where(each)}: {_reason(each)}. When that is mended, the same command goes on."
        elif each.state is not State.DONE:
            waiting.append(each)
    if waiting:
        # The one that tried last knows why; the others did not even begin.
        told = next((each for each in waiting if each.note), waiting[0])
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        yield f"{_where(told)}{more}: {_reason(told) or 'nothing came through'}. {GO_ON}."


def summary(transfers: Iterable[Transfer]) -> str:
    """What was done altogether, in one line."""
    transfers = list(transfers)
    done = [each for each in transfers if each.state is State.DONE]
    moved = [each for each in done if not each.note.startswith("already there")]
    verb = _DONE[transfers[0].kind] if transfers else "done"
    parts = [f"{units.count(len(moved))} {verb} ({units.size(sum(each.total for each in moved))})"]
    if there := len(done) - len(moved):
        parts.append(f"{units.count(there)} already there")
    if missed := len(transfers) - len(done):
        parts.append(f"{units.count(missed)} not {verb}")
    return ", ".join(parts)


def synced(sounds: int, kept: int) -> str:
    """What this computer knows and has, in one line."""
    return f"{units.sounds(sounds)} in the copy of the library, {units.count(kept)} kept here"


def _where(transfer: Transfer) -> str:
    return printable(str(transfer.path))


def _reason(transfer: Transfer) -> str:
    return printable(transfer.note).partition("; trying again ")[0].rstrip(".")
