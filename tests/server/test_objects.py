"""Bytes by digest at `/data`: one object for each repository and content, whoever comes when."""

from __future__ import annotations

import hashlib
import http.client
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import select

from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import objects
from tests.kit.http import serve, server_process
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav
from tests.server.conftest import BOTH

DATABASES = BOTH

DATA = random.Random(1).randbytes(300_000)


def oid_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put(server: str, data: Any, path: str = "/data/main") -> requests.Response:
    return requests.put(server + path, data=data, timeout=10)


def get(server: str, data: bytes, repository: str = "main", **headers: str) -> requests.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(f"{server}/data/{repository}/{oid_of(data)}", headers=fields, timeout=10)


def delete(server: str, data: bytes, repository: str = "main") -> requests.Response:
    return requests.delete(f"{server}/data/{repository}/{oid_of(data)}", timeout=10)


def blobs(folder: Path) -> set[str]:
    return {path.name for path in (folder / "blobs").rglob("*") if path.is_file()}


def named(folder: Path, database: str = "sqlite") -> dict[str, tuple[str, int]]:
    """The blob that each row names: digest and size."""
    query = select(objects.c.blob, objects.c.oid, objects.c.size)
    with home_of(database, folder).look() as connection:
        return {blob: (oid, size) for blob, oid, size in connection.execute(query)}


def assert_consistent(folder: Path, database: str = "sqlite") -> None:
    """Every row has its whole blob."""
    for blob, (oid, size) in named(folder, database).items():
        data = (folder / "blobs" / blob[-2:] / blob).read_bytes()
        assert (oid_of(data), len(data)) == (oid, size)


@pytest.mark.parametrize("data", [DATA, b"", b"x", b"\0" * 600_000], ids=len)
def test_any_bytes_are_named_by_what_they_are(server: str, data: bytes) -> None:
    answer, again = put(server, data), put(server, data)
    assert answer.status_code == again.status_code == 201
    assert answer.json() == again.json() == {"oid": oid_of(data), "size": len(data)}
    got = get(server, data)
    assert (got.status_code, got.content) == (200, data)
    assert got.headers["ETag"] == f'"sha256-{oid_of(data)}"'
    head = requests.head(f"{server}/data/main/{oid_of(data)}", timeout=10)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(data)))


def test_a_body_of_unknown_length_is_taken(server: str) -> None:
    answer = put(server, iter([DATA[:1000], DATA[1000:]]))
    assert (answer.status_code, answer.json()["oid"]) == (201, oid_of(DATA))


@pytest.mark.parametrize(
    ("asked", "start", "end"), [("bytes=0-0", 0, 1), ("bytes=-5", -5, None), ("bytes=7-", 7, None)]
)
def test_objects_are_sent_in_part(server: str, asked: str, start: int, end: int | None) -> None:
    put(server, DATA)
    answer = get(server, DATA, Range=asked)
    assert (answer.status_code, answer.content) == (206, DATA[start:end])


def test_no_part_of_an_empty_object_can_be_sent(server: str) -> None:
    put(server, b"")
    assert get(server, b"", Range="bytes=0-0").status_code == 416


def test_what_is_no_wav_is_sent_as_plain_bytes_to_be_saved(server: str) -> None:
    wav = build_wav(Plan(frames=100))
    for data, kind, ending in (
        (b"<script>alert(1)</script>", "application/octet-stream", ".bin"),
        (b"RIFF\x10\0\0\0WAVEbut no more", "application/octet-stream", ".bin"),
        (wav, "audio/wav", ".wav"),
    ):
        put(server, data)
        answer = get(server, data)
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert f"{oid_of(data)[:12]}{ending}" in answer.headers["Content-Disposition"]


