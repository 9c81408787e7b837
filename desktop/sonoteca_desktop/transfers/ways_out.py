"""What a person can do about a transfer that is not going on, or what happens by itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sonoteca_desktop.transfers.plan import State

_BY_CODE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "disk-full": "Free some room and it goes on by itself",
        "path-blocked": "Plug the drive in, or allow writing there",
        "journal": "Make room, or allow writing there",
        "no-space": "It goes on when there is room on the server",
        "unauthorized": "Sign in and it goes on",
        "forbidden": "Ask to be let in, then try again",
        "source-gone": "Put the file back and try again",
        "empty-source": "Put a good file there, then try again",
        "source-changed": "It is sent anew when nobody writes to it",
        "corrupt": "Try again over another network",
        "digest-mismatch": "Try again over another network",
        "bad-reply": "Try again over another network",
        "not-a-wav": "Put a WAV file there, saved as such in an editor, then try again",
        "bad-request": "Remove it, and ask anew with other times or settings",
        "conversion-unfit": "Remove it, and export to another format or with other channels",
        "not-linear": "Remove it, and export the whole sound or to another format",
        "undecodable": "Remove it; the library needs a good file in its place",
        "truncated": "Remove it; the library needs the whole file in its place",
        "damaged": "Try again over another network",
        "no-converter": "Have ffmpeg installed on the server, then try again",
        "archive-failed": "Look whether the links are right, then try again",
        "name-taken": "Give the file another name and upload that",
        "too-large": "Cut it into parts and upload those",
        "not-found": "It left the library: remove it, or try again if it is back",
        "object-missing": "It left the library: remove it, or try again if it is back",
        "another-library": "It goes on when the library of before is back",
        "blob-damaged": "Have it restored on the server, then try again",
        "blob-missing": "Have it restored on the server, then try again",
    }
)
_BY_STATE: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.WAITING: "It goes on by itself",
        State.BLOCKED: "It goes on by itself when that is over",
        State.FAILED: "Try again, or remove it from the list",
    }
)


def way_out(state: State, code: str) -> str:
    """One sentence for what waits, is blocked or has failed; nothing for all others."""
    return _BY_CODE.get(code, _BY_STATE[state]) if state in _BY_STATE else ""
