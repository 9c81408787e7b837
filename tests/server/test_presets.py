"""Presets: recipes of conversions under a name, kept on the server and used by it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.kit.converting import convert, decoded, tone
from tests.kit.engines import require

DATABASES = ("sqlite", "postgresql")
PODCAST = {"name": "podcast", "format": "mp3", "bitrate": 96_000, "channels": 1}


def make(server: str, **options: Any) -> requests.Response:
    return requests.post(f"{server}/api/v1/presets", json=PODCAST | options, timeout=10)


def test_a_preset_is_made_shown_changed_and_removed(server: str) -> None:
    made = make(server, normalize_lufs=-16.5)
    assert made.status_code == 201
    address = server + made.headers["Location"]
    assert made.json().items() >= (PODCAST | {"normalize_lufs": -16.5}).items()
    listed = requests.get(f"{server}/api/v1/presets", timeout=10).json()
    assert (listed["count"], listed["results"]) == (1, [made.json()])
    patch = {"bitrate": "128k", "channels": None}
    changed = requests.patch(
        address, json=patch, headers={"Content-Type": "application/merge-patch+json"}, timeout=10
    ).json()
    assert (changed["bitrate"], "channels" in changed) == (128_000, False)
    assert requests.get(address, timeout=10).json() == changed
    assert requests.delete(address, timeout=10).status_code == 204
    assert requests.get(address, timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"format": "doc"}, 400, "known are"),
        ({"bitdepth": 16}, 400, "bitrate"),
        ({"color": "red"}, 400, "“color”"),
        ({"channels": True}, 400, "a text or a number"),
        ({"name": "a/b"}, 400, "letters"),
        ({"name": 7}, 400, "“name”"),
        ({"bitrate": int("9" * 400)}, 400, "“bitrate”"),
        ({"normalize_lufs": -int("9" * 4_000)}, 400, "“normalize_lufs”"),
        ({"channels": 1e300}, 400, "“channels”"),
    ],
)
def test_a_preset_that_makes_no_sense_is_refused(
    server: str, options: dict[str, Any], status: int, words: str
) -> None:
    answer = make(server, **options)
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    assert requests.get(f"{server}/api/v1/presets", timeout=10).json()["count"] == 0


@pytest.mark.parametrize("name", ["bitrate", "start"])
def test_a_number_beyond_all_numbers_is_refused_wherever_it_stands(server: str, name: str) -> None:
    require("ffmpeg")
    address = server + make(server).headers["Location"]
    digits = "9" * 400
    body = f'{{"{name}": {digits}}}'
    changed = requests.patch(
        address, data=body, headers={"Content-Type": "application/merge-patch+json"}, timeout=10
    )
    query = f"?format=mp3&{name}={digits}"
    asked = requests.post(f"{server}/convert{query}", data=tone(), timeout=10)
    for answer in (changed, asked):
        assert (answer.status_code, f"“{name}”" in answer.json()["detail"]) == (400, True)


def test_a_name_that_no_preset_can_have_is_not_found(server: str) -> None:
    require("ffmpeg")
    assert requests.get(f"{server}/api/v1/presets/a%00b", timeout=10).status_code == 404
    assert convert(server, tone(), query="?preset=a%00b").status_code == 404


def test_a_name_is_taken_once(server: str) -> None:
    make(server)
    answer = make(server)
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")


def test_a_conversion_follows_a_preset_and_its_own_options_come_first(server: str) -> None:
    require("ffmpeg")
    make(server)
    answer = convert(server, tone(channels=2), preset="podcast")
    assert answer.headers["Content-Type"] == "audio/mpeg"
    assert decoded(answer.content)[0].shape[1] == 1
    both = convert(server, tone(channels=2), preset="podcast", channels="2")
    assert decoded(both.content)[0].shape[1] == 2
    unknown = convert(server, tone(), preset="none")
    assert (unknown.status_code, "“none”" in unknown.json()["detail"]) == (404, True)


def test_a_sound_of_the_library_follows_a_preset(server: str) -> None:
    require("ffmpeg")
    make(server)
    sound = requests.post(f"{server}/post?name=a.wav", data=tone(), timeout=10).json()
    address = f"{server}/api/v1/sounds/{sound['id']}/file"
    with_preset = requests.get(f"{address}?preset=podcast", timeout=60)
    written_out = requests.get(f"{address}?format=mp3&bitrate=96k&channels=1", timeout=60)
    assert with_preset.status_code == 200
    assert with_preset.headers["ETag"] == written_out.headers["ETag"]
