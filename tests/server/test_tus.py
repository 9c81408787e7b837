"""Uploads that can be resumed, by the letter of tus 1.0.0."""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.http import serve
from tests.kit.tus import BYTES, ask, create, head, meta, offset, patch
from tests.kit.wavs import BROKEN, Plan, build_wav
from tests.server.conftest import BOTH

DATABASES = BOTH


def wav(seed: int = 1, frames: int = 50_000) -> bytes:
    return build_wav(Plan(frames=frames, channels=1, seed=seed))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sounds(server: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{server}/info", timeout=10).json()
    return found


def assert_sound(server: str, answer: requests.Response, data: bytes) -> dict[str, Any]:
    """The sound that the answer names, which has these bytes."""
    sound: dict[str, Any] = requests.get(
        server + answer.headers["Sonoteca-Sound"], timeout=10
    ).json()
    assert sound["sha256"] == sha256(data)
    assert requests.get(server + sound["links"]["file"], timeout=10).content == data
    return sound


def parts(folder: Path) -> list[Path]:
    return list((folder / "library" / "uploads").iterdir())


def test_a_file_in_two_requests_becomes_a_sound(server: str, tmp_path: Path) -> None:
    data = wav()
    words = meta(filename="door.wav", folder="foley", sha256=sha256(data))
    url = create(server, len(data), Upload_Metadata=words)
    first = patch(url, 0, data[:30_000])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "30000")
    assert "Upload-Expires" in first.headers
    assert "Sonoteca-Sound" not in first.headers
    assert sounds(server) == []
    last = patch(url, 30_000, data[30_000:])
    assert (last.status_code, last.headers["Upload-Offset"]) == (204, str(len(data)))
    sound = assert_sound(server, last, data)
    assert (sound["name"], sound["folder"]) == ("door.wav", "foley")
    told = head(url)
    assert told.headers["Sonoteca-Sound"] == last.headers["Sonoteca-Sound"]
    assert told.headers["Upload-Offset"] == told.headers["Upload-Length"] == str(len(data))
    assert parts(tmp_path) == []


def test_what_the_server_can_do_is_told_without_a_version(tmp_path: Path) -> None:
    with serve(tmp_path / "library", max_upload_bytes=5_000) as server:
        answer = requests.options(f"{server}/files/", timeout=10)
    assert answer.status_code == 204
    names = ("Tus-Version", "Tus-Max-Size", "Tus-Checksum-Algorithm", "Tus-Extension")
    assert [answer.headers[name] for name in names] == [
        "1.0.0",
        "5000",
        "sha1,sha256,crc32",
        "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,"
        "concatenation",
    ]


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
def test_another_version_is_refused_and_nothing_done(server: str, method: str) -> None:
    url = create(server, 5)
    for version in ("0.2.2", ""):
        answer = ask(method, url, Tus_Resumable=version, Upload_Offset="0", **BYTES)
        assert answer.status_code == 412
        assert (answer.headers["Tus-Version"], answer.headers["Tus-Resumable"]) == ("1.0.0",) * 2
    assert offset(url) == 0


def test_head_tells_all_that_is_known_and_is_not_cached(server: str) -> None:
    words = f"filename {base64.b64encode(b'a.wav').decode()},any /+8=,flag"
    url = create(server, 9, Upload_Metadata=words)
    answer = head(url)
    assert answer.status_code == 200
    expected = {
        "Upload-Offset": "0",
        "Upload-Length": "9",
        "Upload-Metadata": words,
        "Cache-Control": "no-store",
        "Tus-Resumable": "1.0.0",
    }
    assert {name: answer.headers.get(name) for name in expected} == expected
    assert answer.headers["Upload-Expires"].endswith(" GMT")


def test_a_wrong_offset_changes_nothing_and_the_right_one_is_told(server: str) -> None:
    data = wav()
    url = create(server, len(data))
    patch(url, 0, data[:100])
    for wrong in (0, 99, 101, 10**30):
        answer = patch(url, wrong, data[:50])
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "100")
    assert assert_sound(server, patch(url, 100, data[100:]), data)


