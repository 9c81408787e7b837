"""Conversions beside ffmpeg's own command line: time, and what the server takes of memory.

    .venv/bin/python -m tests.bench.convert [SIZE IN MB [FORMAT…]]

A round is the command line from file to file, then curl through `/convert` from file to file. Both
run ffmpeg with the same arguments and the same priority; what counts is the ratio within a round.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.kit.http import ServerProcess, server_process
from tests.kit.wavs import write_wav

SIZE_MB = 500
ROUNDS = 3
# Format, what the command line is told, and what the form says.
KINDS = {
    "mp3": (["-c:a", "libmp3lame", "-b:a", "192k"], {}),
    "flac": (["-c:a", "flac"], {}),
    "wav": (
        ["-af", "aresample=osr=44100:resampler=soxr:precision=28:osf=s16:dither_method=triangular:"
         "internal_sample_fmt=fltp",
         "-c:a", "pcm_s16le"],
        {"samplerate": "44100", "bitdepth": "16"},
    ),
}  # fmt: skip


def memory_of(server: ServerProcess) -> tuple[float, float]:
    """What the process holds, and the most that it ever held, in MiB."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    figures = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", status))
    return int(figures["VmRSS"]) / 1024, int(figures["VmHWM"]) / 1024


def work_of(server: ServerProcess) -> float:
    """Seconds of processor time that the server and what it ran have taken."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def measure(command: list[str]) -> tuple[float, float]:
    """How long it runs, and its processor time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)
    lasted, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return lasted, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(server: ServerProcess, form: str, sound: Path) -> float:
    """Print a line for each round; the median of how fast ours is, as a share of the other."""
    told, options = KINDS[form]
    target = sound.with_name(f"out.{form}")
    fields = [word for name, text in options.items() for word in ("-F", f"{name}={text}")]
    threads = ["-threads", "1", "-filter_threads", "1"]
    base = ["nice", "-n", "10", "ffmpeg", "-v", "error", "-nostdin", "-i", str(sound)]
    ratios = []
    for _ in range(ROUNDS):
        alone, its_work = measure([*base, *threads, *told, "-y", str(target)])
        target.unlink()
        before = work_of(server)
        ours, of_curl = measure(["curl", "-sSf", "-F", f"format={form}", *fields,
                                 "-F", f"file=@{sound}", f"{server.url}/convert",
                                 "-o", str(target)])  # fmt: skip
        target.unlink()
        our_work = work_of(server) - before
        ratios.append(alone / ours)
        print(f"{form:5} ffmpeg {alone:6.2f} s   /convert {ours:6.2f} s   {alone / ours:.2f}   "
              f"CPU: ffmpeg {its_work:.2f} s, curl {of_curl:.2f}, server with ffmpeg "
              f"{our_work:.2f}", flush=True)  # fmt: skip
    return statistics.median(ratios)


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else SIZE_MB) * 1_000_000
    folder = os.environ.get("TMPDIR", "/var/tmp")
    with tempfile.TemporaryDirectory(dir=folder) as place:
        sound = Path(place) / "in.wav"
        write_wav(sound, samplerate=48_000, channels=2, bits=24, frames=size // 6)
        with server_process(Path(place) / "library") as server:
            before = memory_of(server)[0]
            for form in sys.argv[2:] or KINDS:
                print(f"{form:5} median {compare(server, form, sound):.2f}")
            held, most = memory_of(server)
            print(f"memory {before:.0f} MiB before, {held:.0f} after, {most:.0f} at most")


if __name__ == "__main__":
    main()
