"""Edits of sounds: PATCH, DELETE, batches, undo, history and revert."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any, TypeVar

import msgspec

from sonoteca_server.handlers.handler import JSON, Handler, Services
from sonoteca_server.handlers.sounds import SoundHandler, checked_id
from sonoteca_server.library.editing import Edited, RevisionMismatchError, Step
from sonoteca_server.wire.errors import MediaTypeError, PreconditionRequiredError, TooLargeError
from sonoteca_server.wire.problems import status_of
from sonoteca_shared.errors import BadRequestError, NotFoundError, SonotecaError
from sonoteca_shared.ids import is_id

T = TypeVar("T")

MERGE_PATCH = "application/merge-patch+json"
_TAG = re.compile(r'"([0-9]{1,18})"')
_MOST = 1_000


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """What `sounds:batch` takes: one patch for many sounds, or many sounds into the trash."""

    ids: list[str]
    patch: dict[str, Any] | None = None
    delete: bool = False


class Undo(msgspec.Struct, forbid_unknown_fields=True):
    """What `undo` takes: the id that an edit was answered with."""

    change: str


class Revert(msgspec.Struct, forbid_unknown_fields=True):
    """What `revert` takes: the revision to go back to."""

    rev: Annotated[int, msgspec.Meta(ge=1, le=(1 << 31) - 1)]


class JsonHandler(Handler):
    """What takes a body of JSON, which has `most_bytes` at most."""

    most_bytes = 1 << 20

    def initialize(self, services: Services) -> None:
        super().initialize(services)
        self.body = bytearray()

    async def data_received(self, chunk: bytes) -> None:
        # What is too much is read, so that the refusal arrives, but not kept.
        self.body += chunk[: self.most_bytes + 1 - len(self.body)]


class EditableSoundHandler(JsonHandler, SoundHandler):
    """One sound, which can be edited and removed."""

    async def patch(self, sound_id: str) -> None:
        changes = read_json(self, dict[str, Any], MERGE_PATCH)
        rev = read_revision(self)
        try:
            step = await self.services.editing.edit(checked_id(sound_id), changes, rev=rev)
        except RevisionMismatchError as error:
            show_present(self, error)
            return
        _answer_one(self, step)

    async def delete(self, sound_id: str) -> None:
        rev = read_revision(self) if "If-Match" in self.request.headers else None
        try:
            step = await self.services.editing.trash([checked_id(sound_id)], rev=rev)
        except RevisionMismatchError as error:
            show_present(self, error)
            return
        self.set_header("Sonoteca-Change", step.id)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()


class BatchHandler(JsonHandler):
    """`sounds:batch`: a result for each sound, and one step that undoes them together."""

    def check_disk(self) -> None:
        """Only its body says whether it deletes."""

    async def post(self) -> None:
        batch = read_json(self, Batch, JSON)
        check_ids(batch.ids)
        if (batch.patch is None) != batch.delete:
            raise BadRequestError("give either “patch”, or “delete”: true")
        if batch.patch is None:
            step = await self.services.editing.trash(batch.ids)
        else:
            super().check_disk()
            step = await self.services.editing.edit_many(batch.ids, batch.patch)
        answer_step(self, step)


class UndoHandler(JsonHandler):
    """`undo`: takes back what was done under one id, batch or single."""

    async def post(self) -> None:
        wanted = read_json(self, Undo, JSON)
        if not is_id(wanted.change):
            raise NotFoundError("there is no change with this id")
        answer_step(self, await self.services.editing.undo(wanted.change))


class HistoryHandler(Handler):
    """What a sound was before each of its edits."""

    async def get(self, sound_id: str) -> None:
        self.answer(await self.services.editing.history(checked_id(sound_id)))

    head = get


class RevertHandler(JsonHandler):
    """Back to an earlier revision, as a new one."""

    async def post(self, sound_id: str) -> None:
        wanted = read_json(self, Revert, JSON)
        _answer_one(self, await self.services.editing.revert(checked_id(sound_id), wanted.rev))


def read_json(handler: JsonHandler, kind: type[T], media: str) -> T:
    """The body as JSON of this kind; MediaTypeError or BadRequestError when it is not."""
    if len(handler.body) > handler.most_bytes:
        raise TooLargeError(handler.most_bytes)
    given = handler.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if given not in (media, JSON):
        raise MediaTypeError(f"send {media}, not “{given[:100]}”")
    try:
        return msgspec.json.decode(bytes(handler.body), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"the body is not what is taken here: {error}") from error
    except RecursionError as error:
        raise BadRequestError("the body has too many things within each other") from error


def check_ids(ids: list[str]) -> None:
    """BadRequestError unless there are some, and not too many for one transaction."""
    if not 1 <= len(ids) <= _MOST:
        raise BadRequestError(f"“ids” takes between 1 and {_MOST} ids")


def show_present(handler: Handler, error: RevisionMismatchError) -> None:
    """412 carries the present version, so that the asker need not ask for it."""
    handler.set_header("Etag", f'"{error.present.rev}"')
    handler.answer(error.present, HTTPStatus.PRECONDITION_FAILED)


def answer_step(handler: Handler, step: Step) -> None:
    """Every sound of a step with its result, and the id that undoes them."""
    handler.set_header("Sonoteca-Change", step.id)
    handler.answer({"change": step.id, "results": [_result(one) for one in step.results]})


def _answer_one(handler: Handler, step: Step) -> None:
    (edited,) = step.results
    if edited.error is not None:
        raise edited.error
    assert edited.doc is not None
    handler.set_header("Sonoteca-Change", step.id)
    handler.set_header("Etag", f'"{msgspec.json.decode(edited.doc)["rev"]}"')
    handler.answer_json(edited.doc)


def _result(edited: Edited) -> dict[str, Any]:
    if edited.error is None:
        assert edited.doc is not None
        return {"id": edited.id, "status": 200, "sound": msgspec.Raw(edited.doc.encode())}
    return refusal(edited.id, edited.error)


def refusal(item: str, error: SonotecaError) -> dict[str, Any]:
    """Why one item of several stayed as it was."""
    return {"id": item, "status": int(status_of(error)), "code": error.code, "detail": str(error)}


def read_revision(handler: Handler) -> int:
    """The revision that `If-Match` names; PreconditionRequiredError without it."""
    field = handler.request.headers.get("If-Match")
    if field is None:
        raise PreconditionRequiredError
    tag = _TAG.fullmatch(field.strip())
    if tag is None:
        raise BadRequestError('“If-Match” takes the ETag of what you edit, such as "3"')
    return int(tag[1])
