"""`/convert`: every format that goes out is heard again, and is what came in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sonoteca_shared.recipes import TARGETS
from tests.kit.converting import convert, decoded, likeness, tone
from tests.kit.engines import require
from tests.kit.http import serve

pytestmark = [pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("ffmpeg")
    with serve(tmp_path_factory.mktemp("convert")) as address:
        yield address


@pytest.mark.parametrize("name", TARGETS)
def test_every_format_sounds_like_what_came_in(server: str, name: str) -> None:
    sent = tone(samplerate=48_000, bits=24, channels=2)
    answer = convert(server, sent, name="Türe.wav", format=name)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, TARGETS[name].media_type)
    assert answer.headers["Content-Disposition"].endswith(f"filename*=UTF-8''T%C3%BCre.{name}")
    assert len(answer.content) == int(answer.headers["Content-Length"])
    original, _ = decoded(sent)
    samples, rate = decoded(answer.content)
    # Decoders of AAC give its last packet whole, whatever the file says of its length.
    assert 0 <= len(samples) - len(original) <= (1024 if name == "m4a" else 0)
    assert (samples.shape[1], rate) == (2, 48_000)
    assert likeness(samples[: len(original)], original) > 0.999


def test_the_file_may_come_before_what_it_is_to_become(server: str) -> None:
    parts: Any = [("file", ("a.wav", tone())), ("format", (None, "flac"))]
    answer = requests.post(f"{server}/convert", files=parts, timeout=30)
    assert (answer.status_code, answer.content[:4]) == (200, b"fLaC")


def test_a_raw_body_is_converted_too(server: str) -> None:
    address = f"{server}/convert?format=mp3&name=door.wav"
    answer = requests.post(address, data=tone(), timeout=30)
    assert answer.status_code == 200
    assert 'filename="door.mp3"' in answer.headers["Content-Disposition"]


def test_an_unknown_format_is_refused_with_the_known_ones(server: str) -> None:
    answer = convert(server, tone(), format="mp4")
    assert answer.status_code == 400
    assert all(name in answer.json()["detail"] for name in TARGETS)


def test_a_name_in_the_place_of_the_file_is_told_how_to_send_it(server: str) -> None:
    form = {"file": (None, "in.wav"), "format": (None, "mp3")}
    answer = requests.post(f"{server}/convert", files=form, timeout=30)
    assert answer.status_code == 400
    assert "file=@" in answer.json()["detail"]


def test_a_wav_that_was_cut_is_refused(server: str) -> None:
    answer = convert(server, tone()[:-1000], format="mp3")
    assert (answer.status_code, answer.json()["code"]) == (422, "truncated")
    assert "192000 bytes" in answer.json()["detail"]
