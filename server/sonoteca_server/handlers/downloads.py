"""Stored bytes, whole or in part: of a sound, or of what `send` is given."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from http import HTTPStatus

import msgspec
from tornado.httputil import HTTPHeaders

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.presets import PRESET, recipe_from
from sonoteca_server.handlers.sounds import checked_id
from sonoteca_server.handlers.waiting import WaitingHandler
from sonoteca_server.library.sounds import Content
from sonoteca_server.storage import BlobDamagedError, BlobMissingError
from sonoteca_server.wire.bodies import Body, Extent, Extents, Outlet, Slice, extents_of, in_thread
from sonoteca_server.wire.conditions import Plan, Representation, plan
from sonoteca_shared.digests import computed_etag, etag, repr_digest
from sonoteca_shared.disposition import attachment
from sonoteca_shared.errors import BadRequestError, NotFoundError
from sonoteca_shared.models import Sound
from sonoteca_shared.names import with_ending
from sonoteca_shared.ranges import ByteRange
from sonoteca_shared.recipes import OPTIONS, Recipe
from sonoteca_shared.wav.region import Span, cut

_MAX_PARTS = 10_000


class ContentHandler(Handler):
    """What sends stored bytes has in common: conditions, ranges, digests and names."""

    async def send(self, content: Content, asked: HTTPHeaders | None = None) -> None:
        """Answer with these bytes as far as the request, or `asked` instead, wants them."""
        tag = etag(content.sha256)
        kind = "audio/wav" if content.is_wav else "application/octet-stream"
        file = Representation(content.size, tag, modified(content.created), kind)
        planned = self.plan(file, content.name, asked)
        if not planned.is_refusal:
            self.set_header("Repr-Digest", repr_digest(content.sha256))
        whole = _whole(content)
        async with Outlet(self.services.blobs, self) as outlet:
            if not planned.is_refusal:
                await outlet.open(whole)
            await self.carry_out(planned, Extents([whole]), outlet)

    def plan(self, file: Representation, name: str, asked: HTTPHeaders | None = None) -> Plan:
        """What the request gets of these bytes, with the header fields that say so."""
        planned = plan(self.request.method or "GET", asked or self.request.headers, file)
        self.set_status(planned.status)
        for field, value in planned.headers.items():
            self.set_header(field, value)
        if not planned.is_refusal:
            self.set_header("Content-Disposition", attachment(name))
        return planned

    async def carry_out(self, planned: Plan, body: Body, outlet: Outlet) -> None:
        """Send what was planned, after the first blob of it was opened and found whole."""
        if planned.is_refusal:
            self._refuse_as(planned.status)
            return
        self.set_header("Content-Length", str(planned.length))
        # Whoever is cut from here on can go on where it was: stopping need not wait.
        self.services.running.end(self)
        if self.request.method != "HEAD":
            await outlet.send(extents_of(body, planned.pieces))
        self.finish()

    def _refuse_as(self, status: HTTPStatus) -> None:
        if status is HTTPStatus.NOT_MODIFIED:
            self.clear_header("Content-Type")
            self.finish()
        else:
            self.refuse(status, *_REFUSALS[status])

    def compute_etag(self) -> None:
        """No tag but ours: Tornado's would hash what was written."""


class DownloadHandler(ContentHandler):
    """`/download`: the first sound that matches; `part=k&of=n` is the k-th of n equal ranges."""

    async def get(self) -> None:
        given = args.read_arguments(self.request, (*args.METADATA, "part", "of"))
        search = args.read_search(given)
        with self.turn():
            found, count = await self.services.lists.counted_page(
                search.wanted, search.order, size=1
            )
        if not found.docs:
            raise NotFoundError("no sound matches")
        sound = msgspec.json.decode(found.docs[0], type=Sound)
        content = await self.services.sounds.content(sound.id)
        self.set_header("Sonoteca-Match-Count", str(count))
        if "part" not in given and "of" not in given:
            await self.send(content)
            return
        headers = HTTPHeaders(self.request.headers)
        if "Range" in headers:
            raise BadRequestError("give either a Range header or “part” and “of”")
        headers["Range"] = _range_of_part(given, content.size)
        await self.send(content, headers)

    head = get


