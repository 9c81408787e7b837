"""sonoteca-server verify: what is damaged is named, what is whole is not; uploading again mends."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kit.http import serve, server_process
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav
from tests.server.conftest import BOTH

DATABASES = BOTH

SOUNDS = [build_wav(Plan(frames=2_000 + seed, channels=1, seed=seed)) for seed in range(12)]


def verify(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sonoteca_server", "verify", "--data", str(folder), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=15)


def blob_of(folder: Path, data: bytes) -> Path:
    blobs = (path for path in (folder / "blobs").rglob("*") if path.is_file())
    return next(path for path in blobs if path.read_bytes() == data)


def fill(server: str) -> list[dict[str, Any]]:
    """Twelve sounds, with their waveforms."""
    for number, data in enumerate(SOUNDS):
        requests.post(f"{server}/post?name={number}.wav", data=data, timeout=10)

    def ready() -> list[dict[str, Any]]:
        sounds: list[dict[str, Any]] = requests.get(f"{server}/info?sort=name", timeout=10).json()
        return sounds if all(sound["links"]["peaks"] for sound in sounds) else []

    return until(ready)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[random.Random(3).randrange(len(data))] ^= 0x10
    path.write_bytes(data)


@pytest.mark.timeout(60)
def test_a_flipped_bit_a_cut_and_a_missing_blob_are_all_named(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        sounds = fill(server.url)
        assert len(sounds) == 12
        for flags in ((), ("--full",)):
            whole = verify(tmp_path, *flags)
            assert (whole.returncode, whole.stderr) == (0, "")
            assert "12 objects" in whole.stdout
            assert "12 waveforms: none damaged" in whole.stdout
        flipped, cut, gone = (blob_of(tmp_path, SOUNDS[number]) for number in (2, 5, 8))
        flip(flipped)
        with cut.open("r+b") as file:
            file.truncate(77)
        gone.unlink()
        by_name = {sound["name"]: sound for sound in sounds}

        def named(output: str, blob: Path, name: str) -> bool:
            oid = by_name[name]["sha256"]
            return any(
                blob.name in line and f"main/{oid}" in line and f"“{name}”" in line
                for line in output.splitlines()
            )

        server.stop()
        for up in (False, True):
            if up:
                server.start()
            quick, full = verify(tmp_path), verify(tmp_path, "--full")
            assert (quick.returncode, full.returncode) == (1, 1)
            for output in (quick.stdout, full.stdout):
                assert named(output, cut, "5.wav")
                assert named(output, gone, "8.wav")
            assert named(full.stdout, flipped, "2.wav")
            assert len(quick.stdout.splitlines()) == 3
            assert len(full.stdout.splitlines()) == 4
            assert "3 damaged" in full.stdout.splitlines()[-1]


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
@pytest.mark.parametrize("way", ["post", "put"])
def test_the_good_file_again_mends_whatever_is_damaged(
    tmp_path: Path, damage: str, way: str
) -> None:
    data = SOUNDS[0]
    with serve(tmp_path) as server:
        sounds = [
            requests.post(f"{server}/post?name={name}.wav", data=data, timeout=10).json()
            for name in ("a", "b")
        ]
        blob = blob_of(tmp_path, data)
        if damage == "gone":
            blob.unlink()
        elif damage == "cut":
            blob.write_bytes(data[:100])
        else:
            flip(blob)
        if way == "post":
            assert requests.post(f"{server}/post?name=a.wav", data=data, timeout=10).ok
        else:
            assert requests.put(f"{server}/data/main", data=data, timeout=10).status_code == 201
        for sound in sounds:
            assert requests.get(server + sound["links"]["file"], timeout=10).content == data
        assert not blob.exists()
    assert verify(tmp_path, "--full").returncode == 0


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_bytes_are_refused_in_words_and_never_half(
    tmp_path: Path, claim_errors: Any, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    data = SOUNDS[1]
    with serve(tmp_path) as server:
        sound = requests.post(f"{server}/post?name=a.wav", data=data, timeout=10).json()
        blob = blob_of(tmp_path, data)
        if damage == "gone":
            blob.unlink()
        else:
            blob.write_bytes(data[:100])
        for path in (sound["links"]["file"], "/download", f"/api/v1/sounds/{sound['id']}/file"):
            refused = requests.get(server + path, timeout=10)
            assert refused.status_code == 500
            assert refused.headers["Content-Type"] == "application/problem+json"
            assert refused.json()["code"] == f"blob-{'missing' if damage == 'gone' else 'damaged'}"
            assert "uploading the good file again" in refused.json()["detail"]
            assert requests.head(server + path, timeout=10).status_code == 500
        assert requests.get(f"{server}/list", timeout=10).json() == ["a.wav"]
    assert "Traceback" not in caplog.text
    claim_errors(blob.name)


def test_what_no_row_names_is_told_and_is_no_damage(tmp_path: Path, database: str) -> None:
    with serve(tmp_path, database=database) as server:
        requests.put(f"{server}/data/main", data=b"one", timeout=10)
        answer = requests.put(f"{server}/data/main", data=b"two", timeout=10).json()
        requests.delete(f"{server}/data/main/{answer['oid']}", timeout=10)
    told = verify(tmp_path, "--database", database)
    assert told.returncode == 0
    assert "1 objects (3 bytes)" in told.stdout
    assert "1 that no row names wait for upkeep" in told.stdout


def test_a_damaged_waveform_is_named_too(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        requests.post(f"{server}/post?name=a.wav", data=SOUNDS[0], timeout=10)
        files = lambda: [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]  # noqa: E731
        until(lambda: len(files()) == 2)
        until(lambda: requests.get(f"{server}/info", timeout=10).json()[0]["links"]["peaks"])
    waveform = next(path for path in files() if path.read_bytes() != SOUNDS[0])
    waveform.write_bytes(waveform.read_bytes()[:40])
    told = verify(tmp_path, "--full")
    assert told.returncode == 1
    assert waveform.name in told.stdout
    assert "waveform of object" in told.stdout


def test_a_folder_without_a_catalogue_is_said(tmp_path: Path) -> None:
    refused = verify(tmp_path / "nothing")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "no catalogue" in refused.stderr
    assert not (tmp_path / "nothing").exists()
