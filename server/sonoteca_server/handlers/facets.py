"""Facets of the sounds that match, to narrow a search with."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler

_SOON_S = "1"
_KNOWN = tuple(name for name in args.METADATA if name != "sort")


class FacetsHandler(Handler):
    """`/api/v1/facets`: 200 with numbers, `pending` when newer ones come; 202 before the first."""

    async def get(self) -> None:
        search = args.read_search(args.read_arguments(self.request, _KNOWN))
        with self.turn():
            answer = await self.services.facets.of(search.wanted)
        query = {"understood": search.query.understood, "ignored": search.query.ignored}
        state = {"exact": not answer.pending, "pending": answer.pending, "query": query}
        if answer.pending:
            self.set_header("Retry-After", _SOON_S)
        if answer.facets is None:
            self.answer(state, HTTPStatus.ACCEPTED)
            return
        self.answer(state | msgspec.to_builtins(answer.facets))

    head = get
