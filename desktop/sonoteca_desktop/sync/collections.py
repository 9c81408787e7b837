"""The collections of a server, with the ids of the sounds in them: what its feed leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from http import HTTPStatus

import msgspec

from sonoteca_desktop.client import Client, ServerRefusedError
from sonoteca_desktop.sync.mirror import Gathered
from sonoteca_shared import routes
from sonoteca_shared.models import Collection


class _Page(msgspec.Struct):
    """A page of collections."""

    next: str | None
    results: list[Collection]


class _Member(msgspec.Struct):
    """A sound in a collection, of which the mirror knows all else."""

    id: str


class _MemberPage(msgspec.Struct):
    """A page of the sounds in a collection."""

    next: str | None
    results: list[_Member]


def gather_all(client: Client) -> list[Gathered]:
    """All collections."""
    return [_gather(client, each) for each in _collections(client)]


def list_all(client: Client) -> list[Collection]:
    """All collections, without what is in them."""
    return list(_collections(client))


def gather(client: Client, ids: Iterable[str]) -> list[Gathered]:
    """These collections as they are now; one that is gone has no name."""
    found = []
    for each in ids:
        try:
            collection = client.read(routes.fill(routes.COLLECTION, id=each), Collection)
            found.append(_gather(client, collection))
        except ServerRefusedError as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            found.append(Gathered(each))
    return found


def _gather(client: Client, collection: Collection) -> Gathered:
    return Gathered(collection.id, collection.name, tuple(_members(client, collection.id)))


def _collections(client: Client) -> Iterator[Collection]:
    path: str | None = routes.COLLECTIONS
    while path:
        page = client.read(path, _Page)
        yield from page.results
        path = page.next


def _members(client: Client, collection_id: str) -> Iterator[str]:
    path: str | None = routes.fill(routes.COLLECTION_SOUNDS, id=collection_id)
    while path:
        page = client.read(path, _MemberPage)
        yield from (member.id for member in page.results)
        path = page.next
