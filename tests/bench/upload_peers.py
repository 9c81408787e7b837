"""Uploads beside other programs that do the same job: CPU for the same file, in turn.

    .venv/bin/python -m tests.bench.upload_peers --copyparty PYTHON --tus FOLDER [--tmpfs FOLDER]

PYTHON has copyparty, which hashes what it takes; FOLDER has @tus/server and @tus/file-store in its
node_modules, which do not hash. Both are held against our own server in the same round.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import requests

from tests.bench.upload import SIZE, WAYS, cpu_of, curl, measure, settled
from tests.kit.http import server_process
from tests.kit.tus import BYTES
from tests.kit.wait import until
from tests.kit.wavs import write_wav

ROUNDS = 5
COPYPARTY, TUS = 18_291, 18_292
_TUS = """
const {Server} = require('@tus/server'), {FileStore} = require('@tus/file-store')
new Server({path: '/files', datastore: new FileStore({directory: process.argv[1]})})
  .listen({host: '127.0.0.1', port: Number(process.argv[2])})
"""


@contextlib.contextmanager
def peer(command: list[str], port: int, cwd: Path | None = None) -> Iterator[int]:
    """A program that listens on a port; its process id."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=cwd, stdout=quiet, stderr=quiet) as process:
        try:
            until(lambda: _answers(port), seconds=30)
            yield process.pid
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/", timeout=5)
        return True
    return False


def send_by_tus(port: int, file: Path) -> None:
    """Create an upload and send it in one PATCH."""
    base, resumable = f"http://127.0.0.1:{port}/files", {"Tus-Resumable": "1.0.0"}
    length = {"Upload-Length": str(file.stat().st_size)}
    made = requests.post(base, headers=resumable | length, timeout=10)
    url = urljoin(base, made.headers["Location"])
    fields = ("Tus-Resumable: 1.0.0", "Upload-Offset: 0", f"Content-Type: {BYTES['Content-Type']}")
    curl("PATCH", url, file, *fields)


def ours(folder: Path, file: Path, way: str) -> float:
    """Seconds of CPU that our server takes for the file."""
    with server_process(folder) as server:
        cpu = measure(server.pid, lambda: WAYS[way](server, file))[1]
        until(lambda: settled(server), seconds=60)
    subprocess.run(["rm", "-r", str(folder)], check=True)
    return cpu


def main() -> None:
    """Print what we take in multiples of what each peer takes."""
    parser = argparse.ArgumentParser(description="Uploads beside copyparty and @tus/server.")
    parser.add_argument("--copyparty", required=True)
    parser.add_argument("--tus", type=Path, required=True)
    parser.add_argument("--tmpfs", default="/dev/shm")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.tmpfs) as name:
        folder = Path(name)
        for each in ("cpp", "tus"):
            (folder / each).mkdir()
        file = write_wav(folder / "file.wav", frames=SIZE // 4, channels=2, bits=16)
        party = [given.copyparty, "-m", "copyparty", "-q", "-i", "127.0.0.1", "-p", str(COPYPARTY),
                 "-v", f"{folder / 'cpp'}::rw", "--no-thumb", "--wram"]  # fmt: skip
        node = ["node", "-e", _TUS, str(folder / "tus"), str(TUS)]
        found: dict[str, list[float]] = {"copyparty, PUT": [], "@tus/server, no hash": []}
        with peer(party, COPYPARTY) as first, peer(node, TUS, given.tus) as second:
            for turn in range(ROUNDS):
                with file.open("r+b") as out:  # other bytes, so that nothing is known already
                    out.seek(1_000)
                    out.write(os.urandom(16))
                base = cpu_of(first)
                curl("PUT", f"http://127.0.0.1:{COPYPARTY}/{turn}.wav", file)
                put = ours(folder / f"put{turn}", file, "PUT /data")
                found["copyparty, PUT"].append(put / (cpu_of(first) - base))
                base = cpu_of(second)
                send_by_tus(TUS, file)
                patch = ours(folder / f"patch{turn}", file, "tus PATCH")
                found["@tus/server, no hash"].append(patch / (cpu_of(second) - base))
                for each in ("cpp", "tus"):
                    for kept in (folder / each).glob("*"):
                        if kept.is_file():
                            kept.unlink()
    for each, ratios in found.items():
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        print(f"{each}: our CPU is {middle:.2f} [{low:.2f} .. {high:.2f}] of its")


if __name__ == "__main__":
    main()
