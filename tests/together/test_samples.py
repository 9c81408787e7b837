"""The small library of a first start: what it makes, and how it sends it."""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile

from sonoteca_shared.wav import WavFacts, probe

# packaging/ is a folder, not a package: as one it would hide the packaging library.
SCRIPT = Path(__file__).parents[2] / "packaging" / "samples.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def samples() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("samples", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["samples"] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules["samples"]


@pytest.fixture(scope="module")
def made(samples: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Path]]:
    return list(samples.synthesise(tmp_path_factory.mktemp("samples")))


def facts_of(path: Path) -> WavFacts:
    with path.open("rb") as file:

        def read(offset: int, count: int) -> bytes:
            return os.pread(file.fileno(), count, offset)

        return probe(read, path.stat().st_size)


def test_every_sample_is_what_it_says(made: list[tuple[Any, Path]]) -> None:
    for sample, path in made:
        facts = facts_of(path)
        assert (facts.samplerate, facts.bitdepth) == (sample.samplerate, sample.bits), sample.name
        assert (facts.format, facts.findings) == ("pcm", ()), sample.name
        assert (path.name, path.parent.name) == (sample.name, sample.folder)


def test_every_sample_can_be_heard_and_none_clips(made: list[tuple[Any, Path]]) -> None:
    for sample, path in made:
        signal, _ = soundfile.read(path, always_2d=True)
        # -6 dBFS; between samples a converter may go a little higher, but never to the top.
        assert np.abs(signal).max() == pytest.approx(0.5012, abs=0.0002), sample.name
        assert signal.std(axis=0).min() > 0.01, sample.name
        assert np.abs(signal.mean(axis=0)).max() < 0.005, sample.name
        assert np.abs(signal[[0, -1]]).max() < 0.002, f"{sample.name} clicks"


def test_the_library_has_something_of_each_kind(made: list[tuple[Any, Path]]) -> None:
    every = [facts_of(path) for _, path in made]
    assert len({sample.folder for sample, _ in made}) >= 5
    assert any(facts.samplerate == 96_000 and facts.bitdepth == 24 for facts in every)
    assert any(facts.duration >= 180 for facts in every)
    assert {facts.channels for facts in every} == {1, 2}
    assert sum(path.stat().st_size for _, path in made) < 100_000_000


def test_stereo_is_wide(made: list[tuple[Any, Path]]) -> None:
    for sample, path in made:
        if sample.folder == "Ambience" and facts_of(path).channels == 2:
            left, right = soundfile.read(path)[0].T
            assert abs(np.corrcoef(left, right)[0, 1]) < 0.5


class Taker(BaseHTTPRequestHandler):
    """Stands in for the server: keeps what is sent, knows again what it has."""

    taken: ClassVar[dict[tuple[str, str], bytes]] = {}
    refuse = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        address = urlsplit(self.path)
        arguments = parse_qs(address.query)
        key = (arguments["folder"][0], arguments["name"][0])
        status = 422 if self.refuse else 200 if self.taken.get(key) == body else 201
        self.taken[key] = body
        self.send_response(status if address.path == "/library/post" else 404)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Taker, "taken", {})
    listening = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}/library"
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def few(samples: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the two quickest sounds."""
    monkeypatch.setattr(samples, "SAMPLES", samples.SAMPLES[:2])


@pytest.mark.usefixtures("few")
def test_sends_the_same_sounds_each_time_and_says_so(
    samples: ModuleType, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert samples.main(["--server", server + "/"]) == 0
    first, second = (f"{sample.folder}/{sample.name}" for sample in samples.SAMPLES)
    assert capsys.readouterr().out == f"{first}: added\n{second}: added\n"
    assert all(body.startswith(b"RIFF") for body in Taker.taken.values())
    assert samples.main(["--server", server]) == 0
    assert capsys.readouterr().out == f"{first}: already there\n{second}: already there\n"


@pytest.mark.usefixtures("few")
def test_a_refusal_is_one_line_and_a_failure(
    samples: ModuleType,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Taker, "refuse", True)
    assert samples.main(["--server", server]) == 1
    assert "the server answered 422" in capsys.readouterr().err
