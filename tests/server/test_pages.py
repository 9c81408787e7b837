"""The page that works in any browser, without script."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit import engines
from tests.kit.http import serve
from tests.kit.wavs import Plan, build_wav


def post(server: str, name: str, seed: int = 1) -> dict[str, str]:
    data = build_wav(Plan(frames=48_000, channels=2, bits=24, seed=seed))
    sound: dict[str, str] = requests.post(
        f"{server}/post", params={"name": name}, data=data, timeout=10
    ).json()
    return sound


def page(address: str) -> str:
    answer = requests.get(address, timeout=10)
    assert answer.status_code == 200
    return answer.text


def test_an_empty_library_says_what_to_do(server: str) -> None:
    text = page(f"{server}/")
    assert "The library is empty" in text
    assert 'action="/upload"' in text
    assert "<script" not in text


def test_sounds_are_listed_with_links_and_names_are_harmless(server: str) -> None:
    sound = post(server, "<img src=x onerror=alert(1)>.wav")
    text = page(f"{server}/")
    assert "&lt;img src=x" in text
    assert "<img" not in text
    assert f"/sound/{sound['id']}" in text
    assert "48 kHz · 24 bit · 2 ch" in text
    details = page(f"{server}/sound/{sound['id']}")
    assert sound["sha256"] in details
    assert "<audio controls" in details


def test_the_filter_form_filters_and_an_empty_field_asks_nothing(server: str) -> None:
    post(server, "rain.wav", 1)
    post(server, "door.wav", 2)
    text = page(f"{server}/?q=rain&maxduration=&samplerate=")
    assert ">rain.wav</a>" in text
    assert ">door.wav</a>" not in text
    assert "Nothing matches" in page(f"{server}/?q=thunder")


def test_pages_lead_on_and_back(server: str) -> None:
    for seed in range(3):
        post(server, f"{seed}.wav", seed)
    first = page(f"{server}/?page_size=2")
    following = re.search('<a href="([^"]*)">Next page<', first)
    assert following is not None
    second = page(server + html.unescape(following[1]))
    assert ">2.wav</a>" in second
    assert ">Previous page<" in second


def test_a_refusal_is_a_page_with_the_way_back(server: str) -> None:
    answer = requests.get(f"{server}/?maxduration=long", timeout=10)
    assert answer.status_code == 400
    assert "Back to the library" in answer.text
    assert requests.get(f"{server}/sound/nothing", timeout=10).status_code == 404


def test_health_answers(server: str) -> None:
    assert requests.get(f"{server}/healthz", timeout=10).json()["status"] == "ok"


def test_the_form_to_convert_names_what_there_is(server: str) -> None:
    engines.require("ffmpeg")
    text = page(f"{server}/")
    assert 'action="/convert"' in text
    assert "<option>mp3</option>" in text
    # As a browser sends it, with the fields that were left empty.
    form = {"format": "flac", "samplerate": "", "bitdepth": "", "start": "", "end": "",
            "normalize_lufs": ""}  # fmt: skip
    data = build_wav(Plan(frames=48_000))
    headers = {"Accept": "text/html"}
    sent: dict[str, Any] = {"files": {"file": ("a.wav", data)}, "headers": headers, "timeout": 30}
    made = requests.post(f"{server}/convert", data=form, **sent)
    assert (made.status_code, made.content[:4]) == (200, b"fLaC")
    assert "attachment" in made.headers["Content-Disposition"]
    refused = requests.post(f"{server}/convert", data=form | {"start": "9"}, **sent)
    assert (refused.status_code, refused.headers["Content-Type"][:9]) == (400, "text/html")
    assert "ends after 1 seconds" in refused.text
    sound = post(server, "door.wav")
    assert f'action="/api/v1/sounds/{sound["id"]}/file"' in page(f"{server}/sound/{sound['id']}")


def test_a_server_without_ffmpeg_has_no_form_to_convert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonoteca_server.jobs.ffmpeg.find", lambda: None)
    with serve(tmp_path / "other") as address:
        assert "/convert" not in page(f"{address}/")
