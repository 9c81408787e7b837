"""Stored bytes, whole or in part: of a sound, or of what `send` is given."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from tornado.httputil import HTTPHeaders

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.sounds import checked_id
from sonoteca_server.library.sounds import Content
from sonoteca_server.wire.bodies import open_blob
from sonoteca_server.wire.conditions import Representation, plan
from sonoteca_shared.digests import etag, repr_digest
from sonoteca_shared.disposition import attachment
from sonoteca_shared.errors import BadRequestError

_MAX_PARTS = 10_000


class ContentHandler(Handler):
    """What sends stored bytes has in common: conditions, ranges, digests and names."""

    async def send(self, content: Content, asked: HTTPHeaders | None = None) -> None:
        """Answer with these bytes as far as the request wants them."""
        created = int(datetime.fromisoformat(content.created).timestamp())
        file = Representation(content.size, etag(content.sha256), created)
        headers = asked if asked is not None else self.request.headers
        planned = plan(self.request.method or "GET", headers, file)
        self.set_status(planned.status)
        for name, value in planned.headers.items():
            self.set_header(name, value)
        if planned.is_refusal:
            if planned.status is HTTPStatus.NOT_MODIFIED:
                self.clear_header("Content-Type")
                self.finish()
            else:
                self.refuse(planned.status, *_REFUSALS[planned.status])
            return
        kind = "audio/wav" if content.is_wav else "application/octet-stream"
        self.set_header("Content-Type", kind)
        length = planned.body.end - planned.body.start if planned.body else 0
        self.set_header("Content-Length", str(length))
        self.set_header("Repr-Digest", repr_digest(content.sha256))
        self.set_header("Content-Disposition", attachment(content.name))
        source = await open_blob(self.services.blobs, content.blob, content.size)
        # Whoever is cut from here on can go on where it was: stopping need not wait.
        self.services.running.end(self)
        try:
            if planned.body and self.request.method != "HEAD":
                await source.send(self, planned.body)
        finally:
            source.close()
        self.finish()

    def compute_etag(self) -> None:
        """No tag but ours: Tornado's would hash what was written."""


class DownloadHandler(ContentHandler):
    """`/download`: the first sound that matches; `part=k&of=n` is the k-th of n equal ranges."""

    async def get(self) -> None:
        given = args.read_arguments(self.request, (*args.METADATA, "part", "of"))
        search = args.read_search(given)
        content, matches = await self.services.sounds.first_content(search.wanted, search.order)
        self.set_header("Sonoteca-Match-Count", matches)
        if "part" not in given and "of" not in given:
            await self.send(content)
            return
        headers = HTTPHeaders(self.request.headers)
        if "Range" in headers:
            raise BadRequestError("give either a Range header or “part” and “of”")
        headers["Range"] = _range_of_part(given, content.size)
        await self.send(content, headers)

    head = get


class SoundFileHandler(ContentHandler):
    """The bytes of a sound's present revision."""

    async def get(self, sound_id: str) -> None:
        args.read_arguments(self.request, ())
        await self.send(await self.services.sounds.content(checked_id(sound_id)))

    head = get


_REFUSALS = {
    HTTPStatus.PRECONDITION_FAILED: ("precondition-failed", "the bytes are not those you named"),
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: (
        "range-not-satisfiable",
        "the range lies behind the end; Content-Range tells the size",
    ),
}


def _range_of_part(given: dict[str, str], size: int) -> str:
    part, of = (args.parse_whole(name, given.get(name, "")) for name in ("part", "of"))
    if not 1 <= part <= of <= _MAX_PARTS:
        raise BadRequestError(f"“part” is between 1 and “of”, which is {_MAX_PARTS} at most")
    start, end = (part - 1) * size // of, part * size // of
    # An empty part is asked for behind the end, so that it is answered 416.
    return f"bytes={start}-{end - 1}" if end > start else f"bytes={size}-"
