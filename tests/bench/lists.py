"""What a list of 100 sounds costs the server: processor time of its process for each request.

    .venv/bin/python -m tests.bench.lists [--count N] [--peer PYTHON]

`--peer` names a Python that has starlette and uvicorn; it then serves the same sounds from the same
file the usual way, rows made into dictionaries and those into JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from sonoteca_server.catalog.engines import FILE
from tests.bench.million import build
from tests.kit.catalogue import stand_in
from tests.kit.http import server_process
from tests.kit.wait import until

REQUESTS = 200
ROUNDS = 5
PEER = '''
import json, sqlite3, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

catalog = sqlite3.connect(sys.argv[1], check_same_thread=False)
catalog.row_factory = sqlite3.Row
COLUMNS = """id rev folder name size duration samplerate bitdepth channels format container
    audio_sha256 description license rating uploaded_by recorded created""".split()
QUERY = f"""SELECT {','.join(COLUMNS)} FROM sounds WHERE trashed IS NULL
    ORDER BY created, id LIMIT 100"""

async def sounds(request):
    return JSONResponse([dict(row) for row in catalog.execute(QUERY)])

server = uvicorn.Config(Starlette(routes=[Route("/sounds", sounds)]), port=0, log_level="warning")
sockets = server.bind_socket()
print("http://127.0.0.1:%d" % sockets.getsockname()[1], flush=True)
uvicorn.Server(server).run([sockets])
'''


def processor_ns(pid: int) -> int:
    """The processor time that all threads of a process have had."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def cost(pid: int, address: str, path: str) -> tuple[float, float, float, int]:
    """Microseconds a request (median, least, most of the rounds), and the bytes of an answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    size = 0

    def ask(times: int) -> None:
        nonlocal size
        for _ in range(times):
            connection.request("GET", path)
            answer = connection.getresponse()
            size = len(answer.read())
            assert answer.status == 200, path

    ask(REQUESTS // 2)
    rounds = []
    for _ in range(ROUNDS):
        before = processor_ns(pid)
        ask(REQUESTS)
        rounds.append((processor_ns(pid) - before) / REQUESTS / 1_000)
    connection.close()
    return statistics.median(rounds), min(rounds), max(rounds), size


def report(name: str, pid: int, address: str, path: str) -> None:
    middle, least, most, size = cost(pid, address, path)
    print(f"{name:34}{middle:7.0f} us [{least:.0f} .. {most:.0f}] {size:9,} bytes", flush=True)


@contextlib.contextmanager
def peer(python: str, file: Path) -> Iterator[tuple[int, str]]:
    """The peer's process and its address."""
    command = [python, "-c", PEER, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            until(lambda: _answers(address))
            yield process.pid, address
        finally:
            process.terminate()


def _answers(address: str) -> bool:
    """Whether somebody listens there yet."""
    with contextlib.suppress(ConnectionRefusedError):
        parts = urlsplit(address)
        socket.create_connection((parts.hostname, parts.port)).close()
        return True
    return False


def deep_cursor(address: str) -> str:
    """The path of a page in the middle of the list."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc)
    path = "/api/v1/sounds?page_size=1000"
    for _ in range(5):
        connection.request("GET", path)
        path = json.loads(connection.getresponse().read())["next"]
    connection.close()
    return path.replace("page_size=1000", "page_size=100")


def main() -> None:
    parser = argparse.ArgumentParser(description="Processor time of a list of 100 sounds.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--peer", help="a Python with starlette and uvicorn")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build("sqlite", folder, given.count, seed=1)
        stand_in(folder)
        print()
        with server_process(folder) as server:
            for name, path in (
                ("nothing but an answer", "/healthz"),
                ("100 names", "/list?page_size=100"),
                ("100 sounds, /info", "/info?page_size=100"),
                ("100 sounds with their count", "/api/v1/sounds"),
                ("… in the middle of the list", deep_cursor(server.url)),
                ("… that match", "/api/v1/sounds?samplerate=48000&sort=name"),
            ):
                report(name, server.pid, server.url, path)
        if given.peer:
            with peer(given.peer, folder / FILE) as (pid, address):
                report("starlette and json", pid, address, "/sounds")


if __name__ == "__main__":
    main()
