"""Downloads beside nginx, and beside other servers in Python: bytes a second, and what they cost.

All serve the same file, in turns within one run. nginx is run with its best settings for this.

Example: .venv/bin/python -m tests.bench.download --starlette PYTHON 2>/dev/null
(a Python that has starlette and uvicorn; left out without it. On stderr is our server's log.)
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.bench.loads import Client, Figures, drive, kernel_memory, measure, resident
from tests.kit.http import server_process
from tests.kit.wavs import write_wav

MB = 1_000_000
SMALL, LARGE = "small.wav", "large.wav"

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush off; keepalive_requests 100000000;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{port}; location / {{ root {root}; }} }}
}}
"""

STATIC = """
import asyncio, sys
from tornado.web import Application, StaticFileHandler
async def main():
    files = (r"/(.*)", StaticFileHandler, {"path": sys.argv[1]})
    Application([files], log_function=lambda _: 0).listen(int(sys.argv[2]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
"""

STARLETTE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import FileResponse
from starlette.routing import Route
async def file(request):
    return FileResponse(sys.argv[1] + "/" + request.path_params["name"])
app = Starlette(routes=[Route("/{name:path}", file)])
uvicorn.run(app, port=int(sys.argv[2]), log_level="critical", access_log=False)
"""


@dataclass(frozen=True)
class Peer:
    """A server that runs."""

    name: str
    pid: int
    files: dict[str, str]
    """The URLs of the files."""


@dataclass(frozen=True)
class Load:
    """What is asked of each server."""

    name: str
    file: str
    plans: Callable[[], Sequence[Sequence[str]]]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def program(name: str, command: list[str], port: int) -> Iterator[Peer]:
    """A server process that listens on a port, ended when the block is left."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        files = {each: f"http://127.0.0.1:{port}/{each}" for each in (SMALL, LARGE)}
        yield Peer(name, process.pid, files)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def nginx(folder: Path, root: Path) -> Iterator[Peer]:
    """Nginx with one worker, serving a folder."""
    port = free_port()
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, root=root))
    with program("nginx", ["nginx", "-c", str(config), "-p", str(folder)], port) as peer:
        yield peer


def python_peer(
    name: str, python: str, code: str, root: Path
) -> contextlib.AbstractContextManager[Peer]:
    """A server in Python, serving a folder."""
    port = free_port()
    return program(name, [python, "-c", code, str(root), str(port)], port)


def post(url: str, path: Path) -> str:
    """Send a file to Sonoteca; the address of its bytes."""
    with path.open("rb") as file:
        answer = requests.post(f"{url}/post?name={path.name}", data=file, timeout=600)
    address: str = answer.json()["links"]["file"]
    return address


def loads(small: int) -> list[Load]:
    """One client and a large file, many and a small one, and many small ranges."""

    def ranges() -> list[str]:
        places = (random.randrange(small - (64 << 10)) for _ in range(200))
        return [f"bytes={at}-{at + (64 << 10) - 1}" for at in places]

    return [
        Load("1 client", LARGE, lambda: [[""] * 2]),
        Load("16 clients", SMALL, lambda: [[""] * 8] * 16),
        Load("100 clients", SMALL, lambda: [[""]] * 100),
        Load("64 KiB ranges, 16 clients", SMALL, lambda: [ranges() for _ in range(16)]),
    ]


def compare(peers: Sequence[Peer], rounds: int, small: int) -> None:
    """Print, for each load and server, its figures and how they relate to nginx's."""
    for load in loads(small):
        figures: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
        for turn in range(rounds):
            for peer in (*peers[turn % len(peers) :], *peers[: turn % len(peers)]):
                figures[peer.name].append(measure(peer.pid, peer.files[load.file], load.plans()))
        print(f"\n{load.name}", flush=True)
        for name, measured in figures.items():
            print(f"  {name:12}{_row(measured, figures['nginx'])}")


