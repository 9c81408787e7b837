"""`sonoteca pull --format` and `--zip`: sounds as the server makes them, from a shell."""

from __future__ import annotations

import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.kit.api import Api
from tests.kit.converting import decoded, tone
from tests.kit.engines import require
from tests.kit.http import serve
from tests.kit.shell import Shell
from tests.kit.throttle import line
from tests.kit.wait import until
from tests.kit.wavs import write_wav

MIB = 1 << 20
pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "library") as url:
        yield url


@pytest.fixture
def shell(server: str, tmp_path: Path) -> Shell:
    return Shell(server, tmp_path / "home")


def test_sounds_are_pulled_in_another_format_and_not_twice(
    server: str, shell: Shell, tmp_path: Path
) -> None:
    require("ffmpeg")
    for number, place in enumerate(("field", "")):
        where = {"name": f"{number}.wav", "folder": place}
        data = tone(seconds=1.0 + number)
        assert requests.post(f"{server}/post", params=where, data=data, timeout=9).ok
    copies = tmp_path / "copies"
    words = ("pull", "", "--to", copies, "--format", "flac", "--samplerate", "24000")
    pulled = shell.run(*words)
    assert (pulled.returncode, pulled.stderr) == (0, "")
    found = sorted(str(each.relative_to(copies)) for each in copies.rglob("*.*"))
    assert found == ["1.flac", "field/0.flac"]
    samples, rate = decoded((copies / "1.flac").read_bytes())
    assert (rate, len(samples)) == (24_000, 48_000)
    (copies / "1.flac").unlink()
    again = shell.run(*words)
    assert again.returncode == 0
    assert f"{copies / 'field/0.flac'}: is there already." in again.stderr
    assert len(list(copies.rglob("*.flac"))) == 2


def test_what_matches_is_pulled_as_a_zip(server: str, shell: Shell, tmp_path: Path) -> None:
    api = Api(server)
    api.upload(1, "door.wav", folder="field")
    api.upload(2, "door.wav", folder="studio")
    api.upload(3, "rain.wav", folder="field")
    file = tmp_path / "doors.zip"
    pulled = shell.run("pull", "door", "--folder", "field", "--zip", file)
    assert (pulled.returncode, pulled.stderr) == (0, "")
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["field/door.wav"]
    again = shell.run("pull", "door", "--zip", file)
    assert (again.returncode, again.stderr) == (
        1,
        f"sonoteca: {file}: is there already. Name another file.\n",
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--format", "mp3"], "say with --to or with --zip where to put them"),
        (["--to", "a", "--zip", "b"], "with one of them alone"),
        (["--zip", "b", "--format", "mp3"], "leave out --zip or the rest"),
        (["--to", "a", "--format", "mp9"], "did you mean “mp3”?"),
        (["--to", "a", "--format", "mp3", "--bitdepth", "16"], "mp3 has no “bitdepth”"),
        (["--to", "a", "--samplerate", "8000"], "say with “format” what to convert to"),
    ],
)
def test_wrong_words_are_told(shell: Shell, words: list[str], says: str) -> None:
    refused = shell.run("pull", "", *words)
    assert refused.returncode == 2
    assert says in refused.stderr


def test_a_zip_goes_on_after_ctrl_c(server: str, tmp_path: Path) -> None:
    source = write_wav(tmp_path / "long.wav", frames=4 * MIB)
    named = {"name": "long.wav"}
    assert requests.post(f"{server}/post", params=named, data=source.read_bytes(), timeout=30).ok
    file = tmp_path / "all.zip"
    with line(server, rate=8 * MIB) as wire:
        shell = Shell(wire.url, tmp_path / "home")
        with shell.start("pull", "", "--zip", file) as program:
            until(lambda: wire.sent > 6 * MIB, seconds=20)
            os.kill(program.pid, signal.SIGINT)
            assert program.wait(20) == 130
        assert not file.exists()
        wire.limit(None)
        assert shell.run("pull", "", "--zip", file).returncode == 0
        assert wire.sent < 1.3 * source.stat().st_size
    with zipfile.ZipFile(file) as archive:
        assert archive.read("long.wav") == source.read_bytes()