@pytest.mark.parametrize("told", [True, False], ids=["length told", "chunked"])
def test_more_than_was_announced_is_refused_and_none_of_it_kept(server: str, *, told: bool) -> None:
    data = wav()
    url = create(server, len(data))
    patch(url, 0, data[:100])
    rest = data[100:] + b"!"
    answer = patch(url, 100, rest if told else iter([rest]))
    assert (answer.status_code, answer.json()["code"]) == (413, "length-exceeded")
    assert offset(url) == 100
    assert_sound(server, patch(url, 100, iter([data[100:20_000], data[20_000:]])), data)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "application/octet-stream"}, 415),
        ({"Upload_Offset": "-1"}, 400),
        ({"Upload_Offset": "1_0"}, 400),
        ({"Upload_Checksum": "md5 YQ=="}, 400),
        ({"Upload_Length": "7"}, 400),
    ],
)
def test_a_patch_that_makes_no_sense_changes_nothing(
    server: str, headers: dict[str, str], status: int
) -> None:
    url = create(server, 5)
    answer = ask("PATCH", url, b"abc", **({"Upload_Offset": "0"} | BYTES | headers))
    assert answer.status_code == status
    assert offset(url) == 0


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("key", ["0" * 32, "01a1fe84-835b-728b-9f51-4313447b8548"])
def test_an_upload_that_never_was_is_not_found(server: str, method: str, key: str) -> None:
    answer = ask(method, f"{server}/files/{key}", b"", Upload_Offset="0", **BYTES)
    assert answer.status_code == 404


@pytest.mark.parametrize("told", [True, False], ids=["length told", "chunked"])
def test_the_first_bytes_may_come_with_the_creation(server: str, *, told: bool) -> None:
    data = wav()
    first: Any = data[:30_000] if told else iter([data[:30_000]])
    begun = ask("POST", f"{server}/files/", first, Upload_Length=str(len(data)), **BYTES)
    assert (begun.status_code, begun.headers["Upload-Offset"]) == (201, "30000")
    assert_sound(server, patch(server + begun.headers["Location"], 30_000, data[30_000:]), data)
    other = wav(2)
    whole = ask("POST", f"{server}/files/", other, Upload_Length=str(len(other)), **BYTES)
    assert whole.status_code == 201
    assert_sound(server, whole, other)


def test_a_creation_that_is_refused_leaves_nothing(server: str, tmp_path: Path) -> None:
    begun = ask("POST", f"{server}/files/", b"abcd", Upload_Length="3", **BYTES)
    assert (begun.status_code, begun.json()["code"]) == (413, "length-exceeded")
    assert parts(tmp_path) == []


def test_bytes_of_another_type_do_not_make_an_upload(server: str) -> None:
    answer = ask("POST", f"{server}/files/", b"abc", Upload_Length="5", Content_Type="audio/wav")
    assert answer.status_code == 415


