"""How long the window's own copy of the catalogue takes to answer.

Example: .venv/bin/python -m tests.bench.mirror --sounds 50000
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_shared.models import Change, ChangePage
from sonoteca_shared.query import parse
from tests.kit.catalogue import Maker

_QUESTIONS = (
    "",
    "r",
    "rain",
    '"rain door"',
    "rain OR wind -door",
    "name:rain dur<3",
    "tag:rain",
    "rate>=96k dur<3",
    "is:duplicate",
    "-has:markers sort:-dur",
)
_PAGE = 1_000
_TIMES = 15


def fill(mirror: Mirror, count: int) -> float:
    """Let the mirror follow a feed of so many sounds; the seconds that it took."""
    maker = Maker(1)
    now = datetime.now(UTC)
    spent = 0.0
    for start in range(0, count, _PAGE):
        sounds = [maker.sound() for _ in range(min(_PAGE, count - start))]
        changes = [
            Change(type="sound.created", id=each.id, rev=1, at=now, sound=each) for each in sounds
        ]
        began = time.perf_counter()
        mirror.apply(ChangePage(cursor=str(start), more=True, results=changes))
        spent += time.perf_counter() - began
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", type=int, default=50_000)
    count = parser.parse_args().sounds
    with tempfile.TemporaryDirectory() as folder:
        mirror = Mirror(Path(folder) / "mirror.sqlite")
        print(f"{count} sounds taken in: {fill(mirror, count):.1f} s")
        for question in _QUESTIONS:
            query, times, found = parse(question, local=True), [], 0
            sort = query.sort.removeprefix("-") or "created"
            for _ in range(_TIMES):
                began = time.perf_counter()
                found = len(mirror.keys(query.tree, sort=sort, descending=True))
                times.append((time.perf_counter() - began) * 1000)
            middle = statistics.median(times)
            print(f"{question or '(all)':<24} {found:>7} found {middle:8.1f} ms {max(times):8.1f}")
        mirror.close()


if __name__ == "__main__":
    main()
