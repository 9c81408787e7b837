"""Clients that are not ours, cut in the middle and started again."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.kit import node
from tests.kit.http import serve
from tests.kit.tus import head, offset
from tests.kit.wait import until
from tests.kit.wavs import write_wav

PYTHON = """
import sys
from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage

endpoint, file, urls = sys.argv[1:]
uploader = TusClient(endpoint).uploader(
    file, chunk_size=1 << 20, metadata={"filename": "take.wav"},
    store_url=True, url_storage=FileStorage(urls), retries=2, retry_delay=1,
)
print(uploader.offset, flush=True)
while uploader.offset < uploader.get_file_size():
    uploader.upload_chunk()
    print(uploader.url, flush=True)
"""


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "take.wav", frames=6_000_000, channels=1, bits=16)


def assert_whole(server: str, url: str, wav: Path) -> None:
    """The upload has become a sound with the bytes of this file."""
    told = head(url)
    assert told.headers["Upload-Offset"] == str(wav.stat().st_size)
    sound = requests.get(server + told.headers["Sonoteca-Sound"], timeout=10).json()
    with wav.open("rb") as file:
        assert sound["sha256"] == hashlib.file_digest(file, "sha256").hexdigest()
    assert (sound["name"], sound["size"]) == ("take.wav", wav.stat().st_size)


@pytest.mark.timeout(60)
def test_tuspy_that_was_killed_goes_on_where_it_stopped(tmp_path: Path, wav: Path) -> None:
    with serve(tmp_path / "library") as server:
        words = [f"{server}/files/", str(wav), str(tmp_path / "urls.json")]
        command = [sys.executable, "-W", "ignore", "-c", PYTHON, *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
            assert first.stdout is not None
            assert first.stdout.readline() == "0\n"
            url = first.stdout.readline().strip()
            os.kill(first.pid, signal.SIGKILL)
        told = offset(url)
        assert 1 << 20 <= told < wav.stat().st_size
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        lines = done.stdout.split()
        assert (lines[0], set(lines[1:])) == (str(told), {url})
        assert_whole(server, url, wav)


@pytest.fixture(scope="module")
def tus_js(request: pytest.FixtureRequest) -> list[str]:
    """The command that uploads with tus-js-client."""
    return node.program(request.config, "upload.mjs")


@pytest.mark.timeout(150)  # it may have to install it first
def test_tus_js_client_that_was_killed_goes_on_where_it_stopped(
    tmp_path: Path, wav: Path, tus_js: list[str]
) -> None:
    with serve(tmp_path / "library") as server:
        command = [*tus_js, f"{server}/files/", str(wav), str(tmp_path / "urls.json")]

        def run(stop_at: int) -> subprocess.CompletedProcess[str]:
            words = [*command, str(stop_at)]
            return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

        killed = run(5_000_000)
        assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "new\n"), killed.stderr
        part = until(lambda: list((tmp_path / "library" / "uploads").iterdir()))[0]
        assert offset(f"{server}/files/{part.name}") >= 3 << 20
        resumed = run(0)
        assert resumed.returncode == 0, resumed.stderr
        assert resumed.stdout.split() == ["resumed", f"{server}/files/{part.name}"]
        assert_whole(server, f"{server}/files/{part.name}", wav)
