"""The rules of resumable uploads: what fits, what is refused, and what headers say."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared import tus
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.tus import LengthExceededError, OffsetMismatchError, Upload

COUNTS = st.integers(0, 50)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@given(st.integers(0, 200) | st.none(), st.lists(st.tuples(COUNTS, COUNTS | st.just(-1))))
def test_an_offset_only_grows_by_what_fits_where_it_stands(
    length: int | None, requests: list[tuple[int, int]]
) -> None:
    upload = Upload(length)
    for count, given_offset in requests:
        at = upload.offset if given_offset < 0 else given_offset
        if at != upload.offset:
            refusal: type[Exception] | None = OffsetMismatchError
        elif length is not None and at + count > length:
            refusal = LengthExceededError
        else:
            refusal = None
        if refusal is not None:
            with pytest.raises(refusal):
                upload.accept(at, count)
            continue
        after = upload.accept(at, count)
        assert (after.offset, after.length) == (upload.offset + count, length)
        assert after.complete == (after.offset == length)
        upload = after


def test_a_refused_offset_tells_the_right_one() -> None:
    with pytest.raises(OffsetMismatchError, match="stands at byte 3, not at 4") as refused:
        Upload(10, 3).accept(4, 1)
    assert refused.value.headers == {"Upload-Offset": "3"}


@pytest.mark.parametrize(
    ("upload", "told", "length"),
    [
        (Upload(None), None, None),
        (Upload(None, 5), 5, 5),
        (Upload(7), None, 7),
        (Upload(7), 7, 7),
    ],
)
def test_a_length_is_told_once(upload: Upload, told: int | None, length: int | None) -> None:
    assert upload.fix(told).length == length


@pytest.mark.parametrize(("upload", "told"), [(Upload(7), 8), (Upload(None, 5), 4)])
def test_a_length_does_not_change_nor_fall_short(upload: Upload, told: int) -> None:
    with pytest.raises(BadRequestError):
        upload.fix(told)


@pytest.mark.parametrize(
    ("headers", "length", "concat", "parts"),
    [
        ({"Upload-Length": "0"}, 0, "", []),
        ({"Upload-Length": "007"}, 7, "", []),
        ({"Upload-Length": "9" * 5000}, 10**18, "", []),
        ({"Upload-Defer-Length": "1"}, None, "", []),
        ({"Upload-Length": "5", "Upload-Concat": "partial"}, 5, "partial", []),
        (
            {"Upload-Concat": "final;/files/a http://host/files/b"},
            None,
            "final;/files/a http://host/files/b",
            ["/files/a", "http://host/files/b"],
        ),
    ],
)
def test_what_a_new_upload_is_to_be(
    headers: dict[str, str], length: int | None, concat: str, parts: list[str]
) -> None:
    creation = tus.parse_creation(headers)
    assert (creation.length, creation.concat, creation.parts) == (length, concat, parts)
    assert creation.partial == (concat == "partial")


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "Upload-Length"),
        ({"Upload-Length": "5", "Upload-Defer-Length": "1"}, "one of"),
        ({"Upload-Defer-Length": "2"}, "can only be 1"),
        ({"Upload-Length": "-1"}, "-1"),
        ({"Upload-Length": "+1"}, "Upload-Length"),
        ({"Upload-Length": "1_0"}, "Upload-Length"),
        ({"Upload-Length": " 1"}, "Upload-Length"),
        ({"Upload-Length": "٣"}, "Upload-Length"),
        ({"Upload-Length": ""}, "Upload-Length"),
        ({"Upload-Length": "5", "Upload-Concat": "whole"}, "Upload-Concat"),
        ({"Upload-Concat": "final;"}, "Upload-Concat"),
        ({"Upload-Length": "5", "Upload-Concat": "final;/files/a"}, "leave it out"),
        ({"Upload-Length": "5", "Upload-Metadata": "a,"}, "Upload-Metadata"),
    ],
)
def test_a_new_upload_that_makes_no_sense_is_refused(headers: dict[str, str], word: str) -> None:
    with pytest.raises(BadRequestError, match=word):
        tus.parse_creation(headers)


def test_an_offset_has_to_be_given() -> None:
    assert tus.parse_offset({"Upload-Offset": "12"}) == 12
    with pytest.raises(BadRequestError, match="missing"):
        tus.parse_offset({})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("  ", {}),
        ("filename d2F2,is_confidential", {"filename": b"wav", "is_confidential": b""}),
        ("a YQ== , b Yg==", {"a": b"a", "b": b"b"}),
        (f"raw {b64(bytes(range(256)))}", {"raw": bytes(range(256))}),
    ],
)
def test_metadata_are_keys_and_any_bytes(text: str, values: dict[str, bytes]) -> None:
    assert tus.parse_metadata(text) == values


@pytest.mark.parametrize(
    "text", ["a YQ==,a Yg==", "a !", "a YQ", ",", "ä YQ==", "a YQ== YQ==", f"a {'A' * 8_192}"]
)
def test_metadata_without_meaning_are_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="Upload-Metadata"):
        tus.parse_metadata(text)


KEYS = st.text("abcXYZ-_.", min_size=1)
VALUES = st.text(st.characters(codec="utf-8"), min_size=1)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_metadata_that_we_write_say_what_was_meant(values: dict[str, str]) -> None:
    read = tus.parse_metadata(tus.format_metadata(values | {"nothing": ""}))
    assert {key: value.decode() for key, value in read.items()} == values


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("sha1", hashlib.sha1(b"bytes").digest()),
        ("sha256", hashlib.sha256(b"bytes").digest()),
        ("crc32", zlib.crc32(b"bytes").to_bytes(4, "big")),
    ],
)
def test_a_checksum_is_of_all_that_was_fed(name: str, digest: bytes) -> None:
    def checksum(*pieces: bytes) -> tus.Checksum:
        made = tus.parse_checksum(f"{name} {b64(digest)}")
        assert made is not None
        for piece in pieces:
            made.feed(piece)
        return made

    checksum(b"by", b"tes").check()
    for wrong in ((b"bytes", b"!"), ()):
        with pytest.raises(tus.ChecksumMismatchError):
            checksum(*wrong).check()


@pytest.mark.parametrize("text", ["", "sha1", "md5 YQ==", "sha1 YQ==", "sha1 %", "SHA1 YQ=="])
def test_a_checksum_that_cannot_be_checked_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="Upload-Checksum"):
        tus.parse_checksum(text)


def test_without_a_checksum_nothing_is_checked() -> None:
    assert tus.parse_checksum(None) is None


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (tus.TusVersionError(), {"Tus-Version": "1.0.0"}),
        (tus.UploadGoneError("it is gone"), {}),
        (tus.UploadGoneError("gone", refused="not-a-wav"), {"Sonoteca-Refused": "not-a-wav"}),
    ],
)
def test_a_refusal_brings_the_headers_that_a_client_needs(
    error: Any, headers: dict[str, str]
) -> None:
    assert error.headers == headers
