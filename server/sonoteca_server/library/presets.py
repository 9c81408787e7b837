"""Presets: recipes of conversions that the server keeps under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from sonoteca_server.catalog import Catalog, feed
from sonoteca_server.catalog.conversions import presets
from sonoteca_shared.errors import BadRequestError, ConflictError, NameTakenError, NotFoundError
from sonoteca_shared.names import is_repository
from sonoteca_shared.recipes import Recipe, parse_recipe, texts_of

_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe with its name, and when it got that."""

    name: str
    recipe: Recipe
    created: str

    @property
    def options(self) -> dict[str, Any]:
        """What the recipe says, without what it leaves out."""
        options: dict[str, Any] = msgspec.to_builtins(self.recipe)
        return options

    def as_sent(self) -> dict[str, Any]:
        """As the API shows it."""
        return {"name": self.name} | self.options | {"created": self.created}


class Presets:
    """The presets of one library."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def list(self) -> list[Preset]:
        """All of them, by name."""
        return await self._catalog.read(_all)

    async def find(self, name: str) -> Preset:
        """The preset of this name."""
        return await self._catalog.glance(_find, name)

    async def make(self, name: str, options: Mapping[str, Any]) -> Preset:
        """Keep these options under a name; NameTakenError when there is one of that name."""
        if not is_repository(name):
            raise BadRequestError(
                "the name of a preset has up to 100 letters, digits, dots, dashes and underscores"
            )
        return await self._catalog.write(_make, name, parse_recipe(texts_of(options)))

    async def edit(self, name: str, patch: Mapping[str, Any]) -> Preset:
        """Change options of a preset; null takes one away."""
        return await self._catalog.write(_edit, name, patch)

    async def remove(self, name: str) -> None:
        """Forget a preset."""
        await self._catalog.write(_remove, name)


def _all(connection: Connection) -> list[Preset]:
    return [_preset(row) for row in connection.execute(select(presets).order_by(presets.c.name))]


def _find(connection: Connection, name: str) -> Preset:
    query = select(presets).where(presets.c.name == name)
    # What is no name of a preset may be text that PostgreSQL does not know.
    row = connection.execute(query).first() if is_repository(name) else None
    if row is None:
        raise NotFoundError(f"there is no preset “{name[:100]}”")
    return _preset(row)


def _make(connection: Connection, name: str, recipe: Recipe) -> Preset:
    if connection.execute(select(presets.c.name).where(presets.c.name == name)).first():
        raise NameTakenError(f"there is a preset “{name}” already")
    if connection.execute(select(func.count()).select_from(presets)).scalar_one() >= _MOST:
        raise ConflictError(f"there are {_MOST} presets already; remove some first")
    values = {"name": name, "created": feed.timestamp(feed.now(connection))}
    connection.execute(presets.insert(), values | {"recipe": _written(recipe)})
    return _find(connection, name)


def _edit(connection: Connection, name: str, patch: Mapping[str, Any]) -> Preset:
    options = _find(connection, name).options | dict(patch)
    recipe = parse_recipe(texts_of(options))
    update = presets.update().where(presets.c.name == name)
    connection.execute(update.values(recipe=_written(recipe)))
    return _find(connection, name)


def _remove(connection: Connection, name: str) -> None:
    _find(connection, name)
    connection.execute(presets.delete().where(presets.c.name == name))


def _written(recipe: Recipe) -> str:
    return msgspec.json.encode(recipe).decode()


def _preset(row: Any) -> Preset:
    return Preset(row.name, msgspec.json.decode(row.recipe, type=Recipe), row.created)
