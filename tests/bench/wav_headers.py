"""How many small WAVs a core can read the headers and the metadata of in a second.

    .venv/bin/python -m tests.bench.wav_headers

Each file is opened, measured, described and closed, as upkeep does with files that are there.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sonoteca_shared.wav import describe, probe
from sonoteca_shared.wav.riff import ReadAt
from tests.judge import tags
from tests.kit import wavs

FILES = 500
ROUNDS = 5


def write_files(folder: Path) -> list[Path]:
    """Small files: half plain, half with what a field recorder writes."""
    xml = tags.ixml(
        "<PROJECT>Harbour</PROJECT><SCENE>12A</SCENE><TAKE>3</TAKE><TAPE>24Y05M01</TAPE>"
        "<SPEED><TIMECODE_RATE>25/1</TIMECODE_RATE><TIMECODE_FLAG>NDF</TIMECODE_FLAG></SPEED>"
        "<TRACK_LIST><TRACK_COUNT>2</TRACK_COUNT>"
        "<TRACK><CHANNEL_INDEX>1</CHANNEL_INDEX><NAME>Boom</NAME></TRACK>"
        "<TRACK><CHANNEL_INDEX>2</CHANNEL_INDEX><NAME>Lav</NAME></TRACK></TRACK_LIST>"
    )
    field = tags.bext(time_reference=2_190_940_753, history=b"A=PCM,F=48000,W=24,M=stereo\r\n")
    info = tags.info({b"INAM": b"Harbour at night", b"ICRD": b"2024-05-01"})
    labels = b"adtl" + tags.label(1, b"Horn") + tags.region(1, 500)
    before = [(b"bext", field), (b"iXML", xml)]
    after = [(b"LIST", info), (b"cue ", tags.cues({1: 100})), (b"LIST", labels)]
    return [
        wavs.write_wav(
            folder / f"{number}.wav",
            frames=2000,
            seed=number,
            before=before if number % 2 else (),
            after=after if number % 2 else (),
        )
        for number in range(FILES)
    ]


def read_all(paths: list[Path], look: Callable[[ReadAt, int], object]) -> None:
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        try:

            def read(offset: int, count: int, file: int = file) -> bytes:
                return os.pread(file, count, offset)

            look(read, os.fstat(file).st_size)
        finally:
            os.close(file)


def rate(paths: list[Path], look: Callable[[ReadAt, int], object]) -> float:
    """Files a second of processor time, in the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        read_all(paths, look)
        best = min(best, time.process_time() - began)
    return len(paths) / best


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder))
        for name, some in (("plain", paths[::2]), ("tagged", paths[1::2]), ("both", paths)):
            probed, described = rate(some, probe), rate(some, describe)
            sys.stdout.write(f"{name:8}{probed:10,.0f} probe/s{described:10,.0f} describe/s\n")


if __name__ == "__main__":
    main()
