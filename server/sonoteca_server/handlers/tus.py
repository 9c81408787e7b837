"""Uploads that can be resumed, as tus 1.0.0 has them."""

from __future__ import annotations

import asyncio
import contextlib
from email.utils import formatdate
from functools import partial
from http import HTTPStatus

from tornado.ioloop import IOLoop

from sonoteca_server.handlers.handler import Handler
from sonoteca_server.handlers.receiving import ReceivingHandler
from sonoteca_server.library.upload_rows import OPEN, Record
from sonoteca_server.library.uploads import Held
from sonoteca_server.storage import Incoming
from sonoteca_server.wire.errors import MediaTypeError, TooLargeError
from sonoteca_server.wire.intake import Intake
from sonoteca_server.wire.problems import CHECKSUM_MISMATCH, status_of
from sonoteca_shared import routes, tus
from sonoteca_shared.errors import SonotecaError


class TusHandler(ReceivingHandler):
    """What both paths of tus have in common: the protocol's own headers, and bytes that stay.

    Bytes of a request that breaks off are kept, but for those whose checksum cannot be known.
    """

    receives = ("POST", "PATCH")
    held: Held | None = None
    checksum: tus.Checksum | None = None
    overridden = False
    # Whether the request is one that an upload grows by.
    brings_bytes = False

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Tus-Resumable", tus.VERSION)
        self.clear_header("Content-Type")

    def compute_etag(self) -> None:
        """What is told of an upload is never the same for long."""

    async def prepare(self) -> None:
        if override := self.request.headers.get("X-HTTP-Method-Override"):
            self.overridden = self.request.method != "HEAD"
            self.request.method = override.upper()
        await super().prepare()

    async def begin(self) -> None:
        if self.request.method not in self.SUPPORTED_METHODS:
            # Tornado has checked the method that was sent, and calls what the other one is named.
            self._not_taken()
        if self.request.method == "OPTIONS":
            return
        if self.request.headers.get("Tus-Resumable") != tus.VERSION:
            raise tus.TusVersionError
        self.brings_bytes = self.request.method == "PATCH" or self.has_body
        if self.brings_bytes:
            await super().begin()
        else:
            await Handler.begin(self)

    def check_head(self) -> None:
        headers = self.request.headers
        if headers.get("Content-Type", "") != tus.MEDIA_TYPE:
            raise MediaTypeError(f"bytes of an upload are of the type {tus.MEDIA_TYPE}")
        self.checksum = tus.parse_checksum(headers.get("Upload-Checksum"))

    async def hold(self, key: str) -> Held:
        """Have the upload for this request; another one ends it by closing its connection."""
        let_go = self.stream.close if self.brings_bytes else None
        return await self.services.uploads.hold(key, let_go)

    def open_upload(self, held: Held) -> Intake[Incoming]:
        """An intake for what the body brings to the upload."""
        self.held = held
        part = held.part
        part.hears = self.checksum is None
        if self.checksum is None:
            held.keep_checkpoints()
        # It can be cut and resumed, so a server that stops does not wait for it.
        self.services.running.end(self)
        hear = self.checksum.feed if self.checksum is not None else None
        return Intake(part, limit=0, check_room=partial(self._check_block, held), hear=hear)

    def check_room(self, count: int) -> None:
        """NoSpaceError unless the disk has room for `count` more bytes."""
        self.services.blobs.check_room(count, least=self.services.min_free_bytes)

    def check_limit(self, length: int | None) -> None:
        """TooLargeError when this server takes no file of this length."""
        limit = self.services.max_upload_bytes
        if limit and length is not None and length > limit:
            raise TooLargeError(limit)

    def _check_block(self, held: Held, count: int) -> None:
        held.check_length(count)
        self.check_limit(held.part.size + count)
        self.check_room(count)

    async def receive(self, _part: Incoming) -> None:
        held, self.held = self.held, None
        assert held is not None
        held.stay()
        try:
            await self._settle(held)
            await self.finish_upload(held)
            self.answer_upload(held.record)
        finally:
            await held.release()

    async def _settle(self, held: Held) -> None:
        try:
            if self.checksum is not None:
                self.checksum.check()
        except tus.ChecksumMismatchError:
            await held.drop()
            raise
        await held.save()

    async def finish_upload(self, held: Held) -> None:
        """Make a sound of an upload that is whole."""
        if held.whole:
            self.services.running.begin(self)
            await held.finish()

    def answer_upload(self, record: Record) -> None:
        """Say how far the upload has come."""
        raise NotImplementedError

    def tell(self, record: Record) -> None:
        """Set the headers that tell how far an upload is, and when it ends or what it became."""
        self.set_header("Upload-Offset", str(record.upload.offset))
        if record.state == OPEN:
            self.set_header("Upload-Expires", formatdate(record.expires, usegmt=True))
        elif record.sound is not None:
            self.set_header("Sonoteca-Sound", routes.fill(routes.SOUND, id=record.sound))

    def give_up(self) -> None:
        held, self.held = self.held, None
        intake, self.intake = self.intake, None
        if held is not None and intake is not None:
            IOLoop.current().add_callback(self._keep, held, intake)

    async def _keep(self, held: Held, intake: Intake[Incoming]) -> None:
        """Nothing more comes of this request: keep what came, where that makes sense."""
        try:
            with contextlib.suppress(SonotecaError, OSError):
                await self._keep_or_drop(held, intake)
        finally:
            await held.release()

    async def _keep_or_drop(self, held: Held, intake: Intake[Incoming]) -> None:
        drop = self.checksum is not None
        try:
            await intake.finish()
        except (tus.LengthExceededError, TooLargeError):
            drop = True
        except (SonotecaError, OSError):
            pass  # the disk is full; what it took stays
        await (held.drop() if drop else held.save())

    async def options(self, *_path: str) -> None:
        self.clear_header("Tus-Resumable")
        self.set_header("Tus-Version", tus.VERSION)
        self.set_header("Tus-Extension", tus.EXTENSIONS)
        self.set_header("Tus-Checksum-Algorithm", ",".join(tus.ALGORITHMS))
        if self.services.max_upload_bytes:
            self.set_header("Tus-Max-Size", str(self.services.max_upload_bytes))
        self.set_status(HTTPStatus.NO_CONTENT)

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        if status_code == CHECKSUM_MISMATCH:
            reason = "Checksum Mismatch"
        super().set_status(status_code, reason)

    def write_whole(self, data: bytes) -> None:
        # An answer to HEAD has no body, and Tornado goes by the method that was really sent.
        head = self.overridden and self.request.method == "HEAD"
        super().write_whole(b"" if head else data)


