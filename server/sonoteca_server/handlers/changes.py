"""The feed of changes that clients follow."""

from __future__ import annotations

import msgspec

from sonoteca_server.catalog import feed
from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_shared.errors import BadRequestError

_DEFAULT_LIMIT = 500
_MAX_LIMIT = 5_000


class ChangesHandler(Handler):
    """`/api/v1/changes`: what came after a cursor; without one, all that there is."""

    async def get(self) -> None:
        given = args.read_arguments(self.request, ("since", "limit"))
        limit = args.parse_whole("limit", given.get("limit", str(_DEFAULT_LIMIT)))
        if not 1 <= limit <= _MAX_LIMIT:
            raise BadRequestError(f"“limit” is between 1 and {_MAX_LIMIT}, not {limit}")
        since = feed.parse_cursor(given["since"]) if given.get("since") else None
        page = await self.services.sounds.catalog.read(feed.read, since, limit)
        head = {"cursor": page.cursor.text(), "more": page.more}
        start = msgspec.json.encode(head).decode().removesuffix("}")
        self.answer_json(f'{start},"results":[{",".join(page.docs)}]}}')

    head = get
