"""Files into the library: the one-shot POST, raw or as a form, streamed to disk."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.edits import JsonHandler, read_json
from sonoteca_server.handlers.handler import JSON, Handler
from sonoteca_server.handlers.pages import show_refusal
from sonoteca_server.handlers.receiving import ReceivingHandler
from sonoteca_server.handlers.sounds import answer_page
from sonoteca_server.library.ingest import Admitted, Wish, parse_wish
from sonoteca_server.storage import Incoming
from sonoteca_server.wire.forms import Form
from sonoteca_server.wire.intake import Intake
from sonoteca_shared import routes
from sonoteca_shared.digests import is_digest
from sonoteca_shared.disposition import parse_filename
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.names import clean_name
from sonoteca_shared.wav.audio_digest import AudioHasher

_WISHES = ("name", "repository", "folder", "on_conflict", "on_duplicate")


class UploadHandler(ReceivingHandler):
    """`POST /post`, `/upload` and `/api/v1/sounds`: one WAV becomes a sound."""

    def check_head(self) -> None:
        self.wishes = args.read_arguments(self.request, _WISHES)

    def open_form(self, intake: Intake[Incoming]) -> Form | None:
        if not self._kind.lower().startswith("multipart/form-data"):
            return None
        return Form(self._kind, intake, _WISHES)

    async def post(self) -> None:
        await self.take()

    def listener(self) -> Callable[[bytearray | memoryview], None]:
        self.audio = AudioHasher()
        return self.audio.feed

    async def receive(self, part: Incoming) -> None:
        self._answer(await self.services.ingest.admit(part, self._wish(), self.audio))

    @property
    def _kind(self) -> str:
        return self.request.headers.get("Content-Type", "")

    def _wish(self) -> Wish:
        fields = self.form.fields if self.form is not None else {}
        given = {name: fields[name] for name in _WISHES if name in fields} | self.wishes
        return parse_wish(given, self._name(given))

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


class Referring(msgspec.Struct, forbid_unknown_fields=True):
    """A sound of bytes that the repository has already; the rest is as with uploads."""

    sha256: str
    repository: str = "main"
    folder: str = ""
    name: str = ""
    on_conflict: str = "rename"
    on_duplicate: str = "keep"


class SoundsHandler(UploadHandler, JsonHandler):
    """`/api/v1/sounds`: a page of sounds, uploads as at `/post`, or sounds of known bytes."""

    @property
    def _refers(self) -> bool:
        return self._kind.partition(";")[0].strip().lower() == JSON

    async def get(self) -> None:
        await answer_page(self)

    def compute_etag(self) -> None:
        """None: to hash a list costs as much as to find it."""

    head = get

    async def begin(self) -> None:
        await (Handler if self._refers else UploadHandler).begin(self)

    async def data_received(self, chunk: bytes) -> None:
        await (JsonHandler if self._refers else UploadHandler).data_received(self, chunk)

    async def post(self) -> None:
        if not self._refers:
            await super().post()
            return
        args.read_arguments(self.request, ())
        known = read_json(self, Referring, JSON)
        if not is_digest(known.sha256):
            raise BadRequestError("“sha256” takes 64 lower-case hex digits")
        given = msgspec.structs.asdict(known)
        wish = parse_wish(given, clean_name(known.name))
        self._answer(await self.services.ingest.admit_known(known.sha256, wish))


def _as_sent(field: str) -> str:
    """A header that is not plain ASCII as nearly every client means it: in UTF-8."""
    try:
        return field.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return field
