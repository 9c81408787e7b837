"""Which library a transfer belongs to: another one may come to answer at the same address."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from sonoteca_desktop.client import ServerRefusedError
from sonoteca_shared.errors import SonotecaError

GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class AnotherLibraryError(SonotecaError):
    """What is not there was asked of another library than it was in."""

    code = "another-library"

    def __init__(self) -> None:
        super().__init__("This is another library than before")


def check_is_from(refusal: ServerRefusedError, *, before: str, now: str) -> None:
    """AnotherLibraryError when a library that is not the one of before has not got something.

    Either is "" where it is not known: then a refusal means what it says.
    """
    if refusal.status in GONE and before and now and before != now:
        raise AnotherLibraryError from refusal
