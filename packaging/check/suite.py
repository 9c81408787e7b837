"""The whole check, as `python3 dev.py test` runs it: style, types, floors, tests, coverage.

Every step runs, whatever became of those before it; the end sums them up. With words it is pytest
alone, with these words. It wants the Python of .venv, which dev.py makes.
"""
# ruff: noqa: T201 - it talks to whoever runs it

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(sys.executable).parent
FLOORS = {"shared/*": 100, "*": 90}  # files: per cent of their lines and branches
NO_TESTS = 5  # pytest's exit code when nothing was selected
OFFSCREEN = {"QT_QPA_PLATFORM": "offscreen", "DISPLAY": "", "WAYLAND_DISPLAY": ""}


class Step(NamedTuple):
    """A part of the check that has run."""

    name: str
    code: int
    seconds: float


def step(name: str, program: str, *words: str, **environment: str) -> Step:
    """Run one part of the check under its heading."""
    print(f"\n== {name}: {shlex.join([program, *words])}", flush=True)
    began = time.monotonic()
    command = [str(PROGRAMS / program), *words]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False)
    seconds = time.monotonic() - began
    print(f"== {name}: {seconds:.1f} s", flush=True)
    return Step(name, done.returncode, seconds)


@contextmanager
def virtual_screen() -> Iterator[dict[str, str]]:
    """The environment of programs that shall open real windows on a new, invisible screen."""
    if shutil.which("Xvfb") is None:
        print("\nXvfb is not installed, so no window can be opened.")  # tests/conftest.py goes on
        yield OFFSCREEN
        return
    number, told = os.pipe()
    display = ["-displayfd", str(told)]  # it picks a free number, and tells it when it is ready
    screen = ["-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"]
    command = ["Xvfb", *display, *screen]
    with subprocess.Popen(command, pass_fds=[told], stderr=subprocess.DEVNULL) as xvfb:
        os.close(told)
        try:
            with os.fdopen(number) as line:
                name = f":{line.readline().strip()}"
            yield {"QT_QPA_PLATFORM": "xcb", "DISPLAY": name, "WAYLAND_DISPLAY": ""}
        finally:
            xvfb.terminate()


def run_tests(words: Sequence[str], *cover: str) -> list[Step]:
    """The tests without a screen, then those that need one."""
    if any(word.startswith("-m") for word in words):  # who chooses by marker chooses the lot
        with virtual_screen() as screen:
            return [step("tests", "pytest", *words, **screen)]
    plain = [*words, "-m", "not window and not long"]
    windowed = [*words, "-m", "window and not long"]
    if not any_tests(*windowed):
        return [step("tests", "pytest", *plain, *cover, **OFFSCREEN)]
    steps = [step("tests", "pytest", *plain, *cover, **OFFSCREEN)] if any_tests(*plain) else []
    with virtual_screen() as screen:
        more = [*cover, "--cov-append"] if cover and steps else cover
        return [*steps, step("tests with a screen", "pytest", *windowed, *more, **screen)]


def any_tests(*words: str) -> bool:
    """Whether pytest finds tests for these words; a run without one would read as a failure."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *words]
    environment = {**os.environ, **OFFSCREEN}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    return done.returncode != NO_TESTS


def check_coverage() -> Step:
    """What both runs of the tests reached, against the floors."""
    report = step("coverage", "coverage", "report", "--skip-covered", "--show-missing")
    code = 0
    for files, floor in FLOORS.items():
        reached = coverage_of(files)
        print(f"coverage of {files}: {reached:.2f} % (floor {floor} %)")
        code = code if reached >= floor else 1
    return report._replace(code=code)


def coverage_of(files: str) -> float:
    """Per cent of the lines and branches of these files."""
    total = [sys.executable, "-m", "coverage", "report", "--format=total", "--precision=2"]
    command = [*total, f"--include={files}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else 0.0


def check(words: Sequence[str]) -> int:
    """Run all steps and sum them up; the exit code."""
    if words:
        steps = run_tests(words)
    else:
        steps = [
            step("style", "ruff", "check"),
            step("format", "ruff", "format", "--check"),
            step("types", "mypy"),
            step("floors", "lint-imports"),
            *run_tests([], "--cov", "--cov-report="),
            check_coverage(),
        ]
    print()
    for each in steps:
        print(f"{each.name:20} {each.seconds:6.1f} s  {'FAILED' if each.code else 'fine'}")
    return 1 if any(each.code for each in steps) else 0


if __name__ == "__main__":
    try:
        sys.exit(check(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
