"""The rules of a resumable upload, and the headers that tell of it (tus 1.0.0); no IO."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from sonoteca_shared.errors import BadRequestError, ConflictError, SonotecaError

VERSION = "1.0.0"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,"
    "concatenation"
)
MEDIA_TYPE = "application/offset+octet-stream"
PARTIAL = "partial"
MAX_METADATA = 8_192
# No file is longer than a number of 18 digits; whatever is more stands for that.
_MOST = 10**18
_DIGITS = re.compile("[0-9]+")
_KEY = re.compile(r"[!-+\--~]+")  # ASCII without space and comma


class TusVersionError(SonotecaError):
    """The request speaks another version of the protocol, or does not say which."""

    code = "tus-version"

    def __init__(self) -> None:
        super().__init__(f"say “Tus-Resumable: {VERSION}”: this server speaks no other version")
        self.headers = {"Tus-Version": VERSION}


class OffsetMismatchError(ConflictError):
    """The client thinks the upload is further, or less far, than it is."""

    code = "offset-mismatch"

    def __init__(self, *, expected: int, given: int) -> None:
        super().__init__(f"the upload stands at byte {expected}, not at {given}")
        self.expected = expected
        self.given = given
        self.headers = {"Upload-Offset": str(expected)}


class LengthExceededError(SonotecaError):
    """More bytes came than the upload is long."""

    code = "length-exceeded"

    def __init__(self, length: int) -> None:
        super().__init__(f"the upload was announced with {length} bytes, and these would be more")
        self.length = length


class UploadGoneError(SonotecaError):
    """The upload was there once, and nothing can be added to it any more: start anew."""

    code = "upload-gone"

    def __init__(self, reason: str, *, refused: str = "") -> None:
        super().__init__(f"{reason}; upload the file anew")
        self.refused = refused
        self.headers = {"Sonoteca-Refused": refused} if refused else {}


class UploadFinalError(SonotecaError):
    """The upload takes no bytes (any more): it is made of others, or it is a sound already."""

    code = "upload-final"


class ChecksumMismatchError(SonotecaError):
    """The bytes of one request are not those that its checksum is of."""

    code = "checksum-mismatch"

    def __init__(self) -> None:
        super().__init__("the bytes of this request do not have its checksum; none of them is kept")


@dataclass(frozen=True, slots=True)
class Upload:
    """How far an upload has come, of how much; a length of None is not known yet. In bytes."""

    length: int | None
    offset: int = 0

    @property
    def complete(self) -> bool:
        """Whether every byte is there."""
        return self.offset == self.length

    def accept(self, offset: int, count: int) -> Upload:
        """The upload after `count` more bytes that the client sent for `offset`."""
        if offset != self.offset:
            raise OffsetMismatchError(expected=self.offset, given=offset)
        if self.length is not None and offset + count > self.length:
            raise LengthExceededError(self.length)
        return replace(self, offset=offset + count)

    def fix(self, length: int | None) -> Upload:
        """The upload once its length is told; it is told once, and nothing changes it."""
        if length is None or length == self.length:
            return self
        if self.length is not None:
            raise BadRequestError(f"the upload is {self.length} bytes long, and stays so")
        if length < self.offset:
            raise BadRequestError(f"{self.offset} bytes are there already, more than {length}")
        return replace(self, length=length)


class Hash(Protocol):
    """What a checksum is computed with, piece by piece."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take more bytes."""
        ...

    def digest(self) -> bytes:
        """The checksum of all bytes so far."""
        ...


class Crc32:
    """CRC-32 as hashlib would have it; the digest is big-endian."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take more bytes."""
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        """The checksum of all bytes so far."""
        return self._value.to_bytes(4, "big")


def _sha1() -> Hash:
    # The protocol wants it of every server; it finds accidents, and guards against nobody.
    return hashlib.sha1(usedforsecurity=False)


ALGORITHMS = {"sha1": _sha1, "sha256": hashlib.sha256, "crc32": Crc32}


