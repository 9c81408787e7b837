"""Cuts the power of a busy server at random moments, on disks of three kinds.

    .venv/bin/python -m tests.faults.powercut --moments 40

A server works under strace. Its file-system calls are done again on a remembered disk, up to a
moment; what the cut leaves of that is written into a folder, and a server is started on it. All
that was answered before the moment must be there. Of the answers' time the clients are witnesses.
"""
# ruff: noqa: T201 - it talks to whoever runs it

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from sonoteca_shared.errors import SonotecaError
from tests.faults import trace
from tests.faults.checker import Checker, Verdict
from tests.faults.disk import MODELS, Disk
from tests.faults.kills import PROGRAM
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.faults.replay import Replay
from tests.kit.http import ServerProcess, serve


@dataclass(slots=True)
class Cuts:
    """What a series of cuts has shown."""

    seed: int
    calls: int = 0
    moments: int = 0
    answered: int = 0
    most: int = 0  # of what was answered before a cut
    verdict: Verdict = field(default_factory=Verdict)

    def table(self) -> str:
        """Everything that was done and looked at, a line each."""
        rows = [
            ("seed", self.seed),
            ("calls that changed the disk", self.calls),
            ("moments", self.moments),
            ("disks", len(MODELS)),
            ("answered changes", self.answered),
            ("of them before the latest cut", self.most),
            *((f"checked: {k}", n) for k, n in sorted(self.verdict.checked.items())),
            ("faults", len(self.verdict.faults)),
        ]
        return "\n".join(f"{name:34} {value:>12}" for name, value in rows)


def record(folder: Path, log: Path, *, seed: int, seconds: float, program: str) -> Ledger:
    """Let clients work with a server under strace for a while, then kill it."""
    ledger = Ledger()
    server = ServerProcess(folder, program=program, wrapper=trace.command(log))
    try:
        with Load(server.url, ledger, seed=seed):
            time.sleep(seconds)  # as long as it takes to have enough to cut
    finally:
        server.kill()
    return ledger


def cut_again_and_again(
    work: Path, *, moments: int, seed: int, seconds: float, program: str = PROGRAM
) -> Cuts:
    """Record once, and cut at so many moments on each kind of disk."""
    cuts, chance = Cuts(seed), random.Random(seed)
    library, log = work / "library", work / "calls.txt"
    library.mkdir()
    ledger = record(library, log, seed=seed, seconds=seconds, program=program)
    cuts.verdict.faults += ledger.faults
    disk = Disk(library)
    replay = Replay(disk)
    calls = [call for call in trace.read(log) if replay.matters(call)]
    cuts.calls, cuts.answered = len(calls), ledger.as_of(time.time()).settled_changes()
    chosen = set(chance.sample(range(len(calls)), min(moments, len(calls))))
    for number, call in enumerate(calls):
        if number in chosen:
            # The first call that is not done any more: what was answered earlier, was before it.
            before = ledger.as_of(call.at)
            cuts.moments += 1
            cuts.most = max(cuts.most, before.settled_changes())
            for model in MODELS:
                left = work / f"{number}-{model}"
                disk.cut(left, model, random.Random(f"{seed} {number} {model}"))
                look(left, before.as_of(call.at), cuts.verdict, f"{model} disk, call {number}")
        replay.do(call)
    return cuts


def look(folder: Path, ledger: Ledger, verdict: Verdict, where: str) -> None:
    """Start a server on what a cut has left, and compare."""
    known = len(verdict.faults)
    try:
        with serve(folder) as server:
            Checker(server, folder, ledger, verdict).check(everything=True)
    except (SonotecaError, OSError) as error:
        verdict.faults.append(f"it does not start: {error}")
    verdict.faults[known:] = [f"{where}: {fault}" for fault in verdict.faults[known:]]


def main() -> int:
    """The exit code: 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as work:
        cuts = cut_again_and_again(
            Path(work), moments=given.moments, seed=seed, seconds=given.seconds
        )
    print(cuts.table())
    for fault in cuts.verdict.faults:
        print(f"FAULT: {fault}")
    return 1 if cuts.verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