def test_a_length_may_be_told_later(server: str) -> None:
    data = wav()
    url = create(server, Upload_Defer_Length="1")
    patch(url, 0, data[:100])
    assert head(url).headers["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in head(url).headers
    patch(url, 100, data[100:200], Upload_Length=str(len(data)))
    assert head(url).headers["Upload-Length"] == str(len(data))
    assert "Upload-Defer-Length" not in head(url).headers
    assert patch(url, 200, b"", Upload_Length="300").status_code == 400
    assert_sound(server, patch(url, 200, data[200:]), data)


def checksum(name: str, data: bytes) -> str:
    made = {
        "sha1": lambda: hashlib.sha1(data).digest(),
        "sha256": lambda: hashlib.sha256(data).digest(),
        "crc32": lambda: zlib.crc32(data).to_bytes(4, "big"),
    }
    return f"{name} {base64.b64encode(made[name]()).decode()}"


@pytest.mark.parametrize("name", ["sha1", "sha256", "crc32"])
def test_bytes_with_a_wrong_checksum_are_thrown_away(server: str, name: str) -> None:
    data = wav()
    url = create(server, len(data))
    patch(url, 0, data[:100])
    wrong = patch(url, 100, data[100:], Upload_Checksum=checksum(name, b"else"))
    assert (wrong.status_code, wrong.reason) == (460, "Checksum Mismatch")
    assert offset(url) == 100
    right = patch(url, 100, data[100:], Upload_Checksum=checksum(name, data[100:]))
    assert_sound(server, right, data)


def test_an_upload_can_be_ended(server: str, tmp_path: Path) -> None:
    url = create(server, 500)
    patch(url, 0, bytes(100))
    assert ask("DELETE", url).status_code == 204
    assert head(url).status_code == 404
    assert parts(tmp_path) == []


def test_a_sound_stays_when_its_upload_is_ended(server: str) -> None:
    data = wav()
    url = create(server, len(data))
    patch(url, 0, data)
    assert ask("DELETE", url).status_code == 204
    assert len(sounds(server)) == 1


def test_methods_that_a_proxy_would_not_let_through_come_as_post(server: str) -> None:
    data = wav()
    url = create(server, len(data))

    def posted(method: str, body: bytes = b"", **headers: str) -> requests.Response:
        return ask("POST", url, body, X_HTTP_Method_Override=method, **headers)

    assert posted("PATCH", data[:10], Upload_Offset="0", **BYTES).status_code == 204
    assert posted("HEAD").headers["Upload-Offset"] == "10"
    assert posted("DELETE").status_code == 204
    gone = posted("HEAD")
    assert (gone.status_code, gone.content) == (404, b"")


@pytest.mark.parametrize("method", ["FOO", "TRACE", "prepare", "initialize", "take", "services"])
@pytest.mark.parametrize("body", [b"", b"bytes"])
def test_what_is_no_method_is_not_called(server: str, method: str, body: bytes) -> None:
    url = create(server, 10)
    for address in (url, f"{server}/files/"):
        answer = ask("POST", address, body, X_HTTP_Method_Override=method, Upload_Length="5")
        assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
        assert "POST" in answer.headers["Allow"] or "PATCH" in answer.headers["Allow"]
    assert offset(url) == 0


def test_pieces_that_came_side_by_side_become_one_sound(server: str) -> None:
    data = wav()
    pieces = [data[:30_000], data[30_000:70_000], data[70_000:]]
    urls = [create(server, len(piece), Upload_Concat="partial") for piece in pieces]
    for url, piece in zip(urls, pieces, strict=True):
        assert "Sonoteca-Sound" not in patch(url, 0, piece).headers
        assert head(url).headers["Upload-Concat"] == "partial"
    # One as an address, the others as the path that the server gave.
    concat = "final;" + " ".join([urls[0], *(url.removeprefix(server) for url in urls[1:])])
    words = meta(filename="whole.wav", sha256=sha256(data))
    final = ask("POST", f"{server}/files/", Upload_Concat=concat, Upload_Metadata=words)
    assert final.status_code == 201
    assert assert_sound(server, final, data)["name"] == "whole.wav"
    told = head(server + final.headers["Location"])
    assert told.headers["Upload-Concat"] == concat
    assert told.headers["Upload-Length"] == told.headers["Upload-Offset"] == str(len(data))
    refused = patch(server + final.headers["Location"], len(data), b"")
    assert refused.status_code == 403


def test_pieces_that_are_not_whole_make_no_sound(server: str) -> None:
    half = create(server, 10, Upload_Concat="partial")
    other = create(server, 10)
    for url in (half, other, f"{server}/files/none"):
        answer = ask("POST", f"{server}/files/", Upload_Concat=f"final;{url}")
        assert answer.status_code == 400
    assert sounds(server) == []


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_what_is_no_wav_is_refused_and_its_bytes_dropped(
    server: str, tmp_path: Path, kind: str
) -> None:
    data = BROKEN[kind]
    begun = ask("POST", f"{server}/files/", Upload_Length=str(len(data)))
    last = patch(server + begun.headers["Location"], 0, data) if data else begun
    assert last.status_code == 422
    assert last.json()["code"] == "not-a-wav"
    if data:
        for answer in (head(last.url), patch(last.url, 0, b"")):
            assert answer.status_code == 410
            assert answer.headers["Sonoteca-Refused"] == "not-a-wav"
    assert parts(tmp_path) == []
    assert sounds(server) == []


def test_bytes_that_are_not_the_announced_ones_are_refused(server: str, tmp_path: Path) -> None:
    data = wav()
    url = create(server, len(data), Upload_Metadata=meta(sha256=sha256(b"else")))
    answer = patch(url, 0, data)
    assert (answer.status_code, answer.json()["code"]) == (422, "digest-mismatch")
    assert head(url).headers["Sonoteca-Refused"] == "digest-mismatch"
    assert parts(tmp_path) == []


def test_what_shall_become_of_a_taken_name_is_asked_like_anywhere(server: str) -> None:
    def send(data: bytes, **words: str) -> requests.Response:
        url = create(server, len(data), Upload_Metadata=meta(name="a.wav", **words))
        return patch(url, 0, data)

    first = assert_sound(server, send(wav(1)), wav(1))
    assert assert_sound(server, send(wav(2)), wav(2))["name"] == "a (2).wav"
    version = assert_sound(server, send(wav(3), on_conflict="version"), wav(3))
    assert (version["id"], version["rev"]) == (first["id"], 2)
    rejected = send(wav(4), on_conflict="reject")
    assert (rejected.status_code, rejected.json()["code"]) == (409, "name-taken")
    assert head(rejected.url).headers["Sonoteca-Refused"] == "name-taken"
    known = send(wav(2), on_duplicate="skip", repository="main")
    assert assert_sound(server, known, wav(2))["name"] == "a (2).wav"


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (meta(repository="../x"), "repository"),
        (meta(on_conflict="maybe"), "maybe"),
        (meta(sha256="ABC"), "sha256"),
        (meta(folder="x/" * 1_500), "folder"),
        ("filename /+8=", "UTF-8"),
    ],
)
def test_a_wish_that_makes_no_sense_is_named_before_a_byte_is_sent(
    server: str, words: str, word: str
) -> None:
    answer = ask("POST", f"{server}/files/", Upload_Length="5", Upload_Metadata=words)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]