class Checksum:
    """The checksum that one request announced, and what its bytes come to."""

    def __init__(self, hashed: Hash, expected: bytes) -> None:
        self._hashed = hashed
        self._expected = expected
        self.feed = hashed.update

    def check(self) -> None:
        """ChecksumMismatchError unless the bytes that were fed are the announced ones."""
        if self._hashed.digest() != self._expected:
            raise ChecksumMismatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What a request wants to upload."""

    length: int | None
    metadata: str
    # Upload-Concat as it came: "", "partial", or "final;" and the uploads it is made of.
    concat: str

    @property
    def partial(self) -> bool:
        """Whether it is only a piece of what becomes a sound."""
        return self.concat == PARTIAL

    @property
    def parts(self) -> list[str]:
        """The addresses of the uploads that a final one is made of."""
        return parts_of(self.concat)


def parse_creation(headers: Mapping[str, str]) -> Creation:
    """What a request for a new upload says; BadRequestError when that has no meaning."""
    concat = headers.get("Upload-Concat", "")
    length = parse_count(headers, "Upload-Length")
    deferred = headers.get("Upload-Defer-Length")
    if deferred not in (None, "1"):
        raise BadRequestError("Upload-Defer-Length can only be 1")
    if concat not in ("", PARTIAL):
        if not parts_of(concat):
            raise BadRequestError("Upload-Concat is “partial”, or “final;” and uploads")
        if length is not None or deferred:
            raise BadRequestError("the length of a final upload is that of its parts: leave it out")
    elif (length is None) == (deferred is None):
        raise BadRequestError("give one of Upload-Length and Upload-Defer-Length: 1")
    metadata = headers.get("Upload-Metadata", "")
    parse_metadata(metadata)
    return Creation(length=length, metadata=metadata, concat=concat)


def parts_of(concat: str) -> list[str]:
    """The addresses in an Upload-Concat; none when it is not of a final upload."""
    kind, _, addresses = concat.partition(";")
    return addresses.split() if kind == "final" else []


def parse_offset(headers: Mapping[str, str]) -> int:
    """Where the bytes of a request belong."""
    offset = parse_count(headers, "Upload-Offset")
    if offset is None:
        raise BadRequestError("Upload-Offset is missing: say where the bytes belong")
    return offset


def parse_count(headers: Mapping[str, str], name: str) -> int | None:
    """A number of bytes in a header, None without the header; digits and nothing else."""
    text = headers.get(name)
    if text is None:
        return None
    if not _DIGITS.fullmatch(text):
        raise BadRequestError(f"{name} is a number of bytes, not “{text[:40]}”")
    digits = text.lstrip("0")
    return min(int(digits[:19] or "0"), _MOST)


def parse_metadata(text: str) -> dict[str, bytes]:
    """The values of an Upload-Metadata by their keys; one that is left out is empty."""
    if len(text) > MAX_METADATA:
        raise BadRequestError(f"Upload-Metadata has more than {MAX_METADATA} bytes")
    pairs = [pair.strip().partition(" ") for pair in text.split(",")] if text.strip() else []
    values: dict[str, bytes] = {}
    for key, _, value in pairs:
        if not _KEY.fullmatch(key) or key in values:
            raise BadRequestError(
                "Upload-Metadata is a list of different keys and base64 values, such as "
                "“filename d2F2ZS53YXY=,folder Zm9sZXk=”"
            )
        values[key] = _from_base64(value.strip(), f"the value of “{key[:40]}” in Upload-Metadata")
    return values


def format_metadata(values: Mapping[str, str]) -> str:
    """An Upload-Metadata with these values, those that are empty left out."""
    pairs = ((key, base64.b64encode(value.encode()).decode()) for key, value in values.items())
    return ",".join(f"{key} {value}" for key, value in pairs if value)


def parse_checksum(text: str | None) -> Checksum | None:
    """The checksum that an Upload-Checksum announces, None without one."""
    if text is None:
        return None
    name, _, value = text.partition(" ")
    if name not in ALGORITHMS:
        raise BadRequestError(f"Upload-Checksum knows {', '.join(ALGORITHMS)}, not “{name[:40]}”")
    hashed = ALGORITHMS[name]()
    expected = _from_base64(value, "Upload-Checksum")
    if len(expected) != len(hashed.digest()):
        raise BadRequestError(f"Upload-Checksum is not as long as a {name} is")
    return Checksum(hashed, expected)


def _from_base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError(f"{what} is not base64") from error
