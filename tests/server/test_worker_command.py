"""`sonoteca-server worker`: beside a running server, and never in its way."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_server.__main__ import main
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.storage.guests import guest
from sonoteca_server.storage.local import LocalBlobs
from tests.kit.api import Api
from tests.kit.http import server_process
from tests.kit.labour import WorkerProcess
from tests.kit.wait import until

DATABASES = ("sqlite", "postgresql")
# Up to three processes start in each, and on a busy machine each takes some seconds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@contextlib.contextmanager
def worker(data: Path, database: str) -> Iterator[WorkerProcess]:
    """The command itself, as an admin runs it."""
    process = WorkerProcess(data, database, module="sonoteca_server worker")
    try:
        yield process
    finally:
        process.end()


def failing(*words: str) -> str:
    """What a command says that does not do what it was told to."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        assert main([*words]) == 1
    return told.getvalue()


def test_a_server_that_starts_again_leaves_what_a_worker_is_at(
    tmp_path: Path, database: str
) -> None:
    with server_process(tmp_path, "--database", database) as server, worker(tmp_path, database):
        with guest(tmp_path / "incoming") as incoming:
            part = LocalBlobs(tmp_path, incoming).begin()
            server.kill()
            server.start()  # it sweeps what a dead server left, and no more
            assert part.path.exists()
            part.discard()
        assert Api(server.url).upload(1)["name"] == "1.wav"


def test_a_second_server_is_still_refused(tmp_path: Path, database: str) -> None:
    where = ("--data", str(tmp_path), "--database", database)
    with server_process(tmp_path, "--database", database), worker(tmp_path, database) as beside:
        assert "another server is using" in failing("serve", "--port", "0", *where)
        beside.signal(signal.SIGTERM)
        assert beside.wait() == 0


def test_nothing_is_destroyed_under_a_worker(tmp_path: Path, database: str) -> None:
    where = ("--data", str(tmp_path), "--database", database)
    assert main(["db", "create", *where]) == 0
    with worker(tmp_path, database):
        said = failing("db", "destroy", "--yes", *where)
        assert "a worker is using" in said
    assert home_of(database, tmp_path).exists()
    assert main(["db", "destroy", "--yes", *where]) == 0


def test_a_worker_without_a_library_says_what_to_do(tmp_path: Path, database: str) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        where = ("--data", str(folder), "--database", database)
        assert "start the server on it first" in failing("worker", *where)
    assert not (tmp_path / "missing").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_was_killed_leaves_nothing(tmp_path: Path) -> None:
    with server_process(tmp_path) as server, worker(tmp_path, "sqlite") as beside:
        (folder,) = [path for path in (tmp_path / "incoming").iterdir() if path.is_dir()]
        (folder / "part").write_bytes(b"half a file")
        beside.signal(signal.SIGKILL)
        beside.wait()
        server.kill()
        server.start()
        assert requests.get(f"{server.url}/healthz", timeout=10).status_code == 200
        until(lambda: not folder.exists())
