"""Archives beside nginx with the zip prebuilt, and beside a zip made while it is sent.

All send the same files, in turns within one run, and we one file of that size, too: what an archive
costs more than that is the archive's. Then how soon large archives begin to come.

Example: .venv/bin/python -m tests.bench.zips --zipstream PYTHON 2>/dev/null
(a Python that has zipstream-ng and tornado; left out without it. On stderr is our server's log.)
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import requests
from sqlalchemy import Connection

from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import objects
from tests.bench.download import MB, Peer, free_port, nginx, program
from tests.bench.loads import Figures, measure, resident
from tests.kit.api import Api
from tests.kit.archives import Archiver
from tests.kit.catalogue import fill
from tests.kit.http import ServerProcess, server_process
from tests.kit.wavs import write_wav

FILES = 50
MANY, VERY_MANY = 2_000, 70_000
ZIP = "archive.zip"

ZIPSTREAM = """
import asyncio, sys
from tornado.web import Application, RequestHandler
from zipstream import ZipStream
class Zip(RequestHandler):
    async def get(self):
        zipped = ZipStream.from_path(sys.argv[1], arcname="/", sized=True)
        self.set_header("Content-Length", len(zipped))
        for piece in zipped:
            self.write(piece)
            await self.flush()
async def main():
    Application([("/.*", Zip)], log_function=lambda _: 0).listen(int(sys.argv[2]), "127.0.0.1")
    await asyncio.Event().wait()
asyncio.run(main())
"""


def upload(server: str, folder: Path) -> list[str]:
    """Send the files of a folder; the ids of their sounds."""
    ids = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            answer = requests.post(f"{server}/post?name={path.name}", data=file, timeout=600)
        ids.append(answer.json()["id"])
    return ids


def share(library: Path, folder: Path) -> None:
    """Make the files of a folder those of the library, so that all read the same pages."""
    blobs = {path.stat().st_ino: path for path in (library / "blobs").rglob("*") if path.is_file()}
    for path in folder.iterdir():
        data = path.read_bytes()
        blob = next(b for b in blobs.values() if b.stat().st_size == len(data)
                    and b.read_bytes() == data)  # fmt: skip
        path.unlink()
        os.link(blob, path)


def compare(peers: list[Peer], rounds: int) -> None:
    """Print what a zip costs each server, and how that relates to nginx's."""
    for name, plans in (("1 client", [["", ""]]), ("8 clients", [[""]] * 8)):
        figures: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
        for turn in range(rounds):
            for peer in (*peers[turn % len(peers) :], *peers[: turn % len(peers)]):
                figures[peer.name].append(measure(peer.pid, peer.files[ZIP], plans))
        print(f"\n{FILES} files of 20 MB, {name}", flush=True)
        for peer in peers:
            cpu = [one.cpu_per_gb for one in figures[peer.name]]
            ratios = {
                other: _spread([a / b.cpu_per_gb for a, b in zip(cpu, measured, strict=True)])
                for other, measured in figures.items()
                if other != peer.name
            }
            beside = ", ".join(f"{ratio} of {other}'s" for other, ratio in ratios.items())
            print(f"  {peer.name:12} {statistics.median(cpu):.3f} CPU s/GB: {beside}")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} .. {max(values):.2f}]"


def milliseconds(work: Callable[..., object], *args: object) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work(*args)
    return 1000 * (time.perf_counter() - began)


def first_byte(url: str, asked: str) -> None:
    """Ask on a new connection, and read one byte."""
    headers = {"Range": asked} if asked else {}
    with requests.get(url, stream=True, headers=headers, timeout=60) as answer:
        assert answer.status_code in (200, 206), answer.text
        answer.raw.read(1)


def beginnings(server: ServerProcess, query: str, asked: str = "", rounds: int = 9) -> str:
    """How long it takes to ask for an archive, to its first byte, and to that of another range."""
    archiver = Archiver(server.url)
    took: list[list[float]] = []
    for _ in range(rounds):
        began = time.perf_counter()
        url = archiver.address(archiver.create(query=query))
        create = 1000 * (time.perf_counter() - began)
        took.append([create, *(milliseconds(first_byte, url, asked) for _ in range(2))])
    told = [_spread(column) for column in zip(*took, strict=True)]
    return "create {} ms, first byte {} ms, of the next request {} ms".format(*told)


def large_archives(folder: Path) -> None:
    """Print how soon archives of many files begin."""
    with server_process(folder / "many") as server:
        api = Api(server.url)
        for seed in range(MANY):
            api.upload(seed)
        print(f"\n{MANY} files: {beginnings(server, 'wav')}", flush=True)
    (folder / "very-many").mkdir()
    catalog = home_of("sqlite", folder / "very-many").open()
    asyncio.run(catalog.write(_fill, VERY_MANY))
    catalog.close()
    with server_process(folder / "very-many") as server:
        before = resident(server.pid)
        told = beginnings(server, "", "bytes=0-10", rounds=3)
        print(f"{VERY_MANY} files: {told}; RSS +{resident(server.pid) - before:.0f} MiB")


def _fill(connection: Connection, count: int) -> None:
    """Sounds without bytes, whose checksums seem to be known."""
    fill(connection, count)
    connection.execute(objects.update().values(crc32=objects.c.seq))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--zipstream", help="a Python that has zipstream-ng and tornado")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        root = folder / "files"
        for seed in range(FILES):
            write_wav(root / f"{seed:02d}.wav", bits=24, frames=20 * MB // 6, seed=seed)
        ours = stack.enter_context(server_process(folder / "library"))
        archiver = Archiver(ours.url)
        url = archiver.address(archiver.create(sounds=upload(ours.url, root)))
        prebuilt = folder / "prebuilt"
        prebuilt.mkdir()
        (prebuilt / ZIP).write_bytes(requests.get(url, timeout=600).content)
        share(folder / "library", root)
        peer = stack.enter_context(nginx(folder / "nginx", prebuilt))
        place = next(iter(peer.files.values())).rpartition("/")[0]
        peers = [Peer("nginx", peer.pid, {ZIP: f"{place}/{ZIP}"})]
        peers.append(Peer("sonoteca", ours.pid, {ZIP: url}))
        write_wav(folder / "one" / "one.wav", bits=24, frames=FILES * 20 * MB // 6, seed=FILES)
        (one,) = upload(ours.url, folder / "one")
        file = f"{ours.url}/api/v1/sounds/{one}/file"
        peers.append(Peer("one file", ours.pid, {ZIP: file}))
        if given.zipstream:
            port = free_port()
            command = [given.zipstream, "-c", ZIPSTREAM, str(root), str(port)]
            pid = stack.enter_context(program("zipstream-ng", command, port)).pid
            peers.append(Peer("zipstream-ng", pid, {ZIP: f"http://127.0.0.1:{port}/"}))
        compare(peers, given.rounds)
        large_archives(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