class CreationHandler(TusHandler):
    """`POST /files/`: a new upload, with its first bytes or without."""

    async def open_intake(self) -> Intake[Incoming]:
        held = await self._create()
        try:
            held.begin_append(0, self.told_length or 0)
            return self.open_upload(held)
        except BaseException:
            # Nobody has heard of it, so nobody would come back for it.
            await self.services.uploads.remove(held)
            await held.release()
            raise

    async def post(self) -> None:
        if self.brings_bytes:
            await self.take()
            return
        held = await self._create()
        try:
            await self._fill(held)
            await self.finish_upload(held)
            self.answer_upload(held.record)
        finally:
            await held.release()

    async def _fill(self, held: Held) -> None:
        """Put into a final upload what it is made of."""
        try:
            if tus.parts_of(held.record.concat):
                await self.services.uploads.fill(held)
        except BaseException:
            await self.services.uploads.remove(held)
            raise

    async def _create(self) -> Held:
        creation = tus.parse_creation(self.request.headers)
        self.check_limit(creation.length)
        uploads = self.services.uploads
        make = uploads.concatenate if creation.parts else uploads.begin
        record = await self.with_room(partial(make, creation, self.check_room))
        return await self.hold(record.key)

    def answer_upload(self, record: Record) -> None:
        self.set_header("Location", routes.fill(routes.UPLOAD_PART, id=record.key))
        self.tell(record)
        self.set_status(HTTPStatus.CREATED)
        self.finish()


class UploadPartHandler(TusHandler):
    """`/files/{id}`: how far an upload has come, more bytes for it, and its end."""

    async def open_intake(self) -> Intake[Incoming]:
        headers = self.request.headers
        offset = tus.parse_offset(headers)
        length = tus.parse_count(headers, "Upload-Length")
        self.check_limit(length)
        uploads = self.services.uploads
        held = await self.hold(self.path_args[0])
        try:
            open_ended = held.record.upload.length is None
            held.begin_append(offset, self.told_length or 0, length)
            check = partial(asyncio.to_thread, self.check_room, self.told_length or 0)
            if open_ended and length is not None:
                check = partial(uploads.check_fits, length - offset, self.check_room)
            await self.with_room(check)
            return self.open_upload(held)
        except BaseException:
            await held.release()
            raise

    async def patch(self, *_path: str) -> None:
        await self.take()

    async def head(self, key: str) -> None:
        held = await self.hold(key)
        try:
            await self._finish_late(held)
            self._describe(held.record)
        finally:
            await held.release()

    async def _finish_late(self, held: Held) -> None:
        """Finish what is whole and was left so when the server was killed."""
        try:
            await self.finish_upload(held)
        except SonotecaError as error:
            if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            raise tus.UploadGoneError(str(error), refused=error.code) from error

    def _describe(self, record: Record) -> None:
        self.set_header("Cache-Control", "no-store")
        self.tell(record)
        if record.upload.length is None:
            self.set_header("Upload-Defer-Length", "1")
        else:
            self.set_header("Upload-Length", str(record.upload.length))
        if record.metadata:
            self.set_header("Upload-Metadata", record.metadata)
        if record.concat:
            self.set_header("Upload-Concat", record.concat)

    async def delete(self, key: str) -> None:
        held = await self.hold(key)
        try:
            await self.services.uploads.remove(held)
        finally:
            await held.release()
        self.set_status(HTTPStatus.NO_CONTENT)

    def answer_upload(self, record: Record) -> None:
        self.tell(record)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()
