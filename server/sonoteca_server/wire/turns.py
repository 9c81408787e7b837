"""Turns at what costs the server most: nobody takes so many at once that others have to wait."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from sonoteca_server.wire.errors import TooManyError

# Searches of one address that may wait or run at the same time: a page of a browser or of the
# window asks for a few, and so many are through in a fraction of a second.
MOST = 32


class Turns:
    """How many turns each address has; one that is over its share is told to come again."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextlib.contextmanager
    def taken(self, address: str) -> Iterator[None]:
        """Have a turn within the block; TooManyError when the address has its share already."""
        if self._taken[address] >= self._most:
            raise TooManyError(self._most)
        self._taken[address] += 1
        try:
            yield
        finally:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]
