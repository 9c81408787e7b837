"""Errors as problem documents (RFC 9457), and which status each of ours has."""

from __future__ import annotations

from http import HTTPStatus

from sonoteca_server.catalog.feed import CursorExpiredError
from sonoteca_server.jobs.conversion import ConversionsFullError, NoConverterError, UnfitError
from sonoteca_server.jobs.outward import ExchangeError
from sonoteca_server.jobs.sources import UndecodableError
from sonoteca_server.library.editing import RevisionMismatchError
from sonoteca_server.library.objects import DigestMismatchError
from sonoteca_server.storage import BlobDamagedError
from sonoteca_server.wire.errors import (
    ArchiveGoneError,
    ArchivePendingError,
    ForeignOriginError,
    MediaTypeError,
    MethodNotAllowedError,
    MisdirectedError,
    PeaksPendingError,
    PreconditionRequiredError,
    StoppingError,
    TooLargeError,
    TooManyError,
)
from sonoteca_shared.errors import (
    BadRequestError,
    ConflictError,
    NoSpaceError,
    NotAWavError,
    NotFoundError,
    SonotecaError,
)
from sonoteca_shared.models import Problem
from sonoteca_shared.tus import (
    ChecksumMismatchError,
    LengthExceededError,
    TusVersionError,
    UploadFinalError,
    UploadGoneError,
)
from sonoteca_shared.wav.region import NotLinearError

# What tus has for a checksum that is wrong; no other protocol knows it.
CHECKSUM_MISMATCH = 460

# The first class that fits decides, so the particular stand before the general.
STATUSES: tuple[tuple[type[SonotecaError], int], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (NotAWavError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotLinearError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DigestMismatchError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (CursorExpiredError, HTTPStatus.GONE),
    (PeaksPendingError, HTTPStatus.CONFLICT),
    (ArchivePendingError, HTTPStatus.CONFLICT),
    (ArchiveGoneError, HTTPStatus.GONE),
    (UndecodableError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (UnfitError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ConversionsFullError, HTTPStatus.TOO_MANY_REQUESTS),
    (NoConverterError, HTTPStatus.SERVICE_UNAVAILABLE),
    (TooManyError, HTTPStatus.TOO_MANY_REQUESTS),
    (ConflictError, HTTPStatus.CONFLICT),
    (PreconditionRequiredError, HTTPStatus.PRECONDITION_REQUIRED),
    (RevisionMismatchError, HTTPStatus.PRECONDITION_FAILED),
    (TusVersionError, HTTPStatus.PRECONDITION_FAILED),
    (UploadGoneError, HTTPStatus.GONE),
    (UploadFinalError, HTTPStatus.FORBIDDEN),
    (LengthExceededError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (ChecksumMismatchError, CHECKSUM_MISMATCH),
    (TooLargeError, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (NoSpaceError, HTTPStatus.INSUFFICIENT_STORAGE),
    (BlobDamagedError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (ExchangeError, HTTPStatus.BAD_GATEWAY),
    (StoppingError, HTTPStatus.SERVICE_UNAVAILABLE),
    (MisdirectedError, HTTPStatus.MISDIRECTED_REQUEST),
    (ForeignOriginError, HTTPStatus.FORBIDDEN),
    (MethodNotAllowedError, HTTPStatus.METHOD_NOT_ALLOWED),
    (MediaTypeError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (BadRequestError, HTTPStatus.BAD_REQUEST),
)

_TITLES = {
    "not-a-wav": "This is not a WAV file that can be used",
    "not-found": "Not found",
    "bad-request": "The request is not right",
    "name-taken": "The name is taken",
    "too-many-requests": "Too many searches at the same time",
    "undecodable": "This cannot be converted",
    "truncated": "The sound is not whole",
    "conversion-unfit": "This sound cannot become what was asked for",
    "conversions-full": "Too many conversions are waiting",
    "no-converter": "Nothing can be converted here",
    "no-space": "The server's disk is full",
    "too-large": "The file is too large",
    "not-linear": "This sound cannot be cut without decoding it",
    "digest-mismatch": "The bytes are not those that were announced",
    "object-missing": "The bytes are not there",
    "not-empty": "The repository is not empty",
    "offset-mismatch": "The upload stands at another byte",
    "upload-gone": "The upload is not there any more",
    "archive-pending": "The archive is not ready yet",
    "archive-gone": "The archive is not there any more",
    "archive-ended": "The archive takes no more files",
    "idempotency-key-reused": "The Idempotency-Key came with another request",
    "object-in-use": "A sound or an archive uses these bytes",
    "blob-damaged": "The stored bytes are damaged",
    "blob-missing": "The stored bytes are missing",
    "address-not-public": "This server does not go there",
    "bad-url": "This URL cannot be fetched",
    "internal": "Something went wrong on the server",
}


def status_of(error: SonotecaError) -> int:
    """The status that this error is answered with."""
    for kind, status in STATUSES:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(status: int, code: str, detail: str, *, request_id: str, instance: str) -> Problem:
    """The document of an error; its title is the same for every error of the code."""
    title = _TITLES.get(code) or code.replace("-", " ").capitalize()
    return Problem(
        type=f"urn:sonoteca:problem:{code}",
        title=title,
        status=int(status),
        code=code,
        detail=detail,
        instance=instance,
        request_id=request_id,
        error=title,
    )
