"""The lines of the README do what it says, exactly as they stand there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import engines
from tests.kit.archives import Archiver
from tests.kit.http import serve
from tests.kit.upstream import File, Upstream, upstream
from tests.kit.wait import until

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CURL = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("curl ")
]
PROMISED = (
    "curl -X POST --data-binary @myfile.wav http://localhost:8282/post",
    "curl -X POST --data-binary @myfile.wav 'http://localhost:8282/post?name=myfile.wav'",
    "curl 'http://localhost:8282/list?maxduration=300'",
    "curl 'http://localhost:8282/info?name=myfile.wav'",
    "curl -C - -o copy.wav 'http://localhost:8282/download?name=myfile.wav'",
)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with the sample library, or the part of it that the lines ask for."""
    path = ROOT / "packaging" / "samples.py"
    spec = importlib.util.spec_from_file_location("samples", path)
    assert spec is not None
    assert spec.loader is not None
    samples = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "samples", samples)
    spec.loader.exec_module(samples)
    with serve(tmp_path / "library") as server:
        assert samples.main(["--server", server]) == 0
        yield server


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_curl_lines_work_one_after_the_other(library: str, tmp_path: Path) -> None:
    engines.require("curl")
    work = tmp_path / "work"
    work.mkdir()
    # The lines name port 8282, which may be taken here: curl is told where that is.
    port = library.rpartition(":")[2]
    (tmp_path / ".curlrc").write_text(
        f'connect-to = "localhost:8282:127.0.0.1:{port}"\nfail-with-body\nsilent\nshow-error\n'
    )
    env = os.environ | {"CURL_HOME": str(tmp_path)}
    answers = {}
    for line in CURL:
        run = subprocess.run(
            shlex.split(line), cwd=work, env=env, capture_output=True, text=True, timeout=20
        )
        assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
        answers[line] = run.stdout
    post, named, short, info, _ = (answers[line] for line in PROMISED)
    assert json.loads(post)["name"] == "Church bell.wav"
    assert json.loads(named)["name"] == "myfile.wav"
    assert "myfile.wav" in json.loads(short)
    assert json.loads(info)[0]["name"] == "myfile.wav"
    assert (work / "copy.wav").read_bytes() == (work / "myfile.wav").read_bytes()
    with wave.open(str(work / "myfile.wav")) as sound:
        assert sound.getnframes() > 0


def test_every_promised_line_is_there_and_the_first_fetches_a_sample() -> None:
    assert set(PROMISED) <= set(CURL)
    assert CURL[0].startswith("curl -o myfile.wav ")


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_local_try_out_of_archives(tmp_path: Path) -> None:
    curl = engines.require("curl")
    allowed = re.findall(r"--fetch-allow (\S+)$", README, re.MULTILINE)
    assert re.search(r"^python3 (-m http.server 9000) --directory", README, re.MULTILINE)
    create = next(line for line in CURL if '"urls"' in line)
    with upstream() as files, serve(tmp_path / "library", fetch_allow=_at(allowed[0], files)) as at:
        files.url("/take1.wav", File(b"any bytes"))
        line = _at(create, files).replace("http://localhost:8282", at)
        made = subprocess.run([curl, *shlex.split(line)[1:]], capture_output=True, check=True)
        archive = json.loads(made.stdout)["archive_hash"]
        archiver = Archiver(at)
        until(lambda: archiver.status(archive)["status"] == "completed")
        assert archiver.files(archive) == {"take1.wav": b"any bytes"}


def _at(line: str, files: Upstream) -> str:
    """The line for the port that is really used."""
    return line.replace("localhost:9000", f"localhost:{files.port}")


@pytest.mark.parametrize("name", ["audioserverinstall", "audioserverrun", "audioserverdb"])
def test_names_used_elsewhere_lead_to_ours(name: str) -> None:
    assert f"| `{name}` |" in README
