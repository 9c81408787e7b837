"""The formats that a server says it converts to."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from sonoteca_server.jobs import ffmpeg
from sonoteca_shared.recipes import TARGETS
from tests.kit.engines import require
from tests.kit.http import serve


def test_a_server_lists_what_it_converts_to(tmp_path: Path) -> None:
    require("ffmpeg")
    with serve(tmp_path) as url:
        answer = requests.get(f"{url}/api/v1/formats", timeout=20)
        found = {each["name"]: each for each in answer.json()["results"]}
        wrong = requests.get(f"{url}/api/v1/formats?all=1", timeout=20)
    assert set(found) <= set(TARGETS)
    assert found["mp3"]["bitrates"] == [8_000, 320_000]
    assert (found["flac"]["bitdepths"], found["flac"]["bitrates"]) == (["16", "24"], None)
    assert found["wav"]["media_type"] == "audio/wav"
    assert wrong.status_code == 400


def test_without_ffmpeg_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "find", lambda: None)
    with serve(tmp_path) as url:
        answer = requests.get(f"{url}/api/v1/formats", timeout=20)
    assert (answer.status_code, answer.json()) == (200, {"count": 0, "results": []})
