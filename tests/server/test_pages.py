"""The page that works in any browser, without script."""

from __future__ import annotations

import html
import re

import requests

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
