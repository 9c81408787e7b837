"""Presets of conversions: listed, made, changed, removed; and how a request uses one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.edits import MERGE_PATCH, JsonHandler, read_json
from sonoteca_server.handlers.handler import JSON, Services
from sonoteca_shared import routes
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.recipes import Recipe, parse_recipe, texts_of

PRESET = "preset"


async def recipe_from(
    services: Services, given: Mapping[str, str], offered: Collection[str]
) -> Recipe:
    """The recipe that a request asks for: its own options, before those of the preset it names."""
    options = dict(given)
    if name := options.pop(PRESET, "").strip():
        preset = await services.presets.find(name)
        options = texts_of(preset.options) | {key: text for key, text in options.items() if text}
    return parse_recipe(options, offered)


class PresetsHandler(JsonHandler):
    """All presets by name, and new ones."""

    async def get(self) -> None:
        args.read_arguments(self.request, ())
        found = await self.services.presets.list()
        self.answer({"count": len(found), "results": [each.as_sent() for each in found]})

    head = get

    async def post(self) -> None:
        wanted = read_json(self, dict[str, Any], JSON)
        name = wanted.pop("name", None)
        if not isinstance(name, str):
            raise BadRequestError("say with “name” what the preset is called")
        made = await self.services.presets.make(name, wanted)
        self.set_header("Location", routes.fill(routes.PRESET, name=made.name))
        self.answer(made.as_sent(), HTTPStatus.CREATED)


class PresetHandler(JsonHandler):
    """One preset."""

    async def get(self, name: str) -> None:
        args.read_arguments(self.request, ())
        self.answer((await self.services.presets.find(name)).as_sent())

    head = get

    async def patch(self, name: str) -> None:
        changes = read_json(self, dict[str, Any], MERGE_PATCH)
        self.answer((await self.services.presets.edit(name, changes)).as_sent())

    async def delete(self, name: str) -> None:
        await self.services.presets.remove(name)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()
