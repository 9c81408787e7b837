"""Files into the library: the one-shot POST, raw or as a form, streamed to disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from urllib.parse import unquote

import msgspec
from tornado.ioloop import IOLoop

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.pages import show_refusal
from sonoteca_server.handlers.sounds import answer_page
from sonoteca_server.library.ingest import Admitted, OnConflict, Wish
from sonoteca_server.storage.local import Part
from sonoteca_server.wire.errors import MediaTypeError, TooLargeError
from sonoteca_server.wire.intake import DROP_LIMIT, DROP_S, Form, Intake
from sonoteca_shared import routes
from sonoteca_shared.disposition import parse_filename
from sonoteca_shared.errors import BadRequestError, SonotecaError
from sonoteca_shared.names import clean_folder, clean_name

_MAX_FOLDER = 4_000  # characters; longer than any path that a file system takes
_UNBOUNDED = 1 << 62
_LENGTH = re.compile("[0-9]{1,18}")
_WISHES = ("name", "repository", "folder", "on_conflict", "on_duplicate")


class UploadHandler(Handler):
    """`POST /post`, `/upload` and `/api/v1/sounds`: one WAV becomes a sound."""

    intake: Intake | None = None
    form: Form | None = None
    watchdog: object | None = None
    dropped = 0
    admitting = False

    async def begin(self) -> None:
        if self.request.method != "POST":
            await super().begin()
            return
        # Ours is the only limit; Tornado's own would close the connection without a word.
        self.request.connection.set_max_body_size(_UNBOUNDED)  # type: ignore[union-attr]
        kind = self.request.headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() == "application/json":
            raise MediaTypeError("send the bytes of a WAV, or a form with one file; not JSON")
        self.wishes = args.read_arguments(self.request, _WISHES)
        check_room = partial(self.services.blobs.check_room, least=self.services.min_free_bytes)
        part = await asyncio.to_thread(self._begin_part, check_room)
        limit = self.services.max_upload_bytes
        self.intake = Intake(part, limit=limit, check_room=check_room)
        if kind.lower().startswith("multipart/form-data"):
            self.form = Form(kind, self.intake, _WISHES)
        self._watch(self.services.body_idle_s)

    def _begin_part(self, check_room: Callable[[int], None]) -> Part:
        # Tornado refuses a misshapen Content-Length, but not before this.
        length = self.request.headers.get("Content-Length", "0")
        count = int(length) if _LENGTH.fullmatch(length) else 0
        limit = self.services.max_upload_bytes
        if limit and count > limit:
            raise TooLargeError(limit)
        check_room(count)
        return self.services.ingest.begin()

    async def data_received(self, chunk: bytes) -> None:
        if self.intake is None:
            self._drop(chunk)
            return
        self._unwatch()
        try:
            await (self.form or self.intake).add(chunk)
        except (SonotecaError, OSError) as error:
            self._discard()
            await self.refuse_early(error)
            self._watch(DROP_S)
        else:
            self._watch(self.services.body_idle_s)

    async def post(self) -> None:
        self._unwatch()
        if self.intake is None:
            # Refused, or the client left when its last byte was read: the line is of no more use.
            self.request.connection.stream.close()  # type: ignore[union-attr]
            return
        self.admitting = True
        try:
            if self.form is not None:
                self.form.finish()
            wish = self._wish()
            part = await self.intake.finish()
            admitted = await self.services.ingest.admit(part, wish)
            self._answer(admitted)
        finally:
            # A client that left in between neither ends this nor takes the part away.
            self._end()

    def on_connection_close(self) -> None:
        if self.admitting:
            return
        super().on_connection_close()
        self._end()

    def on_finish(self) -> None:
        self._end()

    def _end(self) -> None:
        self._unwatch()
        self._discard()
        self.services.running.end(self)

    def _drop(self, chunk: bytes) -> None:
        self.dropped += len(chunk)
        if self.dropped > DROP_LIMIT:
            self.request.connection.stream.close()  # type: ignore[union-attr]

    def _watch(self, seconds: float) -> None:
        """A client that falls silent for too long is given up, and its part with it."""
        self._unwatch()
        stream = self.request.connection.stream  # type: ignore[union-attr]
        self.watchdog = IOLoop.current().call_later(seconds, stream.close)

    def _unwatch(self) -> None:
        if self.watchdog is not None:
            IOLoop.current().remove_timeout(self.watchdog)
            self.watchdog = None

    def _discard(self) -> None:
        intake, self.intake = self.intake, None
        if intake is not None:
            IOLoop.current().add_callback(intake.discard)

    def _wish(self) -> Wish:
        fields = self.form.fields if self.form is not None else {}
        given = {name: fields[name] for name in _WISHES if name in fields} | self.wishes
        conflict = given.get("on_conflict", OnConflict.RENAME)
        if conflict not in list(OnConflict):
            raise BadRequestError(f"“on_conflict” is rename, version or reject, not “{conflict}”")
        duplicate = given.get("on_duplicate", "keep")
        if duplicate not in ("keep", "skip"):
            raise BadRequestError(f"“on_duplicate” is keep or skip, not “{duplicate}”")
        folder = clean_folder(given.get("folder", ""))
        if len(folder) > _MAX_FOLDER:
            raise BadRequestError(f"“folder” has more than {_MAX_FOLDER} characters")
        return Wish(
            repository=given.get("repository") or "main",
            folder=folder,
            name=self._name(given),
            on_conflict=OnConflict(conflict),
            skip_known=duplicate == "skip",
        )

    def _name(self, given: dict[str, str]) -> str:
        """The first name that is given: by the form, a header, the address, or nobody."""
        offers = (
            self.form.filename if self.form is not None else None,
            parse_filename(_as_sent(self.request.headers.get("Content-Disposition", ""))),
            given.get("name"),
            unquote(_as_sent(self.request.headers.get("X-Filename", ""))),
        )
        return next((name for offer in offers if (name := clean_name(offer or ""))), "")

    def refuse(self, status: int, code: str, detail: str) -> None:
        if self.wants_page:
            show_refusal(self, status, code, detail)
        else:
            super().refuse(status, code, detail)

    def _answer(self, admitted: Admitted) -> None:
        if self.wants_page:
            outcome = "created" if admitted.created else "known"
            page = routes.with_query(routes.PAGE, result=admitted.id, outcome=outcome)
            self.redirect(page, status=HTTPStatus.SEE_OTHER)
            return
        self.set_header("Location", routes.fill(routes.SOUND, id=admitted.id))
        doc = admitted.doc
        if admitted.renamed_from is not None:
            renamed = msgspec.json.encode({"renamed_from": admitted.renamed_from}).decode()
            doc = f"{doc.removesuffix('}')},{renamed[1:]}"
        self.answer_json(doc, HTTPStatus.CREATED if admitted.created else HTTPStatus.OK)


class SoundsHandler(UploadHandler):
    """`/api/v1/sounds`: a page of sounds, and uploads as at `/post`."""

    async def get(self) -> None:
        await answer_page(self)

    head = get


def _as_sent(field: str) -> str:
    """A header that is not plain ASCII as nearly every client means it: in UTF-8."""
    try:
        return field.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return field
