"""Kills a desktop, its server, or both at random moments of long transfers, each way in turn.

    .venv/bin/python -m tests.faults.transfers --kills 200 [--segments]

With `--segments` downloads come over several connections, and uploads are left out.
After each kill the journal is looked at, then what was killed starts again. The table at the end
says how many bytes went twice, and every fault.
"""
# ruff: noqa: T201 - it talks to whoever runs it

from __future__ import annotations

import argparse
import hashlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import msgspec
import requests

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal, Row
from sonoteca_desktop.transfers.plan import Kind, State
from sonoteca_desktop.transfers.queue import TransferQueue
from sonoteca_desktop.transfers.segments import Segments
from sonoteca_desktop.transfers.target import part_path
from sonoteca_shared.models import Sound
from sonoteca_shared.ranges import ByteRange, RangeSet
from tests.kit.http import ServerProcess
from tests.kit.proxy import FaultProxy, Passed
from tests.kit.wait import until
from tests.kit.wavs import write_wav

MIB = 1 << 20
SIZE = 200 * MIB
TWICE_AT_MOST = 16 * MIB
_RATE = 64 * MIB
_LONGEST_S = 1.6
_WAYS = {Kind.DOWNLOAD: "GET /data/", Kind.UPLOAD: "PATCH /files/"}
_ENDS = ("desktop", "server", "both")


@dataclass(slots=True)
class Run:
    """What a series of kills has shown."""

    seed: int
    several: bool = False
    kills: dict[str, int] = field(default_factory=dict)
    arrived: int = 0
    twice: list[int] = field(default_factory=list)
    """Bytes that went over the line once more, for each kill."""
    faults: list[str] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """How many kills there were."""
        return sum(self.kills.values())

    def table(self) -> str:
        """Everything that was done and seen, a line each."""
        rows = [("seed", str(self.seed))]
        rows += [(f"kills of {what}", str(count)) for what, count in sorted(self.kills.items())]
        rows.append(("transfers of 200 MiB that arrived", str(self.arrived)))
        steps = (
            statistics.quantiles(self.twice, n=20, method="inclusive")
            if len(self.twice) > 1
            else [0.0] * 19
        )
        shown = [("median", steps[9]), ("19 of 20 under", steps[18]), ("most", max(self.twice))]
        rows += [(f"sent twice, {name}", f"{count / MIB:.1f} MiB") for name, count in shown]
        rows.append(("faults", str(len(self.faults))))
        return "\n".join(f"{name:34} {value:>16}" for name, value in rows)


