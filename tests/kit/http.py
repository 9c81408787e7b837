"""Real servers on loopback: in a thread of the test, or as a process that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sonoteca_server.app import running
from sonoteca_server.settings import Settings


@contextlib.contextmanager
def serve(data: Path, **settings: Any) -> Iterator[str]:
    """A server on a free port in a thread; its address."""
    ready: list[str | BaseException] = []
    began = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        async with running(Settings(data=data, port=0, **settings)) as address:
            ready.append(address)
            began.set()
            await stop.wait()

    def main() -> None:
        try:
            loop.run_until_complete(run())
        except BaseException as error:  # noqa: BLE001 - the test's own thread raises it
            ready.append(error)
            began.set()
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=main, name="server")
    thread.start()
    began.wait()
    try:
        if isinstance(ready[0], BaseException):
            raise ready[0]
        yield ready[0]
    finally:
        if not loop.is_closed():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(stop.set)
        thread.join()


class ServerProcess:
    """`sonoteca-server serve` as its own process, on the same port again after a restart.

    `program` is another module to run in its place, `wrapper` a command that runs it.
    """

    def __init__(
        self,
        data: Path,
        *flags: str,
        program: str = "sonoteca_server",
        wrapper: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        self._data = data
        self._log = log
        self._flags = flags
        self._program = program
        self._wrapper = wrapper
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def start(self, *flags: str) -> None:
        """Start it and wait until it answers; with other flags from now on, if any are given."""
        self._flags = flags or self._flags
        self.launch()
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("Sonoteca server on http://"), line
        self._port = int(line.rpartition(":")[2])

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        command = [*self._wrapper, sys.executable, "-m", self._program, "serve",
                   "--data", str(self._data), "--port", str(self._port), *self._flags]  # fmt: skip
        # In a group of its own, so that a kill takes what it started along.
        with self._log.open("ab") if self._log else contextlib.nullcontext() as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )

    def kill(self) -> None:
        """End it as a crash would, and every process that it started."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self._end(None)

    def _end(self, number: int | None) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if number == signal.SIGKILL:
            os.killpg(process.pid, number)
        elif number is not None:
            os.kill(process.pid, number)
        assert process.stdout is not None
        process.stdout.close()
        return process.wait(timeout=20)


@contextlib.contextmanager
def server_process(data: Path, *flags: str, log: Path | None = None) -> Iterator[ServerProcess]:
    """A server process that is gone when the block is left; its log goes to a file, if named."""
    server = ServerProcess(data, *flags, log=log)
    try:
        yield server
    finally:
        server.kill()
