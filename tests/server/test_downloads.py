"""Sounds whole and in part: RFC 9110 sections 13 and 14 as clients rely on them."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.kit.http import serve
from tests.kit.wavs import Plan, build_wav

DATA = build_wav(Plan(frames=30_000, channels=2, bits=24, seed=5))
SIZE = len(DATA)
TAG = f'"sha256-{hashlib.sha256(DATA).hexdigest()}"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("library")) as address:
        arguments = {"name": "wïnd & rain.wav", "folder": "a"}
        requests.post(f"{address}/post", params=arguments, data=DATA, timeout=10)
        yield address


def get(server: str, path: str = "/download", **headers: str) -> requests.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(server + path, headers=fields, timeout=10)


def paths(server: str) -> list[str]:
    sound = requests.get(f"{server}/info", timeout=10).json()[0]
    return ["/download", sound["links"]["file"], f"/api/v1/sounds/{sound['id']}/file"]


@pytest.mark.parametrize("kind", range(3))
def test_the_whole_has_the_bytes_and_says_what_they_are(server: str, kind: int) -> None:
    answer = get(server, paths(server)[kind])
    digest = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["ETag"] == TAG
    assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "audio/wav"
    assert "filename*=UTF-8''w%C3%AFnd%20&%20rain.wav" in answer.headers["Content-Disposition"]


def test_only_the_content_address_may_be_kept_for_ever(server: str) -> None:
    named, content, present = (get(server, path) for path in paths(server))
    assert "immutable" in content.headers["Cache-Control"]
    assert named.headers["Cache-Control"] == present.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=100-", 100, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes=-{SIZE + 9}", 0, SIZE),
        (f"bytes={SIZE - 1}-999999999999999999999999999999", SIZE - 1, SIZE),
    ],
)
def test_a_range_has_exactly_its_bytes(server: str, asked: str, start: int, end: int) -> None:
    answer = get(server, Range=asked)
    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["ETag"] == TAG
    assert "Repr-Digest" in answer.headers


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=-0", f"bytes={'9' * 30}-"])
def test_a_range_behind_the_end_is_416_with_the_size(server: str, asked: str) -> None:
    answer = get(server, Range=asked)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{SIZE}")
    assert answer.json()["code"] == "range-not-satisfiable"


@pytest.mark.parametrize(
    "asked", ["lines=1-2", "bytes=5-3", "bytes=+1-5", "bytes=1_0-2", "bytes=a-b"]
)
def test_what_is_no_range_is_ignored(server: str, asked: str) -> None:
    assert get(server, Range=asked).status_code == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [(TAG, 206), ('"sha256-other"', 200), (f"W/{TAG}", 200), ("yesterday", 200)],
)
def test_if_range_holds_for_the_strong_tag_alone(server: str, given: str, status: int) -> None:
    answer = get(server, Range="bytes=1-2", If_Range=given)
    assert answer.status_code == status


def test_a_flood_of_ranges_costs_no_more_than_the_file(server: str) -> None:
    for flood in ("0-," * 8_000, "0-0,2-2," * 4_000, "5-," * 99, "-1," * 10_000):
        answer = get(server, Range=f"bytes={flood}"[:32_000])
        assert answer.status_code in (200, 206)
        assert len(answer.content) <= SIZE


def legal_ranges() -> Iterator[tuple[str, bytes]]:
    """Two hundred ranges around every border that a server may trip over, and their bytes."""
    borders = sorted({0, 1, 2, 44, 511, 2047, 2048, 4096, 65_535, 65_536, SIZE // 2, SIZE - 1})
    for first in borders:
        for last in (*(border for border in borders if border >= first), SIZE, 10**18):
            yield f"bytes={first}-{last}", DATA[first : last + 1]
        yield f"bytes={first}-", DATA[first:]
    for count in (*borders[1:], SIZE, SIZE + 1):
        yield f"bytes=-{count}", DATA[-count:]
    for first, last in itertools.combinations(range(60, 73), 2):
        yield f"bytes={first * 999}-{last * 999}", DATA[first * 999 : last * 999 + 1]


@pytest.mark.timeout(60)
def test_every_legal_range_has_its_bytes_and_the_tag_outlives_a_restart(tmp_path: Path) -> None:
    ranges = list(legal_ranges())
    assert len(ranges) >= 200
    with serve(tmp_path / "library") as server, requests.Session() as session:
        session.post(f"{server}/post?name=a.wav", data=DATA, timeout=10)
        for asked, expected in ranges:
            answer = session.get(f"{server}/download", headers={"Range": asked}, timeout=10)
            assert (answer.status_code, answer.headers["ETag"]) == (206, TAG), asked
            assert answer.content == expected, asked
    with serve(tmp_path / "library") as server:
        assert get(server, If_None_Match=TAG).status_code == 304
        assert get(server, Range="bytes=5-9", If_Range=TAG).content == DATA[5:10]


def test_if_range_holds_for_exactly_our_date(server: str) -> None:
    date = get(server).headers["Last-Modified"]
    assert get(server, Range="bytes=1-2", If_Range=date).status_code == 206


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("If-Match", TAG, 200),
        ("If-Match", "*", 200),
        ("If-Match", f"W/{TAG}", 412),
        ("If-Match", '"x"', 412),
        ("If-None-Match", TAG, 304),
        ("If-None-Match", f'"x", W/{TAG}', 304),
        ("If-None-Match", "*", 304),
        ("If-None-Match", '"x"', 200),
        ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", 304),
        ("If-Modified-Since", "Thu, 01 Jan 1970 00:00:01 GMT", 200),
        ("If-Modified-Since", "no date", 200),
        ("If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:01 GMT", 412),
        ("If-Unmodified-Since", "Fri, 01 Jan 2100 00:00:00 GMT", 200),
    ],
)
def test_conditions(server: str, field: str, value: str, status: int) -> None:
    answer = requests.get(f"{server}/download", headers={field: value}, timeout=10)
    assert answer.status_code == status
    assert answer.headers["ETag"] == TAG
    if status == 304:
        assert answer.content == b""


def test_head_has_the_headers_of_the_whole_and_ignores_ranges(server: str) -> None:
    head = requests.head(f"{server}/download", headers={"Range": "bytes=1-2"}, timeout=10)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(SIZE))
    same = ("ETag", "Repr-Digest", "Content-Disposition", "Accept-Ranges", "Sonoteca-Match-Count")
    whole = get(server)
    assert [head.headers[name] for name in same] == [whole.headers[name] for name in same]


def test_one_connection_stays_in_step_over_every_kind_of_answer(server: str) -> None:
    with requests.Session() as session:
        for asked, status in (("bytes=1-2", 206), (f"bytes={SIZE}-", 416), ("", 200)) * 3:
            answer = session.get(f"{server}/download", headers={"Range": asked}, timeout=10)
            assert answer.status_code == status
            assert session.head(f"{server}/download", timeout=10).status_code == 200


def test_the_parts_make_the_whole(server: str) -> None:
    parts = [get(server, f"/download?part={part}&of=7") for part in range(1, 8)]
    assert {part.status_code for part in parts} == {206}
    assert b"".join(part.content for part in parts) == DATA


@pytest.mark.parametrize(
    "query", ["part=0&of=3", "part=4&of=3", "part=1", "of=3", "part=1&of=10001"]
)
def test_parts_that_make_no_sense_are_400(server: str, query: str) -> None:
    assert get(server, f"/download?{query}").status_code == 400


def test_parts_and_a_range_together_are_400(server: str) -> None:
    assert get(server, "/download?part=1&of=2", Range="bytes=0-1").status_code == 400


def test_an_empty_part_is_416(tmp_path: Path) -> None:
    tiny = build_wav(Plan(frames=1, channels=1, bits=8))
    with serve(tmp_path / "library") as server:
        requests.post(f"{server}/post", data=tiny, timeout=10)
        answer = get(server, "/download?part=1&of=10000")
    assert answer.status_code == 416


def test_nothing_that_matches_is_404(server: str) -> None:
    assert get(server, "/download?name=none.wav").status_code == 404
    assert get(server, f"/data/main/{'0' * 64}").status_code == 404
    assert get(server, "/data/main/short").status_code == 404
    assert get(server, f"/data/other/{TAG[8:-1]}").status_code == 404


def test_a_damaged_blob_is_never_sent_as_whole(tmp_path: Path, claim_errors: object) -> None:
    with serve(tmp_path / "library") as server:
        sound = requests.post(f"{server}/post", data=DATA, timeout=10).json()
        blobs = [path for path in (tmp_path / "library" / "blobs").rglob("*") if path.is_file()]
        blob = next(path for path in blobs if path.stat().st_size == SIZE)
        with blob.open("r+b") as file:
            file.truncate(SIZE - 100)
        answer = get(server, sound["links"]["file"])
    assert answer.status_code == 500
    assert callable(claim_errors)
    claim_errors("failed")
