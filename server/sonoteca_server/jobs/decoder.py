"""The process in which strangers' audio is decoded: never the one that serves.

Reads a task as one JSON line from standard input and answers with another one, as `decoding.py`
has them. It may crash; its parent starts another.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec
import soundfile

from sonoteca_server.jobs.decoding import Answer, Task
from sonoteca_server.jobs.extremes import Extremes
from sonoteca_server.jobs.loudness import Meter
from sonoteca_server.jobs.samples import pieces
from sonoteca_server.library.peaks import SAMPLES_PER_PIXEL
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Loudness
from sonoteca_shared.wav import probe

_FAILURES = (SonotecaError, soundfile.SoundFileError, OSError, ValueError, MemoryError)


def main(work: Callable[[Path, Path | None], Loudness] | None = None) -> None:
    """Answer tasks until standard input ends."""
    # Ctrl+C in a terminal reaches every process there; this one ends when its parent does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        answer = _answer(msgspec.json.decode(line, type=Task), work or analyse)
        try:
            sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os._exit(0)  # the server is gone; there is nobody to tell, and nothing to flush


def _answer(task: Task, work: Callable[[Path, Path | None], Loudness]) -> Answer:
    target = None if task.target is None else Path(task.target)
    try:
        return Answer(loudness=work(Path(task.source), target))
    except _FAILURES as failure:
        full = getattr(failure, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        return Answer(error=str(failure) or type(failure).__name__, full=full)


def analyse(source: Path, target: Path | None) -> Loudness:
    """How loud `source` is, in one pass; its minima and maxima go to `target`, durably."""
    with contextlib.ExitStack() as files:
        file = files.enter_context(source.open("rb"))
        out = None if target is None else files.enter_context(target.open("w+b"))
        return _analyse(file, source.stat().st_size, out)


def _analyse(file: BinaryIO, size: int, out: BinaryIO | None) -> Loudness:
    facts = probe(lambda at, count: os.pread(file.fileno(), count, at), size)
    extremes = None if out is None else Extremes(out, facts)
    meter = Meter(facts.samplerate, facts.channels, facts.channel_mask)
    for piece in pieces(file, facts, SAMPLES_PER_PIXEL):
        if extremes is not None:
            extremes.add(piece)
        meter.add(piece)
    if extremes is not None:
        extremes.finish()
    return meter.loudness()


if __name__ == "__main__":
    main()
