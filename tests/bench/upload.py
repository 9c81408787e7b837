"""Uploads on a memory file system: time and CPU beside nginx's PUT followed by openssl's SHA-256.

    .venv/bin/python -m tests.bench.upload [FOLDER ON TMPFS]

Both take the same file from curl, in turn; what counts is the ratio within
a round. nginx keeps the bytes alone, ours hashes them as they come and knows them by their content.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from tests.kit.http import ServerProcess, server_process
from tests.kit.tus import BYTES, create, offset, open_patch, reset
from tests.kit.wait import until
from tests.kit.wavs import write_wav

SIZE = 500_000_000
ROUNDS = 3
TICKS = os.sysconf("SC_CLK_TCK")
PORT = 18_283
NGINX = """
worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; client_max_body_size 0;
  client_body_buffer_size 1m;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; location / {{ dav_methods PUT; }} }}
}}
"""


def cpu_of(pid: int) -> float:
    """Seconds of CPU that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def most_memory(pid: int) -> float:
    """The most that the process ever held, in MiB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def curl(method: str, url: str, file: Path, *headers: str) -> None:
    """Send a file."""
    fields = [word for header in ("Expect:", *headers) for word in ("-H", header)]
    command = ["curl", "-sS", "-f", "-o", "/dev/null", "-X", method, "-T", str(file), *fields, url]
    subprocess.run(command, check=True)


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """nginx with its dav module; the id of its worker."""
    for name in ("www", "body"):
        (folder / name).mkdir(parents=True)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=PORT))
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    with subprocess.Popen(command) as master:
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children")
        try:
            yield int(until(lambda: children.read_text().split())[0])
        finally:
            master.terminate()


def measure(pid: int, run: Callable[[], None]) -> tuple[float, float]:
    """Seconds, and seconds of CPU of the process and of programs that were waited for."""
    before, began = cpu_of(pid), time.monotonic()
    run()
    return time.monotonic() - began, cpu_of(pid) - before


def anchor(pid: int, file: Path, folder: Path) -> tuple[float, float]:
    """PUT into nginx, then openssl over what it kept."""

    def run() -> None:
        curl("PUT", f"http://127.0.0.1:{PORT}/file", file)

    took, cpu = measure(pid, run)
    used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    digest = ["openssl", "dgst", "-sha256", str(folder / "www" / "file")]
    subprocess.run(digest, check=True, stdout=subprocess.DEVNULL)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    took += time.monotonic() - began
    return took, cpu + now.ru_utime - used.ru_utime + now.ru_stime - used.ru_stime


def tus(server: ServerProcess, file: Path) -> None:
    """One upload that could be resumed."""
    url = create(server.url, file.stat().st_size)
    curl("PATCH", url, file, "Tus-Resumable: 1.0.0", "Upload-Offset: 0",
         f"Content-Type: {BYTES['Content-Type']}")  # fmt: skip


def settled(server: ServerProcess) -> bool:
    """Whether no waveform is being computed any more."""
    sounds = requests.get(f"{server.url}/info", timeout=30).json()
    return all(sound["links"]["peaks"] for sound in sounds)


WAYS: dict[str, Callable[[ServerProcess, Path], None]] = {
    "PUT /data": lambda server, file: curl("PUT", f"{server.url}/data/main", file),
    "POST /post": lambda server, file: curl("POST", f"{server.url}/post", file),
    "tus PATCH": tus,
}


def ratios(folder: Path, file: Path) -> None:
    """Print, for each way in, how it compares with nginx and openssl."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    anchors = []
    with nginx(folder / "nginx") as worker:
        for number in range(ROUNDS):
            for name, send in WAYS.items():
                with file.open("r+b") as out:  # other bytes, so that nothing is known already
                    out.seek(1_000)
                    out.write(os.urandom(16))
                with server_process(folder / f"{name.split()[0]}{number}") as server:
                    base = anchor(worker, file, folder / "nginx")
                    ours = measure(server.pid, lambda: send(server, file))  # noqa: B023
                    found[name].append((base[0] / ours[0], ours[1] / base[1]))
                    anchors.append(base)
                    until(lambda: settled(server), seconds=60)
                shutil.rmtree(folder / f"{name.split()[0]}{number}")
    gigabytes = SIZE / 1e9
    seconds = statistics.median(base[1] for base in anchors) / gigabytes
    print(f"nginx and openssl: {seconds:.2f} s of CPU a GB")
    for name, pairs in found.items():
        for what, values in zip(("rate", "CPU"), zip(*pairs, strict=True), strict=True):
            low, middle, high = min(values), statistics.median(values), max(values)
            print(f"{name}: {what} {middle:.2f} [{low:.2f} .. {high:.2f}]")


def memory(folder: Path, file: Path) -> None:
    """Print what eight uploads at once take."""
    with server_process(folder / "eight") as server:
        before = most_memory(server.pid)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: tus(server, file), range(8)))
        after = most_memory(server.pid)
    shutil.rmtree(folder / "eight")
    print(f"memory: {before:.0f} MiB before, {after:.0f} MiB at most with 8 uploads at once")


def breaks(folder: Path) -> None:
    """Print how many bytes that had arrived were gone after lines were cut."""
    lost = cuts = 0
    with server_process(folder / "breaks") as server:
        for count in range(1, 3_000_000, 150_001):
            for end in (None, reset):
                url = create(server.url, 5_000_000)
                with open_patch(url, 0, 5_000_000) as line:
                    line.sendall(bytes(count))
                    time.sleep(0.05)  # what a reset finds in the kernel never arrived
                    if end is not None:
                        end(line)
                cuts += 1
                lost += count - offset(url)
    print(f"breaks: {lost} bytes lost in {cuts} cuts by FIN and RST")


def main() -> None:
    """Make the files and print every figure."""
    tmpfs = sys.argv[1] if len(sys.argv) > 1 else "/dev/shm"
    with tempfile.TemporaryDirectory(dir=tmpfs) as name:
        folder = Path(name)
        file = write_wav(folder / "file.wav", frames=SIZE // 4, channels=2, bits=16)
        ratios(folder, file)
        memory(folder, file)
        breaks(folder)


if __name__ == "__main__":
    main()
