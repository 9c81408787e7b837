"""Waveforms come by themselves, stay on this computer, and are not asked for in vain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import requests
from pytestqt.qtbot import QtBot

from sonoteca_desktop.client import Client
from sonoteca_desktop.models.overviews import Overviews
from sonoteca_shared.models import Sound
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav


def sound_with_peaks(server: str) -> Sound:
    data = build_wav(Plan(seconds=1, channels=1))
    requests.post(f"{server}/post?name=a.wav", data=data, timeout=10)

    def look() -> dict[str, Any] | None:
        found: dict[str, Any] = requests.get(f"{server}/info", timeout=10).json()[0]
        return found if found["links"]["peaks"] else None

    return msgspec.convert(until(look), Sound)


def test_the_first_look_fetches_and_the_second_has_it(qtbot: QtBot, tmp_path: Path) -> None:
    with serve(tmp_path / "library") as server:
        sound = sound_with_peaks(server)
        overviews = Overviews(Client(server), tmp_path / "cache")
        with qtbot.waitSignal(overviews.arrived) as arrived:
            assert overviews.get(sound, 100) is None
        assert arrived.args == [sound.sha256]
        peaks = overviews.get(sound, 100)
        assert peaks is not None
        assert peaks.length == 188
        overviews.close()
    # The server is gone; another start of the program has it all the same.
    overviews = Overviews(Client(server), tmp_path / "cache")
    with qtbot.waitSignal(overviews.arrived):
        overviews.get(sound, 100)
    assert overviews.get(sound, 100) == peaks
    overviews.close()


def test_what_is_not_there_yet_is_asked_for_again_after_news(qtbot: QtBot, tmp_path: Path) -> None:
    with serve(tmp_path / "library") as server:
        sound = sound_with_peaks(server)
        too_early = msgspec.structs.replace(
            sound, links=msgspec.structs.replace(sound.links, peaks=None)
        )
        overviews = Overviews(Client(server), tmp_path / "cache")
        overviews.get(too_early, 100)
        qtbot.waitUntil(lambda: sound.sha256 in overviews._kept)
        assert overviews.get(sound, 100) is None
        overviews.forget_missing()
        with qtbot.waitSignal(overviews.arrived):
            overviews.get(sound, 100)
        overviews.close()
