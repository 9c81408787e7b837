"""What a list is asked for: the arguments of the API and a query, as conditions of SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, or_, select

from sonoteca_server.catalog import feed
from sonoteca_server.catalog.conditions import Asker, Condition, conditions, seqs_where, together
from sonoteca_server.catalog.constructs import Named, Unindexed
from sonoteca_server.catalog.schema import repositories, sounds
from sonoteca_shared.terms import EVERYTHING, And, Span, Term, Text

_LAST = "\U0010ffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFilter:
    """What a sound must be like; None asks nothing. Durations in seconds, sizes in bytes."""

    name: str | None = None
    folder: str | None = None
    repository: str | None = None
    minduration: float | None = None
    maxduration: float | None = None
    minsize: int | None = None
    maxsize: int | None = None
    samplerate: int | None = None
    channels: int | None = None
    bitdepth: int | None = None
    format: str | None = None
    tags: tuple[str, ...] = ()
    uploaded_by: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    query: Term = EVERYTHING
    asker: Asker = field(default=Asker(), compare=False)


def asked_of(
    connection: Connection, wanted: SoundFilter, walked: Column[Any] | None = None
) -> list[Condition]:
    """All that the filter asks, as conditions that must all hold."""
    term = And(tuple(_terms(wanted)))
    dialect = connection.dialect.name
    asked = [*_places(wanted), *conditions(term, wanted.asker, dialect, walked)]
    bounded = any(one.after is not None or one.until is not None for one in asked)
    if bounded and feed.was_set_back(connection):
        return [replace(one, after=None, until=None) for one in asked]
    return asked


def _terms(wanted: SoundFilter) -> Iterator[Term]:
    """The arguments that the search language has words for, and the query itself."""
    for name, low, high in (
        ("dur", wanted.minduration, wanted.maxduration),
        ("size", wanted.minsize, wanted.maxsize),
        ("date", wanted.created_after, wanted.created_before),
        ("rate", wanted.samplerate, wanted.samplerate),
        ("ch", wanted.channels, wanted.channels),
        ("bits", wanted.bitdepth, wanted.bitdepth),
    ):
        if low is not None or high is not None:
            yield Span(name, low, high)
    if wanted.format is not None:
        yield Text("format", wanted.format)
    yield from (Text("tag", tag) for tag in wanted.tags)
    yield from wanted.query.parts if isinstance(wanted.query, And) else (wanted.query,)


def _places(wanted: SoundFilter) -> Iterator[Condition]:
    if wanted.name is not None:
        yield _named(wanted.name)
    if wanted.folder is not None:
        yield _below(wanted.folder)
    if wanted.repository is not None:
        named = select(repositories.c.seq).where(repositories.c.name == wanted.repository)
        only = named.scalar_subquery()
        found_by = seqs_where(sounds.c.repository == only)
        yield Condition(Unindexed(sounds.c.repository) == only, found_by, exact=True, in_order=True)
    if wanted.uploaded_by is not None:
        by = seqs_where(sounds.c.uploaded_by == wanted.uploaded_by)
        uploader = Unindexed(sounds.c.uploaded_by)
        yield Condition(uploader == wanted.uploaded_by, by, exact=True, in_order=True)


def _named(name: str) -> Condition:
    if "*" not in name:
        found_by = seqs_where(sounds.c.name == name)
        return Condition(Unindexed(sounds.c.name) == name, found_by, exact=True, in_order=True)
    start, _, rest = name.partition("*")
    holds = Named(Unindexed(sounds.c.name), name)
    if not start:
        return Condition(holds)
    begins = and_(sounds.c.name >= start, sounds.c.name < start + _LAST)
    return Condition(holds, seqs_where(begins), exact=not rest.strip("*"))


def _below(folder: str) -> Condition:
    """The folder and all in it, told apart by case."""
    path = Unindexed(sounds.c.folder)
    here = seqs_where(sounds.c.folder == folder)
    found_by = together([here, seqs_where(_is_below(sounds.c.folder, folder))])
    return Condition(or_(path == folder, _is_below(path, folder)), found_by, exact=True)


def _is_below(path: ColumnElement[str], folder: str) -> ColumnElement[bool]:
    # "0" follows "/": all that begins with the folder and a slash.
    return and_(path > f"{folder}/", path < f"{folder}0")