class Scene:
    """A server, a line to it, and a desktop with one long transfer and some others in its queue."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.run = run
        self.server = ServerProcess(folder / "library", log=folder / "server.log")
        self.line = FaultProxy(self.server.url)
        self.journal = folder / "journal.sqlite"
        self.sounds = folder / "sounds"
        self.sounds.mkdir()
        self.source = write_wav(folder / "long.wav", frames=(SIZE - 44) // 4, seed=run.seed % 1000)
        self.others = [write_wav(folder / f"{number}.wav", seed=number) for number in range(4)]
        self._desktop: subprocess.Popen[bytes] | None = None
        self._known: list[tuple[int, bool]] = []
        self._durable = 0

    def close(self) -> None:
        """End everything."""
        self.kill_desktop()
        self.line.close()
        self.server.kill()

    def order(self, kind: Kind, number: int) -> None:
        """Put the next long transfer into the queue, before some that are paused."""
        # Other bytes each time, or they would be there already.
        with self.source.open("r+b") as file:
            file.seek(SIZE // 2)
            file.write(b"%016d" % number)
        name = f"long{number}.wav"
        journal = Journal(self.journal)
        client = Client(self.line.url)
        queue = TransferQueue(journal, client, changed=lambda: None)
        queue.arrangement.set_several(several=self.run.several)
        if kind is Kind.DOWNLOAD:
            with self.source.open("rb") as body:
                url = f"{self.server.url}/post?name={name}"
                sound = requests.post(url, data=body, timeout=60).json()
            queue.download(msgspec.convert(sound, Sound), self.sounds)
        else:
            queue.upload(self.source, f"take {number}")
        for other in self.others:
            key = queue.upload(other, f"paused {number}")
            queue.pause(key)
        journal.close()
        client.close()
        self._known = [(row.key, row.state is State.PAUSED) for row in self.rows()]
        self._durable = 0

    def rows(self) -> list[Row]:
        """What the journal knows; nobody else may use it now."""
        journal = Journal(self.journal)
        rows = journal.rows("this computer")
        journal.close()
        return rows

    def start_desktop(self) -> None:
        """Start it, if it does not run."""
        if self._desktop is None:
            command = [sys.executable, "-m", "tests.faults.desktop", self.line.url]
            self._desktop = subprocess.Popen([*command, str(self.journal), str(_RATE)])

    def kill_desktop(self) -> None:
        """End it as a crash would."""
        if self._desktop is not None:
            self._desktop.kill()
            self._desktop.wait()
            self._desktop = None

    def kill(self, what: str) -> None:
        """Kill one end or both at once."""
        if what in ("server", "both"):
            self.server.kill()
        if what in ("desktop", "both"):
            self.kill_desktop()
            self.look()
        self.run.kills[what] = self.run.kills.get(what, 0) + 1

    def look(self) -> None:
        """Compare the journal with what it said before, and with the disk."""
        rows = self.rows()
        known = [(row.key, row.state is State.PAUSED) for row in rows]
        if known != self._known:
            self.run.faults.append(f"the queue was {self._known}, and is {known}")
        row = self.long_row(rows)
        if row.state is not State.DONE:
            if row.durable < self._durable:
                self.run.faults.append(f"{row.durable} bytes are safe, {self._durable} were")
            if row.kind is Kind.DOWNLOAD:
                segments = Segments.read(row.segments, size=row.size, safe=row.durable)
                if segments.safe != row.durable:
                    self.run.faults.append(f"the journal contradicts itself: {row.segments}")
                self.compare(part_path(row.path, row.tag), segments.safe_ranges)
        self._durable = row.durable

    def long_row(self, rows: list[Row]) -> Row:
        """The long one of the latest order: it comes before the paused ones."""
        return rows[-1 - len(self.others)]

    def compare(self, part: Path, safe: list[ByteRange]) -> None:
        """What the journal counts is in the part file."""
        if safe and not part.exists():
            count = sum(each.end - each.start for each in safe)
            self.run.faults.append(f"{count} bytes are safe, and {part.name} is gone")
            return
        for each in safe:
            if _digest(part, len(each), each.start) != _digest(self.source, len(each), each.start):
                self.run.faults.append(f"of the safe bytes {each} some are wrong")

    def judge(self, kind: Kind, kills: int, eras: list[list[Passed]]) -> None:
        """Look what came of a transfer, and how many of its bytes went more than once.

        An era is what was asked between two kills.
        """
        self.kill_desktop()
        row = self.long_row(self.rows())
        self.look()
        if row.state is not State.DONE:
            self.run.faults.append(f"it is {row.state}: {row.note}")
            return
        expected = _digest(self.source, SIZE)
        if kind is Kind.DOWNLOAD:
            arrived = _digest(row.path, SIZE)
            row.path.unlink()
        else:
            [sound] = requests.get(f"{self.server.url}/info?folder={row.folder}", timeout=30).json()
            arrived = sound["sha256"]
        if arrived != expected:
            self.run.faults.append(f"{row.path} has other bytes")
        self.run.arrived += 1
        twice = [count for count in again(kind, eras) if count]
        self.run.twice += [*twice, *[0] * (kills - len(twice))]
        if max(twice, default=0) > TWICE_AT_MOST:
            self.run.faults.append(f"{max(twice)} bytes went twice after one kill")

    @property
    def has_ended(self) -> bool:
        """Whether the desktop runs no more: all is over."""
        return self._desktop is None or self._desktop.poll() is not None

    def transfer(self, kind: Kind, number: int, kills: int, chance: random.Random) -> None:
        """Carry out one long transfer and kill what carries it out, so many times at most."""
        self.order(kind, number)
        marks, killed = [len(self.line.passed)], 0
        while killed < kills:
            self.start_desktop()
            time.sleep(chance.uniform(0.3, _LONGEST_S))  # the moment is the experiment
            if self.has_ended:
                break
            what = _ENDS[self.run.killed % len(_ENDS)]
            self.kill(what)
            killed += 1
            marks.append(len(self.line.passed))
            if what != "desktop":
                self.server.start()
        self.start_desktop()
        until(lambda: self.has_ended, seconds=60)
        marks.append(len(self.line.passed))
        self.judge(kind, killed, [self.line.passed[one:other] for one, other in pairwise(marks)])


def _digest(path: Path, count: int, start: int = 0) -> str:
    """The SHA-256 of so many bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        while count > 0 and (block := file.read(min(count, MIB))):
            digest.update(block)
            count -= len(block)
    return digest.hexdigest()


def again(kind: Kind, eras: list[list[Passed]]) -> list[int]:
    """For each era: how many bytes of the long one had been passed before."""
    twice, passed = [], RangeSet()
    for era in eras:
        count = 0
        for each in era:
            if not f"{each.method} {each.path}".startswith(_WAYS[kind]):
                continue
            told = each.fields.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
            start = int(told if kind is Kind.DOWNLOAD else each.fields["Upload-Offset"])
            end = start + (each.received if kind is Kind.DOWNLOAD else each.sent)
            new = sum(len(gap) for gap in passed.missing(start, end))
            passed.add(start, end)
            count += end - start - new
        twice.append(count)
    return twice


def kill_again_and_again(
    folder: Path, *, kills: int, seed: int, several: bool = False, talk: bool = False
) -> Run:
    """Kill either end so many times in transfers of both ways; only of downloads if `several`."""
    run, chance = Run(seed, several), random.Random(seed)
    scene = Scene(folder, run)
    try:
        number = 0
        while run.killed < kills:
            number += 1
            kind = Kind.DOWNLOAD if several else list(_WAYS)[number % 2]
            scene.transfer(kind, number, min(5, kills - run.killed), chance)
            if talk:
                print(f"{run.killed} kills, {len(run.faults)} faults", flush=True)
    finally:
        scene.close()
    return run


def main() -> int:
    """The exit code: 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--segments", action="store_true", help="downloads in segments")
    given = parser.parse_args()
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run = kill_again_and_again(
            Path(folder), kills=given.kills, seed=seed, several=given.segments, talk=True
        )
    print(run.table())
    for fault in run.faults:
        print(f"FAULT: {fault}")
    return 1 if run.faults else 0


if __name__ == "__main__":
    sys.exit(main())
