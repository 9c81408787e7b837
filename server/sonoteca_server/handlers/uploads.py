"""Files into the library: the one-shot POST, raw or as a form, streamed to disk."""

from __future__ import annotations

from email.message import Message
from http import HTTPStatus
from urllib.parse import unquote

import msgspec
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.web import stream_request_body

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.pages import show_refusal
from sonoteca_server.handlers.sounds import answer_page
from sonoteca_server.library.ingest import Admitted, OnConflict, Wish
from sonoteca_server.wire.errors import MediaTypeError, NoSpaceError, TooLargeError
from sonoteca_server.wire.intake import Form, Intake
from sonoteca_shared import routes
from sonoteca_shared.errors import BadRequestError, SonotecaError
from sonoteca_shared.names import clean_folder, clean_name

# How much of a refused body is read and dropped so that the refusal reaches a client that still
# sends: an answer before that is lost in a reset connection.
_DRAIN_LIMIT = 64 << 20
_UNBOUNDED = 1 << 62
_WISHES = ("name", "repository", "folder", "on_conflict", "on_duplicate")


@stream_request_body
class UploadHandler(Handler):
    """`POST /post`, `/upload` and `/api/v1/sounds`: one WAV becomes a sound."""

    intake: Intake | None = None
    form: Form | None = None
    refusal: SonotecaError | OSError | None = None
    dropped = 0
    watchdog: object | None = None

    async def prepare(self) -> None:
        self.guard()
        if self.request.method != "POST":
            return
        # Ours is the only limit; Tornado's own would close the connection without a word.
        self.request.connection.set_max_body_size(_UNBOUNDED)  # type: ignore[union-attr]
        self._watch()
        try:
            self._begin()
        except (SonotecaError, OSError) as error:
            self.refusal = error

    async def data_received(self, chunk: bytes) -> None:
        self._watch()
        if self.refusal is not None:
            await self._drop(chunk)
            return
        assert self.intake is not None
        try:
            await (self.form or self.intake).add(chunk)
        except (SonotecaError, OSError) as error:
            self.refusal = error

    async def post(self) -> None:
        self._unwatch()
        if self.refusal is not None:
            raise self.refusal
        assert self.intake is not None
        if self.form is not None:
            self.form.finish()
        wish = self._wish()
        part = await self.intake.finish()
        admitted = await self.services.ingest.admit(part, wish)
        self._answer(admitted)

    def on_connection_close(self) -> None:
        self._unwatch()
        self.refusal = self.refusal or BadRequestError("the connection was closed")
        if self.intake is not None:
            self._later_discard()

    def on_finish(self) -> None:
        if self.intake is not None:
            self._later_discard()

    def _watch(self) -> None:
        """A client that falls silent for too long is given up, and its part with it."""
        self._unwatch()
        stream = self.request.connection.stream  # type: ignore[union-attr]
        self.watchdog = IOLoop.current().call_later(self.services.body_idle_s, stream.close)

    def _unwatch(self) -> None:
        if self.watchdog is not None:
            IOLoop.current().remove_timeout(self.watchdog)
            self.watchdog = None

    def _later_discard(self) -> None:
        intake, self.intake = self.intake, None
        assert intake is not None
        IOLoop.current().add_callback(intake.discard)

    def _begin(self) -> None:
        kind = self.request.headers.get("Content-Type", "")
        if kind.partition(";")[0].strip().lower() == "application/json":
            raise MediaTypeError("send the bytes of a WAV, or a form with one file; not JSON")
        self.wishes = args.read_arguments(self.request, _WISHES)
        self._check_size()
        limit = self.services.max_upload_bytes
        self.intake = Intake(self.services.ingest.begin(), limit=limit)
        if kind.lower().startswith("multipart/form-data"):
            self.form = Form(kind, self.intake)

    def _check_size(self) -> None:
        # Tornado has judged Content-Length by now: a misshapen one never gets here as a number.
        text = self.request.headers.get("Content-Length", "0")
        length = int(text) if text.isascii() and text.isdecimal() else 0
        limit = self.services.max_upload_bytes
        if limit and length > limit:
            raise TooLargeError(limit)
        free, least = self.services.blobs.free(), self.services.min_free_bytes
        if free - length < least:
            raise NoSpaceError(free=free, needed=length + least)

    async def _drop(self, chunk: bytes) -> None:
        self.dropped += len(chunk)
        if self.dropped > _DRAIN_LIMIT:
            self.request.connection.stream.close()  # type: ignore[union-attr]

    def _wish(self) -> Wish:
        fields = self.form.fields if self.form is not None else {}
        given = {name: fields[name] for name in _WISHES if name in fields} | self.wishes
        conflict = given.get("on_conflict", OnConflict.RENAME)
        if conflict not in list(OnConflict):
            raise BadRequestError(f"“on_conflict” is rename, version or reject, not “{conflict}”")
        duplicate = given.get("on_duplicate", "keep")
        if duplicate not in ("keep", "skip"):
            raise BadRequestError(f"“on_duplicate” is keep or skip, not “{duplicate}”")
        return Wish(
            repository=given.get("repository") or "main",
            folder=clean_folder(given.get("folder", "")),
            name=self._name(given),
            on_conflict=OnConflict(conflict),
            skip_known=duplicate == "skip",
        )

    def _name(self, given: dict[str, str]) -> str:
        """The first name that is given: by the form, a header, the address, or nobody."""
        offers = (
            self.form.filename if self.form is not None else None,
            disposition_name(self.request),
            given.get("name"),
            unquote(self.request.headers.get("X-Filename", "")),
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


def disposition_name(request: HTTPServerRequest) -> str | None:
    """The file name of a raw body's Content-Disposition (RFC 6266, RFC 8187)."""
    message = Message()
    message["Content-Disposition"] = request.headers.get("Content-Disposition", "")
    return message.get_filename()
