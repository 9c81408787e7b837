"""`/convert`: a sound comes in, the same sound in another format goes out, and nothing is kept."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import unquote

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.pages import show_refusal
from sonoteca_server.handlers.presets import PRESET, recipe_from
from sonoteca_server.handlers.receiving import ReceivingHandler
from sonoteca_server.handlers.waiting import WaitingHandler
from sonoteca_server.jobs.headstart import HeadStart
from sonoteca_server.jobs.sources import examine
from sonoteca_server.storage.spool import Spool
from sonoteca_server.wire.bodies import Outlet, Slice
from sonoteca_server.wire.forms import Form
from sonoteca_server.wire.intake import Intake
from sonoteca_shared.disposition import attachment, parse_filename
from sonoteca_shared.errors import BadRequestError, SonotecaError
from sonoteca_shared.names import clean_name, with_ending
from sonoteca_shared.recipes import OPTIONS, Recipe

_NAMELESS = "sound"
_KNOWN = (*OPTIONS, PRESET, "name")


class ConvertHandler(WaitingHandler, ReceivingHandler):
    """`POST /convert`: a form with a file and options in any order, or the file and a query.

    File and result lie on the disk without names. The answer begins when the result is whole, so
    whatever goes wrong with it has a status of its own.
    """

    head_start: HeadStart | None = None

    def check_head(self) -> None:
        self.given = args.read_arguments(self.request, _KNOWN)
        self.services.conversions.check_queue()

    async def open_intake(self) -> Intake[Any]:
        self.offered = (await self.services.conversions.ffmpeg()).formats
        if not self.is_form:
            await self._recipe()  # what is wrong with it is told before the file is sent
        intake = await super().open_intake()
        self.head_start = HeadStart(
            self.services.conversions, intake.part, self._recipe_so_far, self.begin_part
        )
        return intake

    def give_up(self) -> None:
        if self.head_start is not None:
            self.head_start.cancel()
        super().give_up()

    def begin_part(self) -> Spool:
        return self.services.blobs.spool()

    def open_form(self, intake: Intake[Any]) -> Form | None:
        if not self.is_form:
            return None
        return Form(self.content_type, intake, _KNOWN, file_field="file")

    async def post(self) -> None:
        await self.take()

    async def receive(self, part: Spool) -> None:
        recipe = await self._recipe()
        if not part.size:
            raise BadRequestError("the file is empty")
        with contextlib.closing(await self.while_here(self._convert(part, recipe))) as result:
            await self._send(result, recipe)

    def refuse(self, status: int, code: str, detail: str) -> None:
        if self.wants_page:
            show_refusal(self, status, code, detail)
        else:
            super().refuse(status, code, detail)

    @property
    def is_form(self) -> bool:
        """Whether the body is a form; else it is the file."""
        return self.content_type.lower().startswith("multipart/form-data")

    @property
    def content_type(self) -> str:
        """What the body says that it is."""
        return self.request.headers.get("Content-Type", "")

    async def _recipe(self) -> Recipe:
        fields = self.form.fields if self.form is not None else {}
        if twice := sorted(fields.keys() & self.given.keys()):
            raise BadRequestError(f"“{twice[0]}” is given twice; give it once")
        given = fields | self.given
        given.pop("name", None)
        return await recipe_from(self.services, given, self.offered)

    async def _recipe_so_far(self) -> Recipe | None:
        """The recipe, if what is there of the form has one; loudness takes more than one look."""
        try:
            recipe = await self._recipe()
        except SonotecaError:
            return None
        return recipe if recipe.normalize_lufs is None else None

    async def _convert(self, part: Spool, recipe: Recipe) -> Spool:
        """The result, in a file that the caller closes."""
        source = await asyncio.to_thread(examine, part.descriptor)
        assert self.head_start is not None
        begun = await self.head_start.finish(source, recipe)
        if begun is not None:
            return begun
        result = await asyncio.to_thread(self.begin_part)
        try:
            await self.services.conversions.convert(source, recipe, result.descriptor)
        except BaseException:
            result.close()
            raise
        return result

    async def _send(self, result: Spool, recipe: Recipe) -> None:
        size = result.size
        self.set_header("Content-Type", recipe.target.media_type)
        self.set_header("Content-Length", str(size))
        self.set_header("Content-Disposition", attachment(with_ending(self._name(), recipe.format)))
        async with Outlet(_One(result), self) as outlet:
            await outlet.send([Slice("", size, 0, size)])
        self.finish()

    def _name(self) -> str:
        """What the file is called, as far as anybody says."""
        fields = self.form.fields if self.form is not None else {}
        offers = (
            self.form.filename if self.form is not None else None,
            parse_filename(self.request.headers.get("Content-Disposition", "")),
            self.given.get("name", fields.get("name")),
            unquote(self.request.headers.get("X-Filename", "")),
        )
        return next((name for each in offers if (name := clean_name(each or ""))), _NAMELESS)


class _One:
    """A store of one file, which whoever made it closes."""

    def __init__(self, file: Spool) -> None:
        self._file = file

    def open(self, _key: str) -> Spool:
        """The file."""
        return self._file
