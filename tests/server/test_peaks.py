"""Waveform overviews over HTTP: at any zoom, in part, and read by a player that is not ours."""

from __future__ import annotations

import concurrent.futures
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import requests
import soundfile

from sonoteca_server.handlers import peaks as peaks_handlers
from sonoteca_server.library import peaks as overviews
from sonoteca_server.library.peaks import find_overview
from sonoteca_server.wire.turns import MOST
from sonoteca_shared import peaks
from tests.kit import node
from tests.kit.api import Api
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import write_wav

FRAMES = 2_000_000
AS_JSON = {"Accept": "application/json"}
KEPT = (256, 1024, 4096)
MADE = (512, 256 * 7, 256 * 1500, 256 * (1 << 16))


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wav")
    return write_wav(folder / "take.wav", frames=FRAMES, channels=2, bits=16, samplerate=96_000)


@pytest.fixture(scope="module")
def path(wav: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the overview of the sound is."""
    with serve(tmp_path_factory.mktemp("library")) as server:
        data = wav.read_bytes()
        sound = requests.post(f"{server}/post?name=take.wav", data=data, timeout=10).json()
        link = until(lambda: Api(server).get(f"/sounds/{sound['id']}")["links"]["peaks"])
        yield server + link


def get(path: str, **given: Any) -> requests.Response:
    return requests.get(path, timeout=10, **given)


def extremes(wav: Path, spp: int) -> npt.NDArray[np.int16]:
    """Minima and maxima from the file itself, as (pixels, channels, 2)."""
    samples, _ = soundfile.read(str(wav), dtype="int16")
    starts = np.arange(0, FRAMES, spp)
    lows, highs = (kind.reduceat(samples, starts) for kind in (np.minimum, np.maximum))
    return np.stack([lows, highs], axis=2)


@pytest.mark.parametrize("spp", [*KEPT, *MADE])
def test_any_zoom_shows_the_extremes_of_the_samples(
    wav: Path, path: str, spp: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overviews, "_PIECE", 1_000)
    shown = peaks.parse(get(f"{path}?spp={spp}").content)
    assert (shown.samples_per_pixel, shown.samplerate, shown.channels) == (spp, 96_000, 2)
    expected = extremes(wav, spp)
    assert shown.length == len(expected) == -(-FRAMES // spp)
    assert list(shown.values) == expected.ravel().tolist()


@pytest.mark.parametrize("spp", [1024, 512])
def test_json_says_the_same(path: str, spp: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peaks_handlers, "_PIECE", 1_000)
    answer = get(f"{path}?spp={spp}", headers=AS_JSON)
    assert answer.headers["Content-Type"].startswith("application/json")
    shown = peaks.parse(get(f"{path}?spp={spp}").content)
    assert answer.json() == {
        "version": 2, "channels": 2, "sample_rate": 96_000, "samples_per_pixel": spp, "bits": 16,
        "length": shown.length, "data": list(shown.values),
    }  # fmt: skip


@pytest.mark.parametrize("spp", ["0", "300", "-256", "x", "1e3", "", str(256 * ((1 << 16) + 1))])
def test_a_zoom_that_is_none_is_named(path: str, spp: str) -> None:
    answer = get(f"{path}?spp={spp}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")
    assert "spp" in answer.json()["detail"]


def test_what_is_too_long_to_be_made_is_refused_with_a_zoom_that_is_not(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peaks_handlers, "_MOST_MADE", 3_000)
    for spp, headers in ((256, AS_JSON), (1024, AS_JSON), (512, {})):
        refused = get(f"{path}?spp={spp}", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad-request")
        coarser = re.findall("spp=([0-9]+)", refused.json()["detail"])[-1]
        shown = get(f"{path}?spp={coarser}", headers=AS_JSON).json()
        assert 2_500 < 2 * shown["length"] <= 3_000
    assert get(f"{path}?spp=256").status_code == 200


def test_each_address_has_its_share_of_turns(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    all_there, answered = threading.Barrier(MOST + 1), threading.Event()

    def slowly(*args: Any) -> Any:
        all_there.wait(10)
        assert answered.wait(10)
        return find_overview(*args)

    monkeypatch.setattr(peaks_handlers, "find_overview", slowly)
    with concurrent.futures.ThreadPoolExecutor(MOST) as many:
        first = [many.submit(get, path) for _ in range(MOST)]
        try:
            all_there.wait(10)
            refused = get(path)
        finally:
            answered.set()
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
        assert {each.result().status_code for each in first} == {200}


@pytest.mark.parametrize("spp", [256, 4096, 512])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_part_of_it_can_be_had_and_a_known_one_is_not_sent_again(
    path: str, spp: int, accept: str
) -> None:
    path, accepts = f"{path}?spp={spp}", {"Accept": accept}
    whole = get(path, headers=accepts)
    assert whole.headers["Accept-Ranges"] == "bytes"
    size, tag = len(whole.content), whole.headers["ETag"]
    head = requests.head(path, headers=accepts, timeout=10)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(size))
    assert head.headers["ETag"] == tag
    assert not tag.startswith("W/")
    part = get(path, headers=accepts | {"Range": "bytes=10-99", "If-Range": tag})
    assert (part.status_code, part.content) == (206, whole.content[10:100])
    assert part.headers["Content-Range"] == f"bytes 10-99/{size}"
    known = get(path, headers=accepts | {"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    behind = get(path, headers=accepts | {"Range": f"bytes={size}-"})
    assert (behind.status_code, behind.headers["Content-Range"]) == (416, f"bytes */{size}")


def test_each_zoom_and_form_has_a_tag_of_its_own(path: str) -> None:
    asked = [(spp, headers) for spp in (256, 512, 1024) for headers in (AS_JSON, {})]
    answers = [get(f"{path}?spp={spp}", headers=headers) for spp, headers in asked]
    assert len({answer.headers["ETag"] for answer in answers}) == len(asked)
    assert {answer.headers["Vary"] for answer in answers} == {"Accept"}


@pytest.mark.timeout(150)  # it may have to install it first
@pytest.mark.parametrize("spp", [256, 1024, 512])
def test_waveform_data_reads_both_forms(
    request: pytest.FixtureRequest, tmp_path: Path, wav: Path, path: str, spp: int
) -> None:
    command = node.program(request.config, "peaks.mjs")
    expected = extremes(wav, spp)
    for name, headers in (("a.dat", {}), ("a.json", AS_JSON)):
        file = tmp_path / name
        file.write_bytes(get(f"{path}?spp={spp}", headers=headers).content)
        told = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=60)
        assert told.returncode == 0, told.stderr
        read = json.loads(told.stdout)
        assert (read["sample_rate"], read["scale"], read["bits"]) == (96_000, spp, 16)
        assert read["length"] == len(expected)
        assert read["duration"] == pytest.approx(FRAMES / 96_000, abs=spp / 96_000)
        for index, channel in enumerate(read["channels"]):
            assert channel["min"] == expected[:, index, 0].tolist()
            assert channel["max"] == expected[:, index, 1].tolist()


def test_an_overview_of_before_there_were_several_is_read_as_well(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        wav = write_wav(tmp_path / "a.wav", frames=600_000, channels=1).read_bytes()
        sound = requests.post(f"{server}/post?name=a.wav", data=wav, timeout=10).json()
        path = server + until(lambda: Api(server).get(f"/sounds/{sound['id']}")["links"]["peaks"])
        fine, coarse = (get(f"{path}?spp={spp}").content for spp in (256, 1024))
        blobs = [file for file in (tmp_path / "blobs").rglob("*") if file.is_file()]
        kept = next(file for file in blobs if file.read_bytes().startswith(fine))
        assert kept.stat().st_size > len(fine)
        kept.chmod(0o600)
        kept.write_bytes(fine)
        assert get(f"{path}?spp=256").content == fine
        assert get(f"{path}?spp=1024").content == coarse


@pytest.mark.parametrize("rest", [b"", b"\2\0\0\0", bytes(24)])
def test_an_overview_that_is_damaged_is_made_again(tmp_path: Path, rest: bytes) -> None:
    with serve(tmp_path) as server:
        wav = write_wav(tmp_path / "a.wav", frames=6_000, channels=1).read_bytes()
        sound = requests.post(f"{server}/post?name=a.wav", data=wav, timeout=10).json()
        path = server + until(lambda: Api(server).get(f"/sounds/{sound['id']}")["links"]["peaks"])
        before = get(path).content
        blobs = [file for file in (tmp_path / "blobs").rglob("*") if file.is_file()]
        kept = next(file for file in blobs if file.read_bytes() == before)
        kept.chmod(0o600)
        kept.write_bytes(rest)
        answer = get(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "peaks-pending")
        assert int(answer.headers["Retry-After"]) >= 1
        until(lambda: get(path).status_code == 200)
        assert get(path).content == before
