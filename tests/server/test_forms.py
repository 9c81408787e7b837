"""Forms with a file: however their bytes come, the file is what stands between the boundaries."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
import requests
from tornado.iostream import IOStream, StreamClosedError

from sonoteca_server.storage.local import LocalBlobs
from sonoteca_server.wire.errors import BodyBrokenError
from sonoteca_server.wire.forms import Form
from sonoteca_server.wire.intake import Body, Intake
from sonoteca_shared.errors import BadRequestError
from tests.kit.wavs import Plan, build_wav

_FIELD = '--x\r\nContent-Disposition: form-data; name="folder"\r\n\r\ncafé\r\n'.encode()
_FILE = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n'
# What begins like a boundary and is none, at its end too.
_ALIKE = b"\r\n--\r\n\r\n-\r\r\n\r\n--\nx\r\n-\r"


def taken(folder: Path, *pieces: bytes, length: int | None = None) -> tuple[dict[str, str], bytes]:
    """The fields and the file of a form that comes in these pieces, each when it is waited for."""
    return asyncio.run(_take(folder, pieces, length))


async def _take(
    folder: Path, pieces: Sequence[bytes], length: int | None
) -> tuple[dict[str, str], bytes]:
    ours, theirs = socket.socketpair()
    stream, part = IOStream(ours), LocalBlobs(folder).begin()
    intake = Intake(part, limit=0, check_room=lambda _count: None)
    form = Form("multipart/form-data; boundary=x", intake, ["folder"])
    body = Body(stream, sum(map(len, pieces)) if length is None else length)
    sending = asyncio.create_task(_send(IOStream(theirs), pieces, body))
    try:
        await form.read(body)
        form.finish()
        await intake.finish()
        return form.fields, part.path.read_bytes()
    finally:
        stream.close()
        sending.cancel()
        await asyncio.wait({sending})
        await intake.discard()


async def _send(stream: IOStream, pieces: Sequence[bytes], body: Body) -> None:
    try:
        for piece in pieces:
            left = body.left - len(piece)
            await stream.write(piece)
            while body.left > left:  # noqa: ASYNC110 # it is the body's to say what has come
                await asyncio.sleep(0)
    finally:
        stream.close()


@pytest.mark.parametrize("end", [b"--x--", b"--x--\r\n", b"--x--\r\nwhatever follows"])
@pytest.mark.parametrize("before", [_FIELD, b""])
def test_a_form_may_come_in_two_pieces_of_any_length(
    tmp_path: Path, before: bytes, end: bytes
) -> None:
    body = before + _FILE + _ALIKE + b"\r\n" + end
    fields = {"folder": "café"} if before else {}
    for at in range(1, len(body)):
        assert taken(tmp_path, body[:at], body[at:]) == (fields, _ALIKE), at


@pytest.mark.parametrize("plain", [b"", b"RIFF" * 5])
def test_a_form_may_come_byte_by_byte_and_its_fields_behind_the_file(
    tmp_path: Path, plain: bytes
) -> None:
    rest = _ALIKE + b"\r\n" + _FIELD + b"--x--\r\n"
    pieces = [_FILE + plain] + [rest[at : at + 1] for at in range(len(rest))]
    assert taken(tmp_path, *pieces) == ({"folder": "café"}, plain + _ALIKE)


def test_the_boundary_behind_the_file_may_come_in_any_two_pieces(tmp_path: Path) -> None:
    file, rest = b"RIFF" * 5, _ALIKE + b"\r\n" + _FIELD + b"--x--\r\n"
    for at in range(1, len(rest)):
        told = taken(tmp_path, _FILE + file, rest[:at], rest[at:])
        assert told == ({"folder": "café"}, file + _ALIKE), at


def test_a_file_may_be_empty_and_may_hold_a_form(tmp_path: Path) -> None:
    for file in (b"", b'--y\r\nContent-Disposition: form-data; name="z"\r\n\r\nv\r\n--y--\r\n'):
        assert taken(tmp_path, _FILE + file + b"\r\n--x--") == ({}, file)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (_FILE + b"RIFF", "ends before its last boundary"),
        (_FILE + b"RIFF\r\n--x", "ends before its last boundary"),
        (_FILE + b"RIFF\r\n--xyz\r\n--x--", "Unexpected bytes after boundary"),
        (b"a" * 100, "ends before its last boundary"),
    ],
)
def test_a_broken_form_is_refused(tmp_path: Path, body: bytes, words: str) -> None:
    for pieces in ([body], [body[:-1], body[-1:]]):
        with pytest.raises(BodyBrokenError, match=words):
            taken(tmp_path, *pieces)


def test_a_second_file_and_a_form_without_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match="two files"):
        taken(tmp_path, _FILE + b"a\r\n" + _FILE + b"b\r\n--x--")
    with pytest.raises(BadRequestError, match="no file"):
        taken(tmp_path, _FIELD + b"--x--")


def test_a_client_that_leaves_within_the_file_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(StreamClosedError):
        taken(tmp_path, _FILE + b"RIFF", length=1_000_000)


def test_a_large_file_in_a_form_is_kept_as_it_is(server: str) -> None:
    # Wherever a block ends, behind the first, there is something like a boundary.
    alike = b"\r\n--xx" + b"\r\n--x"[:4] * 3
    data = build_wav(Plan(frames=1_000, after=((b"LIST", bytes(200_000) + alike * 150_000),)))
    head = b'--xxx\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n'
    answer = requests.post(
        f"{server}/post",
        data=head + data + b"\r\n--xxx--\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=xxx"},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    assert requests.get(f"{server}/download", timeout=10).content == data
