"""`sonoteca pull --segments`: a big file over several connections, from a shell."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.kit.http import server_process
from tests.kit.shell import Shell
from tests.kit.throttle import line
from tests.kit.wait import until
from tests.kit.wavs import write_wav

MIB = 1 << 20
SIZE = 80 * MIB

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


def test_a_big_file_is_pulled_over_four_connections_and_goes_on_after_ctrl_c(
    tmp_path: Path,
) -> None:
    recording = write_wav(tmp_path / "long.wav", frames=SIZE // 4, channels=2, bits=16)
    copies = tmp_path / "copies"
    words = ("pull", "long", "--to", copies, "--segments")
    with server_process(tmp_path / "library") as server, line(server.url, rate=20 * MIB) as wire:
        assert Shell(server.url, tmp_path / "other").run("push", recording).returncode == 0
        shell = Shell(wire.url, tmp_path / "home")
        with shell.start(*words) as program:
            until(lambda: wire.sent > SIZE // 2, seconds=20)
            assert wire.open_connections == 5  # with that of the search before
            os.kill(program.pid, signal.SIGINT)
            assert program.wait(20) == 130
        pulled = shell.run(*words)
        assert pulled.returncode == 0, pulled.stderr
        assert "1 fetched" in pulled.stdout
        assert wire.sent < SIZE * 1.4  # what lay in sockets when it was stopped, and at the end
    assert (copies / "long.wav").read_bytes() == recording.read_bytes()
    assert [each.name for each in copies.iterdir()] == ["long.wav"]
