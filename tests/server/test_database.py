"""`sonoteca-server db` on both engines: make, drop, renew, write out, bring up to date."""

from __future__ import annotations

import contextlib
import errno
import io
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import requests

from sonoteca_server.__main__ import main
from sonoteca_server.app import CannotStartError
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.ids import new_id
from tests.kit import postgres as kit
from tests.kit.http import serve
from tests.kit.wavs import Plan, build_wav

DATABASES = ("sqlite", "postgresql")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def db(tmp_path: Path, database: str) -> Run:
    """Runs `db` with these words; exit code, what it wrote, and what it wrote to stderr."""

    def run(*words: str, data: str = "library", on: str = database) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        flags = ("--data", str(tmp_path / data), "--database", on)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["db", *words, *flags])
        return code, out.getvalue(), err.getvalue()

    return run


def post(server: str, seed: int, name: str) -> None:
    data = build_wav(Plan(frames=100, channels=1, seed=seed))
    answer = requests.post(f"{server}/post", params={"name": name}, data=data, timeout=10)
    assert answer.status_code == 201


def names(server: str) -> list[str]:
    found: list[str] = requests.get(f"{server}/list", timeout=10).json()
    return found


def test_create_once(db: Run) -> None:
    assert db("create")[0] == 0
    code, _, error = db("create")
    assert (code, "already" in error) == (1, True)


@pytest.mark.parametrize("action", ["destroy", "reset", "dump", "upgrade"])
def test_what_is_not_there_is_left_alone(db: Run, action: str) -> None:
    code, _, error = db(action, "--yes")
    assert (code, "no catalogue" in error) == (1, True)


def test_reset_and_destroy_ask_first_and_keep_off_a_running_server(
    db: Run, tmp_path: Path, database: str
) -> None:
    with serve(tmp_path / "library", database=database) as server:
        post(server, 1, "a.wav")
        # Whatever folder it says: the database is the server's too.
        for folder in ("library", "elsewhere"):
            if folder == "library" or database != "sqlite":
                code, _, error = db("reset", "--yes", data=folder)
                assert (code, "server" in error) == (1, True)
        assert names(server) == ["a.wav"]
    assert db("reset")[0] == 1  # nobody there to ask
    assert db("reset", "--yes")[0] == 0
    assert not list((tmp_path / "library" / "blobs").rglob("*.wav"))
    with serve(tmp_path / "library", database=database) as server:
        assert names(server) == []
    assert db("destroy", "--yes")[0] == 0
    assert db("destroy", "--yes")[0] == 1
    assert db("create")[0] == 0


def test_upgrade_says_that_all_is_well(db: Run) -> None:
    db("create")
    code, out, _ = db("upgrade")
    assert (code, "up to date" in out) == (0, True)


def test_recordings_without_their_catalogue_are_not_hidden(db: Run, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "library")
    part = blobs.begin()
    part.append(b"somebody's recording")
    blobs.keep(part)
    code, _, error = db("create")
    assert (code, "backup" in error) == (1, True)
    assert db("dump")[0] == 1  # and no empty one was made


def test_a_catalogue_without_its_recordings_is_not_worked_with(
    db: Run, tmp_path: Path, database: str
) -> None:
    with serve(tmp_path / "library", database=database) as server:
        post(server, 1, "a.wav")
    blobs = tmp_path / "library" / "blobs"
    blobs.rename(tmp_path / "elsewhere")  # as when a disk is not mounted
    with (
        pytest.raises(CannotStartError, match="holds none"),
        serve(tmp_path / "library", database=database),
    ):
        pass
    blobs.rmdir()
    (tmp_path / "elsewhere").rename(blobs)
    with serve(tmp_path / "library", database=database) as server:
        assert names(server) == ["a.wav"]
    shutil.rmtree(blobs)
    assert db("upgrade")[0] == 1
    assert db("reset", "--yes")[0] == 0
    with serve(tmp_path / "library", database=database) as server:
        assert names(server) == []


def test_nothing_of_a_library_is_left_that_was_destroyed(
    db: Run, tmp_path: Path, database: str
) -> None:
    with serve(tmp_path / "library", database=database) as server:
        post(server, 1, "a.wav")
    (tmp_path / "library" / "fetching" / new_id()).write_bytes(b"half of a file")
    assert db("destroy", "--yes")[0] == 0
    left = {path.name for path in (tmp_path / "library").iterdir()}
    assert left == {"server.lock", "workers.lock"}


def test_what_cannot_be_removed_is_named_and_its_catalogue_kept(
    db: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    db("create")

    def fail(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path / "aa"))

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", fail)
        code, _, error = db("destroy", "--yes")
    assert (code, "blobs/aa cannot be removed" in error) == (1, True)
    assert db("upgrade")[0] == 0


def test_a_dump_makes_the_catalogue_again(
    db: Run, tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    spoken = ["it's “odd”; -- 1.wav", "Tür %s :x.wav", "b\\c.wav"]
    with serve(tmp_path / "library", database=database) as server:
        for seed, name in enumerate(spoken):
            post(server, seed, name)
        before = names(server)
        code, dump, _ = db("dump")  # while the server runs
        assert code == 0
    copy = "sqlite"
    if database == "sqlite":
        with contextlib.closing(sqlite3.connect(tmp_path / "library" / "copy.sqlite")) as restored:
            restored.executescript(dump)
            found = restored.execute("SELECT count(*) FROM search WHERE search MATCH 'odd'")
            assert found.fetchone() == (1,)
        (tmp_path / "library" / "copy.sqlite").replace(tmp_path / "library" / "catalog.sqlite")
    else:
        postgres: kit.Cluster = request.getfixturevalue("postgres")
        copy = postgres.create()
        with psycopg.connect(copy) as connection:
            connection.execute(dump.encode())
    with serve(tmp_path / "library", database=copy) as server:
        assert names(server) == before
        post(server, 99, "later.wav")
        assert names(server) == [*before, "later.wav"]


def test_settings_show_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "--database", "postgresql://me:hunter2@host/sounds"]) == 0
    shown = capsys.readouterr().out
    assert "postgresql://me:***@host/sounds" in shown
    assert "hunter2" not in shown