def test_bytes_that_are_not_those_of_their_name_are_refused(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        right = put(server, DATA, f"/data/main/{oid_of(DATA)}")
        wrong = put(server, DATA + b"!", f"/data/main/{oid_of(DATA)}")
        assert (right.status_code, right.json()["oid"]) == (201, oid_of(DATA))
        assert (wrong.status_code, wrong.json()["code"]) == (422, "digest-mismatch")
        assert get(server, DATA + b"!").status_code == 404
    assert blobs(tmp_path) == set(named(tmp_path))
    assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_a_misshapen_repository_is_400_and_a_misshapen_oid_404(server: str, method: str) -> None:
    def status(path: str) -> int:
        return requests.request(method, server + path, data=b"", timeout=10).status_code

    for name in (".hidden", "-x", "a%2Fb", "..%2F..%2Fetc", "x" * 101, "a%20b", "%00"):
        assert status(f"/data/{name}/{oid_of(b'')}") == 400
    for oid in ("short", oid_of(b"").upper(), oid_of(b"") + "0", "..%2F..%2Fcatalog.sqlite"):
        assert status(f"/data/main/{oid}") == 404
    assert requests.put(f"{server}/data/..%2Fx", data=b"x", timeout=10).status_code == 400


def test_a_limit_and_a_full_disk_hold_for_objects_too(tmp_path: Path) -> None:
    with serve(tmp_path, max_upload_bytes=1000) as server:
        assert put(server, DATA).status_code == 413
        assert put(server, iter([DATA])).status_code == 413
        assert put(server, DATA[:1000]).status_code == 201
    with serve(tmp_path, min_free_bytes=1 << 60) as server:
        answer = put(server, DATA)
        assert (answer.status_code, answer.json()["code"]) == (507, "no-space")
        assert delete(server, DATA[:1000]).status_code == 200


def test_deleting_takes_away_here_and_nowhere_else(server: str) -> None:
    for repository in ("main", "other"):
        put(server, DATA, f"/data/{repository}")
    gone = delete(server, DATA)
    assert (gone.status_code, gone.json()) == (200, {})
    assert get(server, DATA).status_code == delete(server, DATA).status_code == 404
    assert get(server, DATA, "other").content == DATA
    assert delete(server, DATA, "unknown").status_code == 404
    assert put(server, DATA).status_code == 201
    assert get(server, DATA).content == DATA


def test_what_only_a_sound_uses_is_not_for_data_to_take_away(server: str) -> None:
    wav = build_wav(Plan(frames=100))
    sound = requests.post(f"{server}/post?name=a.wav", data=wav, timeout=10).json()
    refused = delete(server, wav)
    assert (refused.status_code, refused.json()["code"]) == (409, "object-in-use")
    assert put(server, wav).status_code == 201
    assert delete(server, wav).status_code == 200
    assert requests.get(server + sound["links"]["file"], timeout=10).content == wav
    assert delete(server, wav).status_code == 409


def test_what_was_put_first_can_become_a_sound_with_its_waveform(server: str) -> None:
    wav = build_wav(Plan(frames=1000))
    put(server, wav)
    sound = requests.post(f"{server}/post?name=a.wav", data=wav, timeout=10).json()
    path = f"{server}/api/v1/sounds/{sound['id']}/peaks"
    until(lambda: requests.get(path, timeout=10).status_code == 200)
    assert delete(server, wav).status_code == 200
    assert get(server, wav).content == wav


def test_many_at_once_make_one_object(tmp_path: Path, database: str) -> None:
    with serve(tmp_path, database=database) as server, ThreadPoolExecutor(16) as clients:
        for round_ in range(5):
            data = DATA + bytes([round_])
            answers = list(clients.map(put, [server] * 16, [data] * 16))
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.text for answer in answers}) == 1
        assert len(named(tmp_path, database)) == 5
        assert blobs(tmp_path) == set(named(tmp_path, database))
        assert list((tmp_path / "incoming").iterdir()) == []
    assert_consistent(tmp_path, database)


