"""Bytes by digest: put into a repository, read whole or in part, taken away."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.downloads import ContentHandler
from sonoteca_server.handlers.edits import JsonHandler, read_json
from sonoteca_server.handlers.handler import JSON
from sonoteca_server.handlers.receiving import ReceivingHandler
from sonoteca_server.library.repositories import checked_name
from sonoteca_server.storage import Incoming
from sonoteca_shared.digests import is_digest
from sonoteca_shared.errors import BadRequestError, NotFoundError
from sonoteca_shared.names import clean_name

_MOST = 1_000
_FOR_EVER = "private, max-age=31536000, immutable"


class PutHandler(ReceivingHandler):
    """`PUT /data/{repository}`: any bytes become an object, named by what they are."""

    receives = ("PUT",)

    def check_head(self) -> None:
        args.read_arguments(self.request, ())
        checked_name(self.path_args[0])

    async def put(self, *_path: str) -> None:
        await self.take()

    async def receive(self, part: Incoming) -> None:
        await self.keep(part, self.path_args[0])

    async def keep(self, part: Incoming, repository: str, expected: str | None = None) -> None:
        """Have the bytes in the repository, and say what they are called."""
        oid, size = part.sha256, part.size
        await self.services.objects.put(repository, part, expected=expected)
        self.answer({"oid": oid, "size": size}, HTTPStatus.CREATED)


class ObjectHandler(PutHandler, ContentHandler):
    """The bytes of an object, for ever the same under their path."""

    def check_head(self) -> None:
        super().check_head()
        _checked_oid(self.path_args[1])

    async def receive(self, part: Incoming) -> None:
        repository, oid = self.path_args
        await self.keep(part, repository, expected=oid)

    async def get(self, repository: str, oid: str) -> None:
        given = args.read_arguments(self.request, ("filename",))
        name = clean_name(given.get("filename", ""))
        content = await self.services.objects.content(
            checked_name(repository), _checked_oid(oid), name
        )
        self.set_header("Cache-Control", _FOR_EVER)
        await self.send(content)

    head = get

    async def delete(self, repository: str, oid: str) -> None:
        args.read_arguments(self.request, ())
        await self.services.objects.delete(checked_name(repository), _checked_oid(oid))
        self.answer({})


class Have(msgspec.Struct, forbid_unknown_fields=True):
    """What `have` takes: digests, and the repository that is asked for them."""

    sha256: list[str]
    repository: str = "main"


class HaveHandler(JsonHandler):
    """`POST /api/v1/have`: which files need not be sent, because their bytes are there."""

    async def post(self) -> None:
        args.read_arguments(self.request, ())
        asked = read_json(self, Have, JSON)
        if len(asked.sha256) > _MOST:
            raise BadRequestError(f"ask for at most {_MOST} digests at a time")
        for digest in asked.sha256:
            if not is_digest(digest):
                raise BadRequestError(f"“{digest[:80]}” is not 64 lower-case hex digits")
        missing = await self.services.objects.list_missing(asked.repository, asked.sha256)
        self.answer({"missing": missing})


def _checked_oid(text: str) -> str:
    """The digest of a path; one that is misshapen names nothing."""
    if not is_digest(text):
        raise NotFoundError("there is no such object: its name is 64 lower-case hex digits")
    return text
