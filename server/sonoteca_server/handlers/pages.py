"""The browser page, which works without script, and the server's health."""

from __future__ import annotations

from http import HTTPStatus
from importlib.resources import files
from typing import Any

import msgspec
from tornado.template import DictLoader

from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.catalog.orders import Order
from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.sounds import checked_id, page_addresses
from sonoteca_server.jobs.conversion import NoConverterError
from sonoteca_server.wire.problems import problem
from sonoteca_shared import __version__, routes
from sonoteca_shared.errors import NotFoundError
from sonoteca_shared.ids import is_id
from sonoteca_shared.models import Sound
from sonoteca_shared.recipes import TARGETS

_WEB = files("sonoteca_server") / "web"
_TEMPLATES = DictLoader(
    {name: (_WEB / name).read_text("utf-8") for name in ("frame.html", "index.html", "sound.html",
                                                         "refused.html")},
    autoescape="xhtml_escape",
)  # fmt: skip
_POLICY = (
    "default-src 'none'; style-src 'self'; media-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_PAGE_SIZE = 50


class HtmlHandler(Handler):
    """What pages have in common; refusals are pages too."""

    def show(self, template: str, **values: Any) -> None:
        """Render a template; every value is escaped."""
        show(self, template, **values)

    def refuse(self, status: int, code: str, detail: str) -> None:
        show_refusal(self, status, code, detail)

    async def formats(self) -> tuple[str, ...]:
        """What sounds can be converted to here."""
        try:
            return (await self.services.conversions.ffmpeg()).formats
        except NoConverterError:
            return ()


class PageHandler(HtmlHandler):
    """`/`: upload, filter, list and download, as plain forms."""

    async def get(self) -> None:
        known = (*args.METADATA, *args.PAGING, "result", "outcome")
        given = args.read_arguments(self.request, known).without()
        search = args.read_search(given)
        size, cursor = args.read_page(given, _PAGE_SIZE)
        with self.turn():
            found, count = await self.services.lists.counted_page(
                search.wanted, search.order, size=size, cursor=cursor
            )
        kept = given.without("result", "outcome")
        following, previous = page_addresses(routes.PAGE, kept, found)
        self.show(
            "index.html",
            formats=await self.formats(),
            depths=TARGETS["wav"].depths,
            sounds=[msgspec.json.decode(doc, type=Sound) for doc in found.docs],
            number=str(count),
            given=given,
            filtered=search.wanted != SoundFilter(),
            ignored=search.query.ignored,
            result=await self._result(given),
            next=following,
            previous=previous,
        )

    head = get

    async def _result(self, given: dict[str, str]) -> tuple[Sound, bool] | None:
        """The sound that was just uploaded, and whether it is new."""
        if not is_id(given.get("result", "")):
            return None
        try:
            sound = await self.services.sounds.doc(given["result"])
        except NotFoundError:
            return None
        return sound, given.get("outcome") == "created"


class SoundPageHandler(HtmlHandler):
    """`/sound/{id}`: one sound with all its facts."""

    async def get(self, sound_id: str) -> None:
        sound = await self.services.sounds.doc(checked_id(sound_id))
        self.show("sound.html", sound=sound, formats=await self.formats())

    head = get


class StyleHandler(Handler):
    """`/page.css`."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.finish((_WEB / "page.css").read_bytes())

    head = get


class HealthHandler(Handler):
    """`/healthz`: whether the catalogue answers."""

    async def get(self) -> None:
        await self.services.lists.page(SoundFilter(), Order(), size=1)
        self.answer({"status": "ok", "version": __version__})

    head = get


def show(handler: Handler, template: str, **values: Any) -> None:
    """Send a page."""
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.set_header("Content-Security-Policy", _POLICY)
    names = {"routes": routes, "version": __version__, "clock": clock, "size": size_text}
    handler.write_whole(_TEMPLATES.load(template).generate(**names, **values))


def show_refusal(handler: Handler, status: int, code: str, detail: str) -> None:
    """Send a refusal as a page."""
    document = problem(
        status, code, detail, request_id=handler.request_id, instance=handler.request.path
    )
    handler.set_status(HTTPStatus(status))
    show(handler, "refused.html", problem=document)


def clock(seconds: float) -> str:
    """A duration as people read it: 1:02:03.4."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def size_text(size: int) -> str:
    """A size as people read it, in powers of ten: 12.3 MB."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
