"""What a transfer costs the client: our program beside curl and aria2c, in turns within one run.

    .venv/bin/python -m tests.bench.client [--folder FOLDER ON TMPFS] [--megabytes 500]

Downloads come from nginx. Ours are checked against their SHA-256, those of the others are not,
unless it says so. Uploads go to a server of ours; ours are hashed before they are sent, and can be
resumed. What counts is the ratio of processor time within a round: of the whole program, its start
included, and of the work alone. One connection is compared with several over a line that gives
each of them little.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.bench.download import SMALL, nginx
from tests.kit.http import server_process
from tests.kit.throttle import line
from tests.kit.wavs import write_wav

MB = 1_000_000
COPY = "copy.bin"
NARROW = 10 * MB
SONOTECA = (sys.executable, "-m", "sonoteca_desktop")

# The command after all that it needs was loaded; it tells what it took from there on.
WORK = """
import sys, time
from sonoteca_desktop.shell.commands import run
began = time.process_time()
code = run(sys.argv[1:])
print(time.process_time() - began)
sys.exit(code)
"""
# An upload of which the hash is known.
SENDING = """
import sys, time
from pathlib import Path
from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.source import Source, stamp
from sonoteca_desktop.transfers.upload import Begun, Offer, Upload
url, path = sys.argv[1], Path(sys.argv[2])
ignore = lambda *told: True
control = Control(Bandwidth(), progressed=ignore, committed=ignore, stepping=ignore)
begun = Begun(Source(path).digest(control), str(stamp(path)))
began = time.process_time()
Upload(Client(url), Offer(path, path.name, ""), begun, control, ignore).run()
print(time.process_time() - began)
"""


@dataclass(frozen=True)
class Cost:
    """What one run of a program took."""

    seconds: float
    cpu: float


def run(command: list[str]) -> Cost:
    """Run a program to its end; its time, and that of its processor."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(time.monotonic() - began, used.ru_utime + used.ru_stime)


def run_work(code: str, *words: str) -> Cost:
    """Run a script of the above; its time, and the processor time that it tells."""
    began = time.monotonic()
    told = subprocess.run(
        [sys.executable, "-c", code, *words], check=True, stdout=subprocess.PIPE, text=True
    )
    return Cost(time.monotonic() - began, float(told.stdout.split()[-1]))


def run_both(one: list[str], other: list[str]) -> Cost:
    """Run one program after the other; what they took together."""
    first, second = run(one), run(other)
    return Cost(first.seconds + second.seconds, first.cpu + second.cpu)


def compare(ways: Mapping[str, Callable[[], Cost]], rounds: int, megabytes: int) -> None:
    """Print what each way costs, and how that relates to the first one."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(rounds):
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            costs[name].append(ways[name]())
    for name, measured in costs.items():
        pairs = list(zip(measured, costs[names[0]], strict=True))
        cpu = [one.cpu / anchor.cpu for one, anchor in pairs]
        rate = [anchor.seconds / one.seconds for one, anchor in pairs]
        absolute = statistics.median(each.cpu for each in measured) * 1000 / megabytes
        print(f"  {name:22} CPU {_spread(cpu)}  rate {_spread(rate)}  {absolute:.2f} CPU s/GB")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} .. {max(values):.2f}]"


def downloads(
    folder: Path, url: str, sha256: str, size: int
) -> Iterator[tuple[str, Callable[[], Cost]]]:
    """The ways to download; `curl -o` first."""
    to = str(folder / COPY)
    curl = ["curl", "-sf", "-o", to, url]
    pull = ["pull", url, "--sha256", sha256, "--size", str(size), "--to", to]
    pull += ["--data", str(folder / "home")]
    yield "curl -o", lambda: run(curl)
    yield "curl, then openssl", lambda: run_both(curl, ["openssl", "dgst", "-sha256", to])
    yield "sonoteca pull", lambda: run([*SONOTECA, *pull])
    yield "its work alone", lambda: run_work(WORK, *pull)
    if not shutil.which("aria2c"):
        print("aria2c is not installed (Debian package aria2): left out")
        return
    aria = ["aria2c", "-q", "--file-allocation=none", "-d", str(folder), "-o", COPY, url]
    yield "aria2c -x1", lambda: run([*aria, "-x1"])
    yield "aria2c -x4", lambda: run([*aria, "-x4", "-s4"])


def measure_downloads(folder: Path, file: Path, rounds: int) -> None:
    """Print what downloads cost."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    size = file.stat().st_size

    def anew(way: Callable[[], Cost]) -> Cost:
        (folder / COPY).unlink(missing_ok=True)
        return way()

    with nginx(folder / "nginx", file.parent) as peer:
        url = peer.files[SMALL].replace(SMALL, file.name)
        print(f"Download of {size // MB} MB from nginx")
        ways = {name: partial(anew, way) for name, way in downloads(folder, url, sha256, size)}
        compare(ways, rounds, size // MB)
    (folder / COPY).unlink()


def measure_segments(folder: Path, file: Path, rounds: int) -> None:
    """Print how fast a download is over one connection and over four, each of them narrow."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    size = file.stat().st_size
    to = folder / COPY
    words = ["--sha256", sha256, "--size", str(size), "--to", str(to), "--data", str(folder / "h")]
    print(f"Download of {size // MB} MB, {NARROW // MB} MB/s for each connection")
    with nginx(folder / "nginx", file.parent) as peer:
        path = peer.files[SMALL].replace(SMALL, file.name)
        with line(path, each=NARROW) as narrow:
            url = urlsplit(path)._replace(netloc=urlsplit(narrow.url).netloc).geturl()
            for name, more in (("one", []), ("several", ["--segments"])):
                taken = []
                for _ in range(rounds):
                    to.unlink(missing_ok=True)
                    cost = run([*SONOTECA, "pull", url, *words, *more])
                    taken.append(size / MB / cost.seconds)
                print(f"  {name:22} {_spread(taken)} MB/s, {narrow.sent / size / rounds:.2f} sent")
                narrow.sent = 0
    to.unlink()


def measure_uploads(folder: Path, file: Path, rounds: int) -> None:
    """Print what uploads cost."""

    def curl(url: str) -> Cost:
        return run(["curl", "-sf", "-H", "Expect:", "-X", "POST", "-T", str(file), f"{url}/post"])

    def push(url: str) -> Cost:
        words = ["push", str(file), "--server", url, "--data", str(folder / "home")]
        return run([*SONOTECA, *words])

    def send(url: str) -> Cost:
        return run_work(SENDING, url, str(file))

    def anew(way: Callable[[str], Cost]) -> Cost:
        with file.open("r+b") as out:  # other bytes, so that nothing is known already
            out.seek(1_000)
            out.write(os.urandom(16))
        try:
            with server_process(folder / "library", log=folder / "server.log") as server:
                return way(server.url)
        finally:
            shutil.rmtree(folder / "library")

    size = file.stat().st_size
    print(f"Upload of {size // MB} MB to our server")
    named = {"curl -T": curl, "sonoteca push": push, "its sending alone": send}
    compare({name: partial(anew, way) for name, way in named.items()}, rounds, size // MB)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="/dev/shm", help="on a memory file system")
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--segments", action="store_true", help="measure several connections alone")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        frames = given.megabytes * MB // 4
        file = write_wav(folder / "files" / "file.wav", frames=frames, channels=2, bits=16)
        if not given.segments:
            measure_downloads(folder, file, given.rounds)
            measure_uploads(folder, file, given.rounds)
        measure_segments(folder, file, given.rounds)


if __name__ == "__main__":
    main()