def test_putting_against_deleting_leaves_either(tmp_path: Path, database: str) -> None:
    with serve(tmp_path, database=database) as server, ThreadPoolExecutor(4) as clients:
        for round_ in range(60):
            data = b"raced" * 100 + bytes([round_ % 7])
            putting = [clients.submit(put, server, data) for _ in range(2)]
            deleting = clients.submit(delete, server, data)
            assert [answer.result().status_code for answer in putting] == [201, 201]
            assert deleting.result().status_code in (200, 404)
            got = get(server, data)
            assert (got.status_code, got.content == data) in ((200, True), (404, False))
    assert_consistent(tmp_path, database)


@pytest.mark.timeout(60)
def test_a_kill_amid_puts_and_deletes_leaves_rows_with_their_bytes(tmp_path: Path) -> None:
    contents = [bytes([number]) * 20_000 for number in range(6)]
    with server_process(tmp_path) as server:
        for round_ in range(4):
            acknowledged: dict[int, str] = {}
            threads = list(hammering(server.url, contents, acknowledged, seed=round_))
            threading.Event().wait(0.25 + 0.1 * round_)
            server.kill()
            for thread in threads:
                thread.join()
            server.start()
            assert_consistent(tmp_path)
            assert list((tmp_path / "incoming").iterdir()) == []
            for number, last in acknowledged.items():
                status = get(server.url, contents[number]).status_code
                # The request after the last answer may have been done, or not.
                assert status in (
                    (200, 404) if last == "cut" else {"put": (200,), "del": (404,)}[last]
                )
    assert set(named(tmp_path)) <= blobs(tmp_path)


def hammering(
    url: str, contents: list[bytes], acknowledged: dict[int, str], *, seed: int
) -> Iterator[threading.Thread]:
    """Clients that put and delete, each its own contents, until the server is gone."""

    def work(number: int) -> None:
        chance = random.Random(seed * 100 + number)
        try:
            while True:
                acknowledged[number], verb = "cut", chance.choice(["put", "del"])
                (put if verb == "put" else delete)(url, contents[number])
                acknowledged[number] = verb
        except requests.RequestException:
            acknowledged[number] = "cut"

    for number in range(len(contents)):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        yield thread


def test_a_download_goes_on_while_its_object_is_deleted(server: str) -> None:
    data = random.Random(2).randbytes(12 << 20)
    put(server, data)
    line = http.client.HTTPConnection(urlsplit(server).netloc, timeout=10)
    line.request("GET", f"/data/main/{oid_of(data)}")
    answer = line.getresponse()
    begun = answer.read(1000)
    assert delete(server, data).status_code == 200
    assert get(server, data).status_code == 404
    assert begun + answer.read() == data
    line.close()


def have(server: str, digests: list[str], **more: str) -> requests.Response:
    asked = {"sha256": digests} | more
    return requests.post(f"{server}/api/v1/have", json=asked, timeout=10)


def test_what_is_there_need_not_be_sent(server: str) -> None:
    others = [oid_of(b"%d" % number) for number in range(999)]
    put(server, DATA)
    put(server, b"there", "/data/other")
    asked = [*others, oid_of(DATA)]
    assert have(server, asked, repository="main").json() == {"missing": others}
    assert have(server, [oid_of(b"there")]).json() == {"missing": [oid_of(b"there")]}
    assert have(server, [oid_of(b"there")], repository="other").json() == {"missing": []}
    assert have(server, [oid_of(DATA)], repository="nowhere").json() == {"missing": [oid_of(DATA)]}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"sha256": ["ABC"]}, "ABC"),
        ({"sha256": ["0" * 64] * 1_001}, "1000"),
        ({"sha256": [], "repository": "../x"}, "repository"),
        ({"sha256": [], "more": 1}, "more"),
        ({}, "sha256"),
        ([], "array"),
    ],
)
def test_a_question_for_what_is_there_that_makes_no_sense_is_refused(
    server: str, body: Any, word: str
) -> None:
    answer = requests.post(f"{server}/api/v1/have", json=body, timeout=10)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]
