"""What a form costs the server beside the bare file: processor time to take 500 MB at `/convert`.

    .venv/bin/python -m tests.bench.forms [SIZE IN MB] [FOLDER]

The file is a WAV without a format, so that it is taken whole and refused, and nothing converts it.
It lies in FOLDER, /dev/shm unless told, with the server's data: no disk is measured.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.convert import work_of
from tests.kit.http import server_process

ROUNDS = 7


def main() -> None:
    """Both ways in turn; the medians."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else "/dev/shm") as place:
        file, data = Path(place, "in.wav"), Path(place, "data")
        with file.open("wb") as target:
            target.write(b"RIFF\0\0\0\x10WAVE" + bytes(52))
            noise = os.urandom(1 << 20)
            for _ in range(size):
                target.write(noise)
        with server_process(data, log=Path(place, "log")) as server:
            address = f"{server.url}/convert"
            ways = {
                "form": ["-F", "format=mp3", "-F", f"file=@{file}", address],
                "bare": ["-X", "POST", "-T", str(file), f"{address}?format=mp3"],
            }
            taken: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, words in ways.items():
                    before = work_of(server)
                    subprocess.run(["curl", "-sS", "-o", os.devnull, *words], check=True)
                    taken[way].append(work_of(server) - before)
    for way, figures in taken.items():
        print(f"{way}: {statistics.median(figures):.2f} s of CPU {sorted(figures)}")


if __name__ == "__main__":
    main()
