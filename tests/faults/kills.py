"""Kills a busy server at random moments, starts it again, and looks what became of its answers.

    .venv/bin/python -m tests.faults.kills --kills 200

Some kills come while it starts. The table at the end says what was checked, and every fault.
"""
# ruff: noqa: T201 - it talks to whoever runs it

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checker import Checker, Verdict
from tests.faults.ledger import Ledger
from tests.faults.load import Load
from tests.kit.http import ServerProcess

PROGRAM = "tests.faults.server"
_LONGEST_S = 1.2
_AT_START = 0.2  # how many of the kills come while the server starts


@dataclass(slots=True)
class Run:
    """What a series of kills has shown."""

    seed: int
    kills: int = 0
    ledger: Ledger = field(default_factory=Ledger)
    verdict: Verdict = field(default_factory=Verdict)
    ready_s: list[float] = field(default_factory=list)

    def table(self) -> str:
        """Everything that was done and looked at, a line each."""
        rows = [("seed", str(self.seed)), ("kills", str(self.kills))]
        rows += [(f"answered: {k}", str(n)) for k, n in sorted(self.ledger.answered.items())]
        rows += [(f"checked: {k}", str(n)) for k, n in sorted(self.verdict.checked.items())]
        middle, most = statistics.median(self.ready_s), max(self.ready_s)
        rows.append(("ready again, median and most", f"{middle:.2f} s, {most:.2f} s"))
        rows.append(("faults", str(len(self.verdict.faults))))
        return "\n".join(f"{name:34} {value:>16}" for name, value in rows)


def kill_again_and_again(folder: Path, *, kills: int, seed: int, talk: bool = False) -> Run:
    """Kill the server of this folder so many times, and check it after each."""
    run, chance = Run(seed), random.Random(seed)
    server = ServerProcess(folder, program=PROGRAM, log=folder / "server.log")
    try:
        while run.kills < kills:
            with Load(server.url, run.ledger, seed=chance.getrandbits(32)):
                time.sleep(chance.uniform(0.02, _LONGEST_S))  # the moment is the experiment
                server.kill()
            run.kills += 1
            while run.kills < kills and chance.random() < _AT_START:
                server.launch()
                time.sleep(chance.uniform(0, 0.8))
                server.kill()
                run.kills += 1
            began = time.monotonic()
            server.start()
            run.ready_s.append(time.monotonic() - began)
            everything = run.kills >= kills
            checker = Checker(server.url, folder, run.ledger, run.verdict)
            checker.check(everything=everything)
            if talk:
                print(f"{run.kills} kills, {len(run.verdict.faults)} faults", flush=True)
    finally:
        server.kill()
    return run


def main() -> int:
    """The exit code: 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = random.SystemRandom().getrandbits(32) if given.seed is None else given.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run = kill_again_and_again(Path(folder), kills=given.kills, seed=seed, talk=True)
    print(run.table())
    for fault in run.verdict.faults:
        print(f"FAULT: {fault}")
    return 1 if run.verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
