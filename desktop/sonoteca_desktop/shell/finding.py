"""The sounds that a query of the shell means, page by page."""

from __future__ import annotations

from collections.abc import Iterator

from sonoteca_desktop.client import Client, Understood
from sonoteca_desktop.shell.words import tell
from sonoteca_shared import routes
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound

_PAGE = "1000"


class NothingUnderstoodError(SonotecaError):
    """Not one part of a query makes sense, so that it would mean the whole library."""

    code = "nothing-understood"


def find(client: Client, query: str, *, repository: str, folder: str) -> Iterator[list[Sound]]:
    """Pages of sounds that match; parts of the query that make no sense are told on stderr."""
    path: str | None = routes.with_query(
        routes.SOUNDS, q=query, repository=repository, folder=folder, page_size=_PAGE
    )
    told = False
    while path is not None:
        page = client.find(path)
        if not told:
            _tell_ignored(page.query)
            told = True
        yield page.results
        path = page.next


def check_understood(client: Client, query: str) -> None:
    """Nothing, or NothingUnderstoodError: what is fetched is not to be a mistake."""
    if not query.strip():
        return
    path = routes.with_query(routes.SOUNDS, q=query, page_size="1")
    if not client.find(path).query.understood:
        raise NothingUnderstoodError(
            f"Nothing of the query “{query}” can be understood: write '' to fetch everything"
        )


def _tell_ignored(query: Understood) -> None:
    if query.ignored:
        parts = ", ".join(f"“{part}”" for part in query.ignored)
        tell(f"left out of the query, for it makes no sense: {parts}")
