"""Archives: asked for, followed until they are ready, and downloaded as one zip."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from itertools import islice

import msgspec
from sqlalchemy import Connection

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.downloads import ContentHandler
from sonoteca_server.handlers.edits import JsonHandler, read_json
from sonoteca_server.handlers.handler import JSON, Handler
from sonoteca_server.jobs.addresses import BadUrlError, parse_url
from sonoteca_server.library import choices
from sonoteca_server.library.archive_rows import ArchiveState, OnError
from sonoteca_server.library.archives import Archive, ArchiveRequest
from sonoteca_server.library.choices import Choice
from sonoteca_server.library.zips import Part, Zip
from sonoteca_server.storage import BlobDamagedError
from sonoteca_server.wire.bodies import Extent, Outlet, Slice, extents_of
from sonoteca_server.wire.conditions import Plan, Representation
from sonoteca_server.wire.errors import ArchiveGoneError, ArchivePendingError
from sonoteca_shared import routes
from sonoteca_shared.digests import computed_etag
from sonoteca_shared.errors import BadRequestError, NotFoundError
from sonoteca_shared.ids import is_id
from sonoteca_shared.models import ArchiveStatus
from sonoteca_shared.names import clean_name
from sonoteca_shared.ranges import ByteRange

MOST_URLS = 1_000
_LONGEST_KEY = 255
# What curl says of whatever it sends with -d.
_FORM = "application/x-www-form-urlencoded"
_SOURCES = ("urls", "sounds", "query", "collection")


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """What an archive is made of: one of the first four, and how."""

    urls: list[str] | None = None
    sounds: list[str] | None = None
    query: str | None = None
    collection: str | None = None
    name: str | None = None
    callback_url: str | None = None
    on_error: OnError = OnError.SKIP


class ArchivesHandler(JsonHandler):
    """`create`: notes what is wanted, and says where to ask how far it is."""

    most_bytes = 16 << 20

    async def post(self) -> None:
        args.read_arguments(self.request, ())
        wanted = self._read()
        # The longest lists take a quarter of a second.
        urls, choose = await asyncio.to_thread(_checked_files, wanted)
        request = ArchiveRequest(
            urls=urls,
            choose=choose,
            name=_checked_name(wanted.name),
            on_error=wanted.on_error,
            origin=_origin(self),
            callback_url=_checked_callback(wanted.callback_url),
            key=_key(self),
            digest=hashlib.sha256(msgspec.json.encode(wanted)).hexdigest(),
        )
        with self.turn():
            archive_hash = await self.services.archives.create(request)
        self.set_header("Location", routes.fill(routes.ARCHIVE, hash=archive_hash))
        self.answer({"archive_hash": archive_hash}, HTTPStatus.ACCEPTED)

    def _read(self) -> Wanted:
        headers = self.request.headers
        is_form = headers.get("Content-Type", "").partition(";")[0].strip().lower() == _FORM
        if is_form and self.body.lstrip().startswith(b"{"):
            headers["Content-Type"] = JSON
        wanted = read_json(self, Wanted, JSON)
        given = [name for name in _SOURCES if getattr(wanted, name) is not None]
        if len(given) != 1:
            told = f", not {' and '.join(given)}" if given else ""
            raise BadRequestError(f"give one of {', '.join(_SOURCES)}{told}")
        return wanted


class ArchiveHandler(Handler):
    """`status`: how far an archive is; `DELETE` ends it."""

    async def get(self, archive_hash: str) -> None:
        details = args.read_arguments(self.request, ("details",)).get("details", "0")
        if details not in ("0", "1"):
            raise BadRequestError(f"“details” is 1 or 0, not “{details[:100]}”")
        status = await self.services.archives.status(archive_hash, _origin(self))
        self.answer(status if details == "1" else _brief(status))

    head = get

    async def delete(self, archive_hash: str) -> None:
        args.read_arguments(self.request, ())
        await self.services.archives.cancel(archive_hash)
        self.answer(_brief(await self.services.archives.status(archive_hash, _origin(self))))


class ArchiveFileHandler(ContentHandler):
    """`get`: the zip, whole or in part."""

    async def get(self, archive_hash: str) -> None:
        args.read_arguments(self.request, ())
        archives = self.services.archives
        archive = _whole(await archives.find(archive_hash))
        body = _Body(await archives.layout(archive_hash))
        tag, made = computed_etag(archive.recipe), int(archive.created.timestamp())
        planned = self.plan(
            Representation(body.size, tag, made, "application/zip"),
            archive.name or f"sonoteca-{archive_hash[:12]}.zip",
        )
        async with Outlet(self.services.blobs, self) as outlet:
            try:
                await _open_first(planned, body, outlet)
            except BlobDamagedError:
                # Since this was laid out the blob may have been mended, which is another one then.
                archives.forget(archive_hash)
                body = _Body(await archives.layout(archive_hash))
                await _open_first(planned, body, outlet)
            try:
                await self.carry_out(planned, body, outlet)
            except BlobDamagedError:
                archives.forget(archive_hash)
                raise

    head = get


class _Body:
    """A zip as what can be sent."""

    def __init__(self, zipped: Zip) -> None:
        self._zip = zipped
        self.size = zipped.size

    def cut(self, part: ByteRange) -> Iterator[Extent]:
        """The extents that a range of it is made of."""
        for piece in self._zip.cut(part):
            if isinstance(piece, Part):
                yield Slice(piece.blob, piece.size, piece.start, piece.end)
            else:
                yield piece


async def _open_first(planned: Plan, body: _Body, outlet: Outlet) -> None:
    """Look at the first file that will be sent, while a refusal can still say what is wrong."""
    for extent in islice(extents_of(body, planned.pieces), 2):
        if isinstance(extent, Slice):
            await outlet.open(extent)
            return


def _whole(archive: Archive) -> Archive:
    """The archive, if it is whole; the error that says what it is otherwise."""
    if archive.state is ArchiveState.IN_PROGRESS:
        raise ArchivePendingError
    if archive.state is ArchiveState.CANCELLED:
        raise ArchiveGoneError
    if archive.state is ArchiveState.FAILED:
        raise NotFoundError("this archive failed, so there is no zip; its status says why")
    return archive


def _origin(handler: Handler) -> str:
    """The address under which this server is reached, without a slash at its end."""
    request = handler.request
    return handler.services.public_url.rstrip("/") or f"{request.protocol}://{request.host}"


def _brief(status: ArchiveStatus) -> ArchiveStatus:
    return msgspec.structs.replace(status, progress=None, expires=None)


def _checked_files(wanted: Wanted) -> tuple[list[str], Callable[[Connection], Choice] | None]:
    return _checked_urls(wanted.urls), _choice(wanted)


def _choice(wanted: Wanted) -> Callable[[Connection], Choice] | None:
    """How the sounds of an archive are found; None where it has URLs."""
    if wanted.sounds is not None:
        return partial(choices.by_ids, ids=_checked_ids(wanted.sounds))
    if wanted.collection is not None:
        return partial(choices.by_collection, collection_id=wanted.collection)
    if wanted.query is not None:
        search = args.read_search(args.Arguments({"q": wanted.query}))
        if search.query.ignored:
            # A list shows what it found anyway; an archive of too much would only be noticed late.
            raise BadRequestError(f"“query”: “{search.query.ignored[0][:100]}” is not understood")
        return partial(choices.by_query, wanted=search.wanted)
    return None


def _checked_ids(ids: list[str]) -> list[str]:
    if not 1 <= len(ids) <= choices.MOST:
        raise BadRequestError(f"“sounds” takes between 1 and {choices.MOST} ids")
    for place, each in enumerate(ids):
        if not is_id(each):
            raise BadRequestError(f"“sounds[{place}]” is not the id of a sound: “{each[:100]}”")
    return ids


def _checked_urls(urls: list[str] | None) -> list[str]:
    if urls is None:
        return []
    if not 1 <= len(urls) <= MOST_URLS:
        raise BadRequestError(f"“urls” takes between 1 and {MOST_URLS} URLs, not {len(urls)}")
    for place, url in enumerate(urls):
        _check_url(f"urls[{place}]", url)
    return urls


def _checked_callback(url: str | None) -> str | None:
    if url is not None:
        _check_url("callback_url", url)
    return url


def _check_url(member: str, url: str) -> None:
    try:
        parse_url(url)
    except BadUrlError as error:
        raise BadRequestError(f"“{member}”: {error}") from error


def _checked_name(name: str | None) -> str:
    """The name that the zip is downloaded under, "" for none."""
    if name is None:
        return ""
    cleaned = clean_name(name)
    if not cleaned:
        raise BadRequestError("“name” has nothing in it that could name a file")
    return cleaned if cleaned.lower().endswith(".zip") else clean_name(f"{cleaned}.zip")


def _key(handler: Handler) -> str | None:
    key = handler.request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= _LONGEST_KEY and key.isprintable()):
        raise BadRequestError(f"“Idempotency-Key” has between 1 and {_LONGEST_KEY} characters")
    return key
