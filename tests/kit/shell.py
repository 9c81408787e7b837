"""`sonoteca push`, `pull` and `list`, run as a user runs them: each a process of its own."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


class Shell:
    """Where commands are typed: against one server, with one data folder."""

    def __init__(self, server: str, home: Path) -> None:
        self.server = server
        self.home = home

    @contextlib.contextmanager
    def start(self, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
        """Start a command; it is gone when the block is left."""
        with subprocess.Popen(
            self._line(words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as program:
            try:
                yield program
            finally:
                program.kill()

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self._line(words), capture_output=True, text=True, check=False, timeout=60
        )

    def run_on_terminal(self, *words: str | Path, columns: int = 60) -> str:
        """Run a command on a terminal of so many columns; what it wrote there."""
        ours, theirs = pty.openpty()
        env = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
        with subprocess.Popen(self._line(words), stdout=theirs, stderr=theirs, env=env):
            os.close(theirs)
            seen = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        return seen.decode()

    def _line(self, words: tuple[str | Path, ...]) -> list[str]:
        command, *rest = map(str, words)
        given = ["--server", self.server, "--data", str(self.home)]
        return [sys.executable, "-m", "sonoteca_desktop", command, *given, *rest]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # its other end was closed
        return b""
