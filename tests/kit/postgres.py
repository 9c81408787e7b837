"""A real PostgreSQL for the tests: made by initdb in a temporary folder, gone with the session.

It listens on a socket in that folder only and never syncs: what a power cut does to PostgreSQL is
not ours to test. It cannot run as root, so there it runs as the user that its package made.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.kit import engines

_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


class Cluster:
    """A running PostgreSQL; `create` gives an empty database in it, for one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free: list[str] = []
        self._used: list[str] = []

    def create(self) -> str:
        """The URL of an empty database."""
        name = self._free.pop() if self._free else self._make()
        self._used.append(name)
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database that may be there or not."""
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def create_in(self, encoding: str, name: str) -> None:
        """Make an empty database that keeps text in another encoding."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
            )

    @property
    def count(self) -> int:
        """How many databases are in use."""
        return len(self._used)

    def clear(self, first: int) -> None:
        """Empty all but the first so many: to make a database for each test would be half a GB."""
        for name in self._used[first:]:
            with psycopg.connect(self.url(name), autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")
        self._free += self._used[first:]
        del self._used[first:]

    def _make(self) -> str:
        name = f"test_{len(self._used)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return name


@pytest.fixture
def postgres(cluster: Cluster) -> Iterator[Cluster]:
    """A PostgreSQL whose databases are this test's own."""
    first = cluster.count  # those of fixtures that outlive the test
    yield cluster
    cluster.clear(first)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The PostgreSQL of this run of the tests; a test that asks is skipped where there is none."""
    with started() as made:
        yield made


@contextlib.contextmanager
def started() -> Iterator[Cluster]:
    """A new PostgreSQL, gone with the block."""
    programs = _programs()
    # Not the tests' own folder: its path is too long for a socket, and closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="sonoteca-pg-"))
    try:
        folder.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data, log = folder / "data", folder / "log"
        _run(programs / "initdb", "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8",
             "--locale=C.UTF-8", "-D", data)  # fmt: skip
        options = [f"-c {name}={value}" for name, value in _SETTINGS.items()]
        control = programs / "pg_ctl"
        flags = " ".join([*options, "-c listen_addresses=''", f"-k {folder}"])
        _run(control, "-w", "-D", data, "-l", log, "-o", flags, "start")
        try:
            yield Cluster(folder)
        finally:
            _run(control, "-w", "-m", "immediate", "-D", data, "stop")
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    """The folder of PostgreSQL's programs, the newest where there are several."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    if found:
        return found[-1]
    return engines.require("postgresql").parent


def _run(*command: str | Path) -> None:
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*other, *map(str, command)], cwd="/", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
