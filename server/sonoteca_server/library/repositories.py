"""Repositories: made by the first who names them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from sonoteca_server.catalog.schema import repositories
from sonoteca_shared import names
from sonoteca_shared.errors import BadRequestError


def checked_name(name: str) -> str:
    """The name, if it may be a repository's; BadRequestError says what such a name is made of."""
    if not names.is_repository(name):
        raise BadRequestError(
            f"“{name[:100]}” cannot name a repository: use up to 100 letters, digits, “.”, “_” "
            "and “-”, beginning with a letter or digit"
        )
    return name


def find_or_make(connection: Connection, name: str, at: str) -> int:
    """The repository's row; the first upload that names it makes it."""
    query = select(repositories.c.seq).where(repositories.c.name == checked_name(name))
    found = connection.execute(query).scalar()
    if found is not None:
        return int(found)
    made = connection.execute(repositories.insert().values(name=name, created=at))
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])
