"""Repositories: listed with what they hold, made, renamed, removed."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.edits import MERGE_PATCH, JsonHandler, read_json
from sonoteca_server.handlers.handler import JSON
from sonoteca_server.handlers.paging import answer_page, read_ask
from sonoteca_shared import routes


class New(msgspec.Struct, forbid_unknown_fields=True):
    """What a repository is made of."""

    name: str
    visibility: str = "members"


class RepositoriesHandler(JsonHandler):
    """All repositories by name, and new ones."""

    async def get(self) -> None:
        ask = read_ask(self)
        page, found = await self.services.repositories.page(ask)
        answer_page(self, ask, page, (msgspec.json.encode(each).decode() for each in found))

    head = get

    async def post(self) -> None:
        wanted = read_json(self, New, JSON)
        made = await self.services.repositories.make(wanted.name, wanted.visibility)
        self.set_header("Location", routes.fill(routes.REPOSITORY, name=made.name))
        self.answer(made, HTTPStatus.CREATED)


class RepositoryHandler(JsonHandler):
    """One repository."""

    async def get(self, name: str) -> None:
        args.read_arguments(self.request, ())
        self.answer(await self.services.repositories.find(name))

    head = get

    async def patch(self, name: str) -> None:
        changes = read_json(self, dict[str, Any], MERGE_PATCH)
        edited = await self.services.repositories.edit(name, changes)
        self.set_header("Location", routes.fill(routes.REPOSITORY, name=edited.name))
        self.answer(edited)

    async def delete(self, name: str) -> None:
        await self.services.repositories.remove(name)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()
