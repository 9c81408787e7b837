"""What a file says of itself is there with the sound, and a retagged copy is known as the same."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import requests

from sonoteca_server.__main__ import main
from tests.kit.wavs import Plan, build_wav

IXML = (
    b"<?xml version='1.0'?><BWFXML><PROJECT>BMH</PROJECT><SCENE>A101</SCENE><TAKE>1</TAKE>"
    b"<TRACK_LIST><TRACK><CHANNEL_INDEX>1</CHANNEL_INDEX><NAME>MKH516 A</NAME></TRACK>"
    b"</TRACK_LIST></BWFXML>"
)


def bext() -> bytes:
    head = b"door slam".ljust(256, b"\0") + b"jh".ljust(32, b"\0") + b"".ljust(32, b"\0")
    when = b"2018-12-31" + b"12:40:00" + struct.pack("<Q", 96_000)
    return head + when + struct.pack("<H", 1) + bytes(64) + bytes(190)


def cue() -> bytes:
    return struct.pack("<I", 1) + struct.pack("<II4sIII", 1, 4_800, b"data", 0, 0, 4_800)


def post(server: str, data: bytes, name: str) -> dict[str, Any]:
    sound: dict[str, Any] = requests.post(
        f"{server}/post", params={"name": name}, data=data, timeout=10
    ).json()
    return sound


def test_the_recorder_s_words_are_there_with_the_sound(server: str) -> None:
    plan = Plan(frames=9_600, channels=1, before=[(b"bext", bext())],
                after=[(b"iXML", IXML), (b"cue ", cue())])  # fmt: skip
    sound = post(server, build_wav(plan), "a.wav")
    assert sound["recorded"] == "2018-12-31T12:40:00"
    assert sound["timecode"]["time_reference"] == 96_000
    assert sound["production"] == {"project": "BMH", "scene": "A101", "take": "1"}
    assert [track["name"] for track in sound["tracks"]] == ["MKH516 A"]
    assert [marker["at"] for marker in sound["markers"]] == [0.1]
    assert sound["embedded"]["bext"]["description"] == "door slam"


def test_a_retagged_copy_is_the_same_recording(server: str) -> None:
    plain = post(server, build_wav(Plan(frames=9_600, channels=1)), "a.wav")
    plan = Plan(frames=9_600, channels=1, before=[(b"bext", bext())])
    tagged = post(server, build_wav(plan), "b.wav")
    other = post(server, build_wav(Plan(frames=9_600, channels=1, seed=9)), "c.wav")
    assert plain["sha256"] != tagged["sha256"]
    assert plain["audio_sha256"] == tagged["audio_sha256"]
    assert plain["audio_sha256"] != other["audio_sha256"]


def test_the_chunks_are_listed_with_their_places(server: str) -> None:
    data = build_wav(
        Plan(frames=100, channels=1, before=[(b"bext", bext())], after=[(b"abcd", b"x")])
    )
    sound = post(server, data, "a.wav")
    path = f"{server}/api/v1/sounds/{sound['id']}"
    chunks = requests.get(f"{path}/chunks", timeout=10).json()
    assert [chunk["id"] for chunk in chunks] == ["fmt ", "bext", "data", "abcd"]
    for chunk in chunks:
        assert data[chunk["offset"] : chunk["offset"] + 4] == chunk["id"].encode()
    assert requests.get(f"{path}/findings", timeout=10).json() == sound["findings"]


def test_inspect_shows_them_in_a_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan(frames=9_600, channels=1, after=[(b"iXML", IXML), (b"cue ", cue())])
    (tmp_path / "a.wav").write_bytes(build_wav(plan))
    assert main(["inspect", str(tmp_path / "a.wav")]) == 0
    shown = capsys.readouterr().out
    assert "48000 Hz" in shown
    assert "track 1: MKH516 A" in shown
    assert "marker at 0.100 s" in shown
    assert "iXML" in shown
    (tmp_path / "b.wav").write_bytes(b"no sound")
    assert main(["inspect", str(tmp_path / "b.wav")]) == 1
    assert "at byte 0" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path / "none.wav")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_broken_words_are_a_finding_and_the_sound_is_taken(server: str) -> None:
    plan = Plan(frames=100, channels=1, before=[(b"bext", b"short"), (b"iXML", b"<a><b></a>")])
    sound = post(server, build_wav(plan), "a.wav")
    codes = [finding["code"].partition(".")[0] for finding in sound["findings"]]
    assert {"bext", "ixml"} <= set(codes)