def test_the_limit_holds_however_the_length_is_told(tmp_path: Path) -> None:
    with serve(tmp_path / "library", max_upload_bytes=1_000) as server:
        assert ask("POST", f"{server}/files/", Upload_Length="1001").status_code == 413
        assert ask("POST", f"{server}/files/", Upload_Length="9" * 40).status_code == 413
        url = create(server, Upload_Defer_Length="1")
        assert patch(url, 0, b"abc", Upload_Length="1001").status_code == 413
        assert patch(url, 0, iter([bytes(1_001)])).status_code == 413
        assert patch(url, 0, bytes(1_001)).status_code == 413
        assert offset(url) == 0
        assert patch(url, 0, bytes(1_000)).status_code == 204


def test_what_is_promised_to_open_uploads_is_not_promised_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = type("Usage", (), {"free": 10_000})
    with serve(tmp_path / "library", min_free_bytes=1_000) as server:
        monkeypatch.setattr("shutil.disk_usage", lambda _path: free)
        url = create(server, 5_000)
        answer = ask("POST", f"{server}/files/", Upload_Length="4001")
        assert (answer.status_code, answer.json()["code"]) == (507, "no-space")
        assert ask("DELETE", url).status_code == 204
        create(server, 4_001)


def test_a_length_that_is_told_later_has_to_fit_too(server: str) -> None:
    urls = [create(server, Upload_Defer_Length="1") for _ in range(3)]
    for url in urls:
        answer = patch(url, 0, b"R", Upload_Length="9000000000000000000")
        assert (answer.status_code, answer.json()["code"]) == (507, "no-space")
        assert head(url).headers["Upload-Defer-Length"] == "1"
    create(server, 100)


def test_a_full_disk_is_said_before_the_body_and_what_came_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = wav()
    with serve(tmp_path / "library") as server:
        url = create(server, len(data))
        patch(url, 0, data[:500])
        with monkeypatch.context() as patched:
            full = type("Usage", (), {"free": 10})
            patched.setattr("shutil.disk_usage", lambda _path: full)
            assert patch(url, 500, data[500:]).status_code == 507
        assert_sound(server, patch(url, 500, data[500:]), data)
