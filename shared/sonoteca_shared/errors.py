"""What can go wrong, in words that both sides and the wire share.

The class is for ``except``, the ``code`` travels in problem documents (RFC 9457) and never
changes, the sentence is for a person, the facts are attributes.
"""

from __future__ import annotations


class SonotecaError(Exception):
    """Anything that Sonoteca refuses or cannot do, with a sentence for the person who asked."""

    code = "error"


class NotFoundError(SonotecaError):
    """What was asked for is not there (any more)."""

    code = "not-found"


class BadRequestError(SonotecaError):
    """The request itself is wrong: an argument, a header or a body that has no meaning."""

    code = "bad-request"


class ConflictError(SonotecaError):
    """What was asked for contradicts what is there already."""

    code = "conflict"


class NameTakenError(ConflictError):
    """The name belongs to something else already, and the asker did not want another one."""

    code = "name-taken"


class NoSpaceError(SonotecaError):
    """The server's disk has no room, `missing` bytes if that is known; nothing was stored."""

    code = "no-space"

    def __init__(self, *, free: int | None = None, needed: int | None = None) -> None:
        self.missing = 0 if free is None or needed is None else max(0, needed - free)
        figures = "" if free is None else f": {needed} bytes are needed and {free} are free"
        super().__init__(
            f"the server's disk is full{figures}; nothing was stored, try again when there is room"
        )


class NotAWavError(SonotecaError):
    """The content is not a WAV that can be used; says why, and at which byte."""

    code = "not-a-wav"

    def __init__(self, reason: str, *, offset: int) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.reason = reason
        self.offset = offset
