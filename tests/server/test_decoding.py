"""The process that decodes: limited, asked for one sound at a time, and never the server's own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from sonoteca_server.jobs import decoding
from sonoteca_server.jobs.decoding import Decoder, Task, UndecodableError
from sonoteca_shared.errors import NoSpaceError
from tests.kit.wavs import write_wav

T = TypeVar("T")
# Answers each task with what the word behind it says of this very process.
LOOK = """
import json, os, resource, sys
for line in sys.stdin:
    told = {
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "nice": os.nice(0),
    }
    print(json.dumps({"error": json.dumps(told)}), flush=True)
"""
HANG = "import sys; sys.stdin.readline(); import time; time.sleep(600)"
FULL = """
import sys
for line in sys.stdin:
    print('{"full": true, "error": "no room"}', flush=True)
"""


def ask(program: str, work: Callable[[Decoder], Awaitable[T]]) -> T:
    """What somebody has of a decoder that is another program."""

    async def run() -> T:
        decoder = Decoder([sys.executable, "-c", program])
        try:
            return await work(decoder)
        finally:
            await decoder.end()

    return asyncio.run(run())


def test_it_is_limited_and_yields_to_others() -> None:
    async def work(decoder: Decoder) -> str:
        with pytest.raises(UndecodableError) as told:
            await decoder.measure(Task("x", None), 0)
        return str(told.value)

    assert ask(LOOK, work) == '{"memory": 2147483648, "files": 64, "nice": 10}'


def test_what_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_SECONDS", 0.2)

    async def work(decoder: Decoder) -> None:
        with pytest.raises(UndecodableError, match="longer than"):
            await decoder.measure(Task("x", None), 0)

    ask(HANG, work)


def test_a_full_disk_is_no_fault_of_the_sound() -> None:
    async def work(decoder: Decoder) -> None:
        with pytest.raises(NoSpaceError):
            await decoder.measure(Task("x", None), 0)

    ask(FULL, work)


def test_one_process_measures_one_sound_after_the_other(tmp_path: Path) -> None:
    sounds = [write_wav(tmp_path / f"{seed}.wav", seconds=0.5, seed=seed) for seed in range(3)]
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")

    async def work() -> None:
        decoder = Decoder()
        try:
            for path in sounds:
                assert (await decoder.measure(Task(str(path), None), 0)).integrated is not None
            with pytest.raises(UndecodableError):
                await decoder.measure(Task(str(broken), None), 0)
            await decoder.measure(Task(str(sounds[0]), None), 0)
        finally:
            await decoder.end()

    asyncio.run(work())


def test_the_server_loads_no_decoder() -> None:
    program = (
        "import sys; from sonoteca_server import __main__, app, workers; "
        "print({'soundfile', 'numpy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=18)
    assert done.stdout == "set()\n"
