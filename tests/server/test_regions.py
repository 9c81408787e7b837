"""Regions of sounds over HTTP: a proper WAV of known length, with all that downloads can."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
import requests
import soundfile

from tests.judge import tags
from tests.kit.http import serve
from tests.kit.wavs import Plan, build_wav

DATA = build_wav(
    Plan(frames=48_000, channels=2, bits=24, after=((b"cue ", tags.cues({1: 30_000})),))
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("library")) as address:
        yield address


def post(server: str, data: bytes, name: str) -> str:
    """The address of a sound's file."""
    sound = requests.post(f"{server}/post", params={"name": name}, data=data, timeout=10).json()
    return f"{server}/api/v1/sounds/{sound['id']}/file"


@pytest.fixture(scope="module")
def file(server: str) -> str:
    return post(server, DATA, "take1.wav")


def get(file: str, **headers: str) -> requests.Response:
    times = {"start": "0.25", "end": "0.75"}
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(file, params=times, headers=fields, timeout=10)


def test_a_region_is_a_wav_of_those_samples(file: str) -> None:
    answer = get(file)
    assert answer.status_code == 200
    whole, part = (soundfile.read(io.BytesIO(each))[0] for each in (DATA, answer.content))
    assert np.array_equal(part, whole[12_000:36_000])
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["ETag"].startswith('"x-')
    assert "Repr-Digest" not in answer.headers
    assert 'filename="take1 [0.250-0.750].wav"' in answer.headers["Content-Disposition"]


def test_it_is_the_same_on_every_request_and_another_for_other_times(file: str) -> None:
    tags = {get(file).headers["ETag"] for _ in range(2)}
    same = requests.get(file, params={"start": 0.5, "end": 0.5001, "handles": 0.25}, timeout=10)
    other = requests.get(file, params={"start": 0.25}, timeout=10)
    assert len(tags) == 1
    assert {same.headers["ETag"], other.headers["ETag"]}.isdisjoint(tags)


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-20", slice(21)),
        ("bytes=40-69999", slice(40, 70_000)),
        ("bytes=-1000", slice(-1000, None)),
        ("bytes=100-", slice(100, None)),
    ],
)
def test_ranges_of_it_are_slices_of_it(file: str, asked: str, part: slice) -> None:
    whole = get(file)
    answer = get(file, Range=asked, If_Range=whole.headers["ETag"])
    assert answer.status_code == 206
    assert answer.content == whole.content[part]


def test_several_ranges_of_it_are_parts(file: str) -> None:
    whole = get(file).content
    answer = get(file, Range="bytes=0-9,60-70000")
    boundary = answer.headers["Content-Type"].partition("boundary=")[2]
    texts = answer.content.split(f"\r\n--{boundary}".encode())[1:-1]
    parts = [text.partition(b"\r\n\r\n")[2] for text in texts]
    assert answer.status_code == 206
    assert parts == [whole[:10], whole[60:70_001]]


def test_head_and_conditions_work_on_it(file: str) -> None:
    whole = get(file)
    times = {"start": "0.25", "end": "0.75"}
    head = requests.head(file, params=times, headers={"Range": "bytes=1-2"}, timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Length", "ETag", "Content-Disposition", "Last-Modified"):
        assert head.headers[name] == whole.headers[name]
    assert get(file, If_None_Match=whole.headers["ETag"]).status_code == 304
    assert get(file, If_Match='"sha256-other"').status_code == 412
    assert get(file, Range="bytes=1-2", If_Range='"other"').status_code == 200


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("start=-1", "“start” is -1 seconds; it cannot be negative"),
        ("start=0.5&end=0.5", "has to come after"),
        ("end=2", "“end” is 2 seconds, but the sound ends after 1 seconds"),
        ("start=1", "“start” is 1 seconds, but"),
        ("start=x", "“start” takes a number of seconds"),
        ("start=nan", "“start” takes a number of seconds"),
        ("end=1e999", "“end” takes a number of seconds"),
        ("start=0&handles=-2", "“handles” is -2 seconds"),
        ("begin=0", "there is no argument “begin” here"),
        ("start=0&start=1", "given 2 times"),
    ],
)
def test_what_makes_no_sense_is_400_in_words(file: str, query: str, words: str) -> None:
    answer = requests.get(f"{file}?{query}", timeout=10)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_blocks_are_refused_with_the_way_out(server: str) -> None:
    coded = io.BytesIO()
    soundfile.write(coded, np.zeros(48_000), 48_000, "IMA_ADPCM", format="WAV")
    answer = get(post(server, coded.getvalue(), "blocks.wav"))
    assert (answer.status_code, answer.json()["code"]) == (422, "not-linear")
    assert "convert it to PCM" in answer.json()["detail"]


def test_a_region_can_be_put_back_and_says_what_the_whole_said(server: str, file: str) -> None:
    part = post(server, get(file).content, "again.wav").removesuffix("/file")
    sound = requests.get(part, timeout=10).json()
    assert (sound["frames"], sound["findings"]) == (24_000, [])
    assert [marker["at"] for marker in sound["markers"]] == [0.375]