class SoundFileHandler(WaitingHandler, ContentHandler):
    """The bytes of a sound's present revision; with `start`, `end`, `handles` a region as a WAV.

    With `format` or a `preset` it is converted first, once for all who ask.
    """

    async def get(self, sound_id: str) -> None:
        given = args.read_arguments(self.request, (*_REGION, *OPTIONS, PRESET))
        content = await self.services.sounds.content(checked_id(sound_id))
        if given.keys() - _REGION:
            await self.send_converted(content, given)
        elif given:
            times = {name: args.parse_seconds(name, text) for name, text in given.items()}
            await self.send_region(content, Span(**times))
        else:
            await self.send(content)

    head = get

    async def send_converted(self, content: Content, given: dict[str, str]) -> None:
        """Answer with the sound in another format, as it is kept or made now."""
        if "handles" in given:
            raise BadRequestError("“handles” is for parts of the WAV itself: leave out the format")
        offered = (await self.services.conversions.ffmpeg()).formats
        recipe = await recipe_from(self.services, given, offered)
        text = await self.services.derivatives.recipe_text(recipe)
        tag = computed_etag(f"{content.sha256} {text}")
        async with Outlet(self.services.blobs, self) as outlet:
            try:
                whole = await self._open_made(outlet, content, recipe)
            except BlobMissingError:  # it went after it was found, as copies may
                whole = await self._open_made(outlet, content, recipe)
            kind = recipe.target.media_type
            file = Representation(whole.size, tag, modified(content.created), kind)
            planned = self.plan(file, with_ending(content.name, recipe.format))
            await self.carry_out(planned, Extents([whole]), outlet)

    async def _open_made(self, outlet: Outlet, content: Content, recipe: Recipe) -> Slice:
        """A copy by this recipe, open in the outlet; one that is not whole is forgotten."""
        derivatives = self.services.derivatives
        made = await self.while_here(derivatives.get(content, recipe))
        whole = Slice(made.blob, made.size, 0, made.size)
        try:
            await outlet.open(whole)
        except BlobDamagedError:
            await derivatives.lose(made)
            raise
        return whole

    async def send_region(self, content: Content, span: Span) -> None:
        """Answer with a part of the sound as a WAV of its own."""
        whole = _whole(content)
        async with Outlet(self.services.blobs, self) as outlet:
            blob = await outlet.open(whole)
            region = await in_thread(partial(cut, blob.read_at, blob.size, span))
            body = Extents([_extent(whole, piece) for piece in region.pieces])
            tag = computed_etag(region.recipe(content.sha256))
            file = Representation(body.size, tag, modified(content.created), "audio/wav")
            planned = self.plan(file, region.name(content.name))
            await self.carry_out(planned, body, outlet)


_REGION = ("start", "end", "handles")

_REFUSALS = {
    HTTPStatus.PRECONDITION_FAILED: ("precondition-failed", "the bytes are not those you named"),
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: (
        "range-not-satisfiable",
        "the range lies behind the end; Content-Range tells the size",
    ),
}


def modified(created: str) -> int:
    """When bytes came, as HTTP has it: seconds since the epoch."""
    return int(datetime.fromisoformat(created).timestamp())


def _whole(content: Content) -> Slice:
    return Slice(content.blob, content.size, 0, content.size)


def _extent(whole: Slice, piece: bytes | ByteRange) -> Extent:
    return piece if isinstance(piece, bytes) else whole.cut(piece.start, piece.end)


def _range_of_part(given: dict[str, str], size: int) -> str:
    part, of = (args.parse_whole(name, given.get(name, "")) for name in ("part", "of"))
    if not 1 <= part <= of <= _MAX_PARTS:
        raise BadRequestError(f"“part” is between 1 and “of”, which is {_MAX_PARTS} at most")
    start, end = (part - 1) * size // of, part * size // of
    # An empty part is asked for behind the end, so that it is answered 416.
    return f"bytes={start}-{end - 1}" if end > start else f"bytes={size}-"
