"""What a person can do about a transfer that is not going on, or what happens by itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sonoteca_desktop.transfers.plan import State

_BY_CODE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "disk-full": "Free some room and it goes on by itself",
        "path-blocked": "Plug the drive in or allow writing there, and it goes on by itself",
        "journal": "Make room or allow writing there, and it goes on by itself",
        "no-space": "Tell who looks after the server; it goes on when there is room",
        "unauthorized": "Sign in and it goes on",
        "forbidden": "Ask who looks after the server to let you in, then try again",
        "source-gone": "Put the file back and try again, or remove it from the list",
        "source-changed": "It is sent anew by itself, when nobody writes to it any more",
        "corrupt": "Try again over another network",
        "digest-mismatch": "Try again over another network",
        "bad-reply": "Try again over another network, or tell who looks after the server",
        "not-a-wav": "Open the file in an editor, save it as WAV and try again",
        "name-taken": "Give the file another name and upload that",
        "too-large": "Cut it into parts, or ask who looks after the server to allow more",
        "not-found": "It was removed from the library: remove it from the list, too",
        "object-missing": "It was removed from the library: remove it from the list, too",
        "blob-damaged": "Tell who looks after the server to restore it, then try again",
        "blob-missing": "Tell who looks after the server to restore it, then try again",
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
