"""Find and describe sounds: /list, /info and the resources below /api/v1/sounds."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator

import msgspec

from sonoteca_server.catalog.orders import Cursor
from sonoteca_server.catalog.search import Found
from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import JSON, Handler
from sonoteca_server.wire.bodies import Outlet, Slice
from sonoteca_shared.errors import BadRequestError, NotFoundError
from sonoteca_shared.ids import is_id
from sonoteca_shared.models import Sound
from sonoteca_shared.query import Query
from sonoteca_shared.wav import describe

_DEFAULT_PAGE = 100


class MatchHandler(Handler):
    """An array of all matches, streamed in constant memory; or one page of it."""

    def compute_etag(self) -> None:
        """None: to hash a list costs as much as to find it."""

    def items(self, found: Found) -> Iterator[str]:
        """What the array holds of each match, as JSON."""
        raise NotImplementedError

    async def get(self) -> None:
        given = args.read_arguments(self.request, (*args.METADATA, *args.PAGING))
        search = args.read_search(given)
        self.set_header("Content-Type", JSON)
        if search.query.ignored:
            self.set_header("Sonoteca-Query-Ignored", _ignored_field(search.query))
        if "page_size" in given or "cursor" in given:
            size, cursor = args.read_page(given, _DEFAULT_PAGE)
            with self.turn():
                found = await self.services.lists.page(
                    search.wanted, search.order, size=size, cursor=cursor
                )
            set_links(self, given, found)
            self.finish("[" + ",".join(self.items(found)) + "]")
            return
        await self._stream(search)

    head = get

    async def _stream(self, search: args.Search) -> None:
        cursor: Cursor | None = None
        separator = "["
        while True:
            # Later pages wait for the client, one at a time.
            with self.turn() if cursor is None else contextlib.nullcontext():
                found = await self.services.lists.page(
                    search.wanted, search.order, size=args.MAX_PAGE, cursor=cursor
                )
            text = ",".join(self.items(found))
            self.write(separator + text if text else separator if separator == "[" else "")
            cursor = found.next
            if cursor is None:
                break
            separator = ","
            await self.flush()
        self.finish("]")


class ListHandler(MatchHandler):
    """`/list`: the names."""

    def items(self, found: Found) -> Iterator[str]:
        return (msgspec.json.encode(name).decode() for name in found.names)


class InfoHandler(MatchHandler):
    """`/info`: the whole sound objects."""

    def items(self, found: Found) -> Iterator[str]:
        return iter(found.docs)


async def answer_page(handler: Handler) -> None:
    """A page of sounds with its count and its neighbours."""
    given = args.read_arguments(handler.request, (*args.METADATA, *args.PAGING, "fields"))
    search = args.read_search(given)
    fields = _fields(given)
    size, cursor = args.read_page(given, _DEFAULT_PAGE)
    with handler.turn():
        found, count = await handler.services.lists.counted_page(
            search.wanted, search.order, size=size, cursor=cursor
        )
    following, previous = set_links(handler, given, found)
    head = {
        "count": count.number,
        "count_is_estimate": count.more,
        "next": following,
        "previous": previous,
        "query": {"understood": search.query.understood, "ignored": search.query.ignored},
    }
    docs = found.docs if fields is None else [_only(doc, fields) for doc in found.docs]
    start = msgspec.json.encode(head).decode().removesuffix("}")
    handler.answer_json(f'{start},"results":[{",".join(docs)}]}}')


class SoundHandler(Handler):
    """One sound."""

    async def get(self, sound_id: str) -> None:
        sound = await self.services.sounds.doc(checked_id(sound_id))
        self.set_header("Etag", f'"{sound.rev}"')
        self.answer(sound)

    head = get


class ChunksHandler(Handler):
    """What the file of a sound is made of: its chunks with their places."""

    async def get(self, sound_id: str) -> None:
        args.read_arguments(self.request, ())
        content = await self.services.sounds.content(checked_id(sound_id))
        async with Outlet(self.services.blobs, self) as outlet:
            blob = await outlet.open(Slice(content.blob, content.size, 0, content.size))
            told = await asyncio.to_thread(describe, blob.read_at, content.size)
        self.answer(told.chunks)

    head = get


class FindingsHandler(Handler):
    """What is odd in the file of a sound."""

    async def get(self, sound_id: str) -> None:
        args.read_arguments(self.request, ())
        sound = await self.services.sounds.doc(checked_id(sound_id))
        self.answer(sound.findings)

    head = get


def checked_id(text: str) -> str:
    """The id of a path; one that is misshapen names nothing."""
    if not is_id(text):
        raise NotFoundError("there is no sound with this id")
    return text


def page_addresses(path: str, given: args.Arguments, found: Found) -> tuple[str | None, str | None]:
    """The addresses of the next and the previous page, None at an end."""

    def address(cursor: Cursor | None) -> str | None:
        if cursor is None:
            return None
        return given.address(path, cursor=cursor.text())

    return address(found.next), address(found.previous)


def set_links(
    handler: Handler, given: args.Arguments, found: Found
) -> tuple[str | None, str | None]:
    """Set the Link header (RFC 8288); the addresses of the next and the previous page."""
    addresses = page_addresses(handler.request.path, given, found)
    for address, relation in zip(addresses, ("next", "prev"), strict=True):
        if address is not None:
            handler.add_header("Link", f'<{address}>; rel="{relation}"')
    return addresses


def _ignored_field(query: Query) -> str:
    """What of a query was not understood, as a field may hold it: a JSON array in ASCII."""
    return json.dumps(query.ignored)


def _fields(given: dict[str, str]) -> set[str] | None:
    if "fields" not in given:
        return None
    fields = set(given["fields"].split(","))
    if unknown := fields - set(Sound.__struct_fields__):
        raise BadRequestError(f"“fields” knows no “{min(unknown)[:100]}”")
    return fields


def _only(doc: str, fields: set[str]) -> str:
    sound = msgspec.json.decode(doc)
    kept = {name: value for name, value in sound.items() if name in fields}
    return msgspec.json.encode(kept).decode()
