"""What the server has measured is found on this computer too, with the server or without it."""

from __future__ import annotations

from pathlib import Path

import requests

from sonoteca_desktop.client import Client
from sonoteca_desktop.sync.engine import SyncEngine
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_shared.query import parse
from tests.kit.api import Api
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import Plan, Sound, build_wav

SOUNDS: dict[str, Sound] = {"loud.wav": "noise", "middling.wav": "tone", "silent.wav": "silence"}
QUESTIONS = ("loud>-30", "loud<-3", "loud:[-100 TO 0]", "peak>-1", "-loud<0", "sort:-loudness")


def test_loudness_is_searched_offline_as_online(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")

    def here(question: str) -> list[str]:
        query = parse(question)
        sort = query.sort or "name"
        keys = mirror.keys(query.tree, sort=sort.strip("-"), descending=sort.startswith("-"))
        return [sound.name for sound in mirror.sounds(keys) if sound is not None]

    def measured(server: str) -> bool:
        sounds = requests.get(f"{server}/info", timeout=10).json()
        return all(sound["loudness"] for sound in sounds)

    with serve(tmp_path / "library") as server:
        client = Client(server)
        engine = SyncEngine(mirror, client, lambda _state: None)
        engine.start()
        for name, kind in SOUNDS.items():
            data = build_wav(Plan(seconds=0.5, samplerate=16_000, sound=kind))
            requests.post(f"{server}/post?name={name}", data=data, timeout=10)
        until(lambda: measured(server))
        api = Api(server)
        online = {
            question: api.names(q=question, **({} if "sort:" in question else {"sort": "name"}))
            for question in QUESTIONS
        }
        until(lambda: here("loud>-30") == online["loud>-30"])
        engine.stop()
        client.close()
    assert {question: here(question) for question in QUESTIONS} == online
    mirror.close()
