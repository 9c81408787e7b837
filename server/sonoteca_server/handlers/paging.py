"""Pages of lists other than sounds: how large, from where, and where the neighbours are."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

import msgspec

from sonoteca_server.catalog.pages import Ask, Page, Place
from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_shared.errors import BadRequestError

_DEFAULT_PAGE = 100


def read_ask(handler: Handler, filters: Iterable[str] = ()) -> Ask:
    """Which page the request wants; it takes no other arguments but these filters."""
    given = args.read_arguments(handler.request, (*args.PAGING, *filters))
    size = args.parse_whole("page_size", given.get("page_size", str(_DEFAULT_PAGE)))
    if not 1 <= size <= args.MAX_PAGE:
        raise BadRequestError(f"“page_size” is between 1 and {args.MAX_PAGE}, not {size}")
    return Ask(size, given.get("cursor"))


def answer_page(handler: Handler, ask: Ask, page: Page, docs: Iterable[str]) -> None:
    """Send a page with its count, and its neighbours in the body and as links (RFC 8288)."""
    neighbours = {"next": page.next, "previous": page.previous}
    addresses = {name: _address(handler, ask, place) for name, place in neighbours.items()}
    for address, relation in zip(addresses.values(), ("next", "prev"), strict=True):
        if address is not None:
            handler.add_header("Link", f'<{address}>; rel="{relation}"')
    head = {"count": page.count, "count_is_estimate": page.more} | addresses
    start = msgspec.json.encode(head).decode().removesuffix("}")
    handler.answer_json(f'{start},"results":[{",".join(docs)}]}}')


def _address(handler: Handler, ask: Ask, place: Place | None) -> str | None:
    if place is None:
        return None
    given = {name: values[-1] for name, values in handler.request.query_arguments.items()}
    query = urlencode(given | {"page_size": ask.size, "cursor": place.text()})
    return f"{handler.request.path}?{query}"
