"""Collections and the sounds in them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.edits import (
    MERGE_PATCH,
    JsonHandler,
    check_ids,
    read_json,
    read_revision,
    refusal,
    show_present,
)
from sonoteca_server.handlers.handler import JSON, Handler
from sonoteca_server.handlers.paging import answer_page, read_ask
from sonoteca_server.library.collections import Member, Spot
from sonoteca_server.library.editing import RevisionMismatchError
from sonoteca_shared import routes
from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.ids import is_id
from sonoteca_shared.models import Collection


class New(msgspec.Struct, forbid_unknown_fields=True):
    """What a collection is made of."""

    name: str


class Joining(msgspec.Struct, forbid_unknown_fields=True):
    """Sounds that join a collection or move in it: `before` a member, or null for the end."""

    ids: list[str]
    before: str | msgspec.UnsetType | None = msgspec.UNSET


class Leaving(msgspec.Struct, forbid_unknown_fields=True):
    """Sounds that leave a collection."""

    ids: list[str]


class CollectionsHandler(JsonHandler):
    """All collections by name, and new ones."""

    async def get(self) -> None:
        ask = read_ask(self)
        page, collections = await self.services.collections.page(ask)
        answer_page(self, ask, page, (msgspec.json.encode(each).decode() for each in collections))

    head = get

    async def post(self) -> None:
        wanted = read_json(self, New, JSON)
        made = await self.services.collections.make(wanted.name)
        self.set_header("Location", routes.fill(routes.COLLECTION, id=made.id))
        _answer_one(self, made, HTTPStatus.CREATED)


class CollectionHandler(JsonHandler):
    """One collection."""

    async def get(self, collection_id: str) -> None:
        args.read_arguments(self.request, ())
        _answer_one(self, await self.services.collections.find(_checked_id(collection_id)))

    head = get

    async def patch(self, collection_id: str) -> None:
        changes = read_json(self, dict[str, Any], MERGE_PATCH)
        rev, collections = read_revision(self), self.services.collections
        try:
            edited = await collections.edit(_checked_id(collection_id), changes, rev=rev)
        except RevisionMismatchError as error:
            show_present(self, error)
            return
        _answer_one(self, edited)

    async def delete(self, collection_id: str) -> None:
        rev = read_revision(self) if "If-Match" in self.request.headers else None
        try:
            await self.services.collections.remove(_checked_id(collection_id), rev=rev)
        except RevisionMismatchError as error:
            show_present(self, error)
            return
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()


class CollectionSoundsHandler(JsonHandler):
    """The sounds of a collection, in its order: listed, added, moved, taken out."""

    async def get(self, collection_id: str) -> None:
        ask = read_ask(self)
        page = await self.services.collections.members(_checked_id(collection_id), ask)
        answer_page(self, ask, page, (row.doc for row in page.rows))

    head = get

    async def post(self, collection_id: str) -> None:
        wanted = read_json(self, Joining, JSON)
        check_ids(wanted.ids)
        spot = None if wanted.before is msgspec.UNSET else Spot(wanted.before)
        add = self.services.collections.add
        _answer_members(self, *await add(_checked_id(collection_id), wanted.ids, spot))

    async def delete(self, collection_id: str) -> None:
        wanted = read_json(self, Leaving, JSON)
        check_ids(wanted.ids)
        take = self.services.collections.take
        _answer_members(self, *await take(_checked_id(collection_id), wanted.ids))


def _answer_one(
    handler: Handler, collection: Collection, status: HTTPStatus = HTTPStatus.OK
) -> None:
    handler.set_header("Etag", f'"{collection.rev}"')
    handler.answer(collection, status)


def _answer_members(handler: Handler, collection: Collection, members: list[Member]) -> None:
    handler.set_header("Etag", f'"{collection.rev}"')
    results = [
        {"id": one.id, "status": 200} if one.error is None else refusal(one.id, one.error)
        for one in members
    ]
    handler.answer({"collection": collection, "results": results})


def _checked_id(text: str) -> str:
    """The id of a path; one that is misshapen names nothing."""
    if not is_id(text):
        raise NotFoundError("there is no collection with this id")
    return text