def _row(measured: Sequence[Figures], anchor: Sequence[Figures]) -> str:
    pairs = list(zip(measured, anchor, strict=True))
    rate = [one.rate / other.rate for one, other in pairs]
    cpu = [one.cpu_per_gb / other.cpu_per_gb for one, other in pairs]
    absolute = statistics.median(one.cpu_per_gb for one in measured)
    request = statistics.median(1e6 * one.cpu / one.requests for one in measured)
    return (
        f"throughput {_spread(rate)}  CPU {_spread(cpu)}  "
        f"{absolute:.3f} CPU s/GB  {request:.0f} us CPU a request"
    )


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} .. {max(values):.2f}]"


def memory(peer: Peer) -> None:
    """Print what 100 downloads at once, and 250 clients that read nothing, take in memory."""
    before = resident(peer.pid)
    clients = [Client(peer.files[LARGE], [""]) for _ in range(100)]
    buffer = bytearray(4 << 20)
    for _ in range(20):
        for client in clients:
            client.read(buffer)
    print(f"\nRSS: {before:.0f} MiB idle, {resident(peer.pid):.0f} MiB within 100 downloads")
    for client in clients:
        client.sock.close()
    kernel = kernel_memory()
    clients = [Client(peer.files[LARGE], [""]) for _ in range(250)]
    time.sleep(3)
    each = (kernel_memory() - kernel) / len(clients)
    began = time.monotonic()
    drive([Client(peer.files[SMALL], [""])])
    took = 1000 * (time.monotonic() - began)
    print(f"{each:.2f} MiB of kernel memory (both ends) for each of 250 clients that do not read")
    print(f"20 MB for another client meanwhile: {took:.0f} ms")
    for client in clients:
        client.sock.close()


def cold(peer: Peer, blob: Path, light: str) -> None:
    """Print how long others wait during four downloads that have to come from the disk."""
    fd = os.open(blob, os.O_RDONLY)
    os.fsync(fd)
    waits: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            while not stop.is_set():
                began = time.monotonic()
                session.head(light, timeout=60)
                waits.append(1000 * (time.monotonic() - began))
                stop.wait(0.01)

    asker = threading.Thread(target=ask)
    size = os.fstat(fd).st_size
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    asker.start()
    began = time.monotonic()
    drive([Client(peer.files[LARGE], [f"bytes={n * size // 4}-{(n + 1) * size // 4 - 1}"])
           for n in range(4)])  # fmt: skip
    took = time.monotonic() - began
    stop.set()
    asker.join()
    os.close(fd)
    waits.sort()
    p99 = waits[int(0.99 * len(waits))]
    print(f"4 cold downloads from {peer.name}: {size / took / 1e6:.0f} MB/s")
    p50 = statistics.median(waits)
    print(f"  a HEAD of something else meanwhile: p50 {p50:.1f}, p99 {p99:.1f} ms")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starlette", help="a Python that has starlette and uvicorn")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        root = folder / "files"
        write_wav(root / SMALL, bits=24, frames=20 * MB // 6)
        write_wav(root / LARGE, bits=24, frames=1000 * MB // 6, seed=2)
        ours = stack.enter_context(server_process(folder / "library"))
        files = {each: ours.url + post(ours.url, root / each) for each in (SMALL, LARGE)}
        for blob in (folder / "library" / "blobs").rglob("*"):
            for path in root.iterdir():
                if blob.is_file() and blob.stat().st_size == path.stat().st_size:
                    # One file for all, so that all read the same pages.
                    path.unlink()
                    os.link(blob, path)
        peers = [
            stack.enter_context(nginx(folder / "nginx", root)),
            Peer("sonoteca", ours.pid, files),
            stack.enter_context(python_peer("Tornado", sys.executable, STATIC, root)),
        ]
        if given.starlette:
            peers.append(
                stack.enter_context(python_peer("starlette", given.starlette, STARLETTE, root))
            )
        compare(peers, given.rounds, (root / SMALL).stat().st_size)
        memory(peers[1])
        cold(peers[0], root / LARGE, peers[0].files[SMALL])
        cold(peers[1], root / LARGE, f"{ours.url}/healthz")
    return 0


if __name__ == "__main__":
    sys.exit(main())
