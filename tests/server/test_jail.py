"""The jail that strangers' bytes are decoded in: what a program may take, and when it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sonoteca_server.jobs.jail import Ended, Limits, TooSlowError, has_no_network, run
from tests.kit.processes import is_running
from tests.kit.wait import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all limits")

WIDE = Limits(cpu_s=60, file_size=1 << 30)


def jailed(program: str, limits: Limits = WIDE) -> Ended:
    """How a program in Python ends in the jail."""
    command = [sys.executable, "-I", "-S", "-c", program]
    with tempfile.TemporaryFile() as out:
        return asyncio.run(run(command, limits, stdin=subprocess.DEVNULL, stdout=out.fileno()))


def test_what_a_program_says_last_is_heard() -> None:
    ended = jailed("import sys; sys.stderr.write('x' * 1_000_000 + 'the end'); sys.exit(3)")
    assert (ended.status, ended.said[-7:]) == (3, "the end")
    assert len(ended.said) <= 64 << 10


def test_work_without_end_is_ended() -> None:
    assert jailed("while True: pass", Limits(cpu_s=1, file_size=0)).status == -signal.SIGXCPU


def test_memory_without_end_is_not_given() -> None:
    ended = jailed("bytearray(2 << 30)")
    assert ended.status == 1
    assert "MemoryError" in ended.said


def test_files_without_end_are_not_opened() -> None:
    ended = jailed("import os; files = [os.dup(2) for _ in range(100)]")
    assert "Too many open files" in ended.said


def test_a_file_grows_no_larger_than_it_may() -> None:
    program = "import os, signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL); "
    ended = jailed(program + "os.ftruncate(1, 5000)", Limits(cpu_s=60, file_size=1000))
    assert ended.status == -signal.SIGXFSZ


def test_it_gives_way_to_others_and_has_a_group_of_its_own() -> None:
    ended = jailed(
        "import os, sys; sys.exit(not (os.nice(0) >= 10 and os.getpgrp() == os.getpid()))"
    )
    assert ended.status == 0


def test_it_inherits_nothing_but_its_three_files() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        os.set_inheritable(held.fileno(), True)
        ended = jailed(
            "import os; print(sorted(os.listdir('/proc/self/fd')), file=__import__('sys').stderr)"
        )
    # The fourth is the listing's own.
    assert ended.said.strip() == "['0', '1', '2', '3']"


def test_it_has_no_network() -> None:
    if not has_no_network():
        pytest.skip("this system lets nobody leave its network")
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = held.getsockname()
        ended = jailed(f"import socket; socket.create_connection({address!r}, timeout=5)")
    assert ended.status == 1
    assert "unreachable" in ended.said


def test_who_stands_still_for_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sonoteca_server.jobs.jail._PATIENCE", 0.2)
    with pytest.raises(TooSlowError):
        jailed("import time; time.sleep(600)", Limits(cpu_s=1, file_size=0))


def test_a_killed_parent_takes_it_along(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    sleeper = f"import os, time; open({str(noted)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    parent = (
        "import asyncio, sys; from sonoteca_server.jobs.jail import Limits, run; "
        f"asyncio.run(run([sys.executable, '-c', {sleeper!r}], "
        "Limits(cpu_s=60, file_size=1 << 30), stdin=-3, stdout=-3))"
    )
    process = subprocess.Popen([sys.executable, "-c", parent])
    until(lambda: noted.exists() and noted.read_text())
    child = int(noted.read_text())
    process.kill()
    process.wait()
    until(lambda: not is_running(child))
