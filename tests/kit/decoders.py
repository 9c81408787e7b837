"""Decoders that crash for real, or wait; and a server that has one of them.

`python -m tests.kit.decoders FOLDER` does what `sonoteca_server.jobs.decoder` does, except: it
crashes on sounds of CRASHES hertz, the first time on those of CRASHES_ONCE, each crash a line in
FOLDER/crashes; and it does not go on while there is a file FOLDER/gate.

`python -m tests.kit.decoders serve --data DIR …` is a server with this decoder, DIR its folder, and
so is `worker` a worker.
"""

from __future__ import annotations

import ctypes
import sys
import time
from functools import partial
from pathlib import Path

import soundfile

from sonoteca_server.jobs import decoder
from sonoteca_server.jobs.decoding import Decoder
from sonoteca_shared.models import Loudness

CRASHES, CRASHES_ONCE = 7_777, 5_555


def made_for(folder: Path) -> Decoder:
    """The decoder of this folder."""
    return Decoder([sys.executable, "-m", "tests.kit.decoders", str(folder)])


def crashes(folder: Path) -> int:
    """How often it has crashed."""
    note = folder / "crashes"
    return len(note.read_text().splitlines()) if note.exists() else 0


def analyse(folder: Path, source: Path, target: Path | None) -> Loudness:
    """As the decoder does, if this process lives."""
    while (folder / "gate").exists():
        time.sleep(0.02)
    rate = soundfile.info(str(source)).samplerate
    if rate == CRASHES or (rate == CRASHES_ONCE and not crashes(folder)):
        with (folder / "crashes").open("a") as note:
            note.write("crash\n")
        ctypes.string_at(0)  # reads what is nobody's: a segmentation fault
    return decoder.analyse(source, target)


def main() -> None:
    """Serve, work or decode."""
    if sys.argv[1] not in ("serve", "worker"):
        decoder.main(partial(analyse, Path(sys.argv[1])))
        return
    # Only here: a decoder that knew the server would be slow to start again.
    from sonoteca_server import __main__ as program
    from sonoteca_server import app, workers
    from sonoteca_server.jobs.analysis import Analysis

    folder = Path(sys.argv[sys.argv.index("--data") + 1])
    for module in (app, workers):
        vars(module)["Analysis"] = partial(Analysis, decoder=made_for(folder))
    program.main()


if __name__ == "__main__":
    main()
