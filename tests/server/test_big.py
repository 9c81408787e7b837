"""Files beyond four gibibytes: right frames, every byte back, and memory that stays flat."""

from __future__ import annotations

import logging
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from sonoteca_shared.peaks import Head, parse_head
from tests.kit.http import ServerProcess, server_process
from tests.kit.tus import ask
from tests.kit.wavs import ds64

GIB = 1 << 30
FRAME = 4
# What the server may take more than before.
FLAT_KB = 50 << 10
_FMT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 48_000, 192_000, FRAME, 16)


def write_sparse(path: Path, container: bytes, data: int) -> int:
    """A WAV of nearly nothing but zeros, which take no room; its frames."""
    long = container == b"RF64"
    size = 4 + (36 if long else 0) + len(_FMT) + 8 + data
    head = struct.pack("<4sI4s", container, 0xFFFFFFFF if long else size, b"WAVE")
    if long:
        head += ds64(size, data, data // FRAME)
    head += _FMT + struct.pack("<4sI", b"data", 0xFFFFFFFF if long else data)
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + data)
        file.seek(len(head) + data - FRAME)
        file.write(b"last")
    return data // FRAME


def resident_kb(server: ServerProcess) -> int:
    """The memory that the server takes now."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("container", "data", "tus"),
    [(b"RF64", 5 * GIB, False), (b"RIFF", 5 * GIB // 2, True)],
    ids=["RF64 of 5 GiB, one request", "RIFF of 2.5 GiB, resumable"],
)
def test_a_big_file_goes_in_and_out(tmp_path: Path, container: bytes, data: int, tus: bool) -> None:
    path = tmp_path / "long.wav"
    frames = write_sparse(path, container, data)
    size = path.stat().st_size
    with server_process(tmp_path / "library") as server:
        requests.get(f"{server.url}/list", timeout=10)
        before, began = resident_kb(server), time.monotonic()
        if tus:
            created = ask("POST", f"{server.url}/files/", Upload_Length=str(size))
            fields = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0",
                      "Content-Type": "application/offset+octet-stream"}  # fmt: skip
            with path.open("rb") as file:
                sent = requests.patch(
                    server.url + created.headers["Location"],
                    data=file, headers=fields, timeout=900,
                )  # fmt: skip
            assert sent.status_code == 204, sent.text
        else:
            with path.open("rb") as file:
                sent = requests.post(f"{server.url}/post?name=long.wav", data=file, timeout=900)
            assert sent.status_code == 201, sent.text
        took = time.monotonic() - began
        logging.warning("%.0f MB/s in, %d kB more", size / took / 1e6, resident_kb(server) - before)
        sound = requests.get(f"{server.url}/info", timeout=10).json()[0]
        assert (sound["frames"], sound["size"]) == (frames, size)
        end = {"Range": "bytes=-4"}
        assert requests.get(f"{server.url}/download", headers=end, timeout=10).content == b"last"
        with requests.get(f"{server.url}/download", stream=True, timeout=60) as answer:
            got = sum(map(len, answer.iter_content(1 << 20)))
        assert got == size
        assert resident_kb(server) - before < FLAT_KB


_ANALYSE = """
import resource, sys
from pathlib import Path
from sonoteca_server.jobs import decoder
decoder.analyse(Path(sys.argv[1]), Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_rf64_of_2_4_gb_is_analysed_in_memory_that_stays_flat(tmp_path: Path) -> None:
    shown = tmp_path / "peaks.dat"

    def analyse(data: int) -> tuple[int, int]:
        """Frames that the overview stands for, and the most memory that was used, in KB."""
        wav = tmp_path / "a.wav"
        write_sparse(wav, b"RF64", data)
        command = [sys.executable, "-c", _ANALYSE, str(wav), str(shown)]
        alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # as the server starts it
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=280, env=alone
        )
        head = parse_head(shown.read_bytes()[: Head.SIZE])
        return head.length * head.samples_per_pixel, int(done.stdout)

    _, little = analyse(1 << 20)
    frames, much = analyse(2_400_000_000)
    assert frames >= 2_400_000_000 // FRAME
    assert much - little < FLAT_KB
