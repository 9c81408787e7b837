from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.transfers.journal import Journal, JournalError, Pin, Row
from sonoteca_desktop.transfers.plan import Kind, State

OLDEST = """
CREATE TABLE transfers (
    key INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, server TEXT NOT NULL,
    url TEXT NOT NULL, name TEXT NOT NULL, folder TEXT NOT NULL, path BLOB NOT NULL,
    tag TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, sha256 TEXT NOT NULL,
    sound_id TEXT NOT NULL, durable INTEGER NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL,
    tries INTEGER NOT NULL, corrupt INTEGER NOT NULL, bad_replies INTEGER NOT NULL,
    removed INTEGER NOT NULL, added REAL NOT NULL
) STRICT;
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO transfers VALUES (1, 'upload', 'here', '', 'a.wav', '', x'2f736f756e64732f612e776176',
    '', 7, '', '', '', 0, 'paused', '', 0, 0, 0, 0, 1.5);
PRAGMA user_version = 1
"""


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "transfers.db")
    yield journal
    journal.close()


def row(name: str = "a.wav", server: str = "here") -> Row:
    return Row(
        kind=Kind.DOWNLOAD,
        server=server,
        url=f"/data/{name}",
        name=name,
        path=Path("/sounds") / name,
        tag="0123abcd",
        size=3_000_000_000,
        etag='"sha256-ab"',
        sha256="ab" * 32,
        sound_id="id",
        added=1.5,
    )


def test_keeps_everything_over_a_restart(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "transfers.db")
    first, second = row(), row("b.wav")
    journal.add([first, second])
    assert 0 < first.key < second.key
    first.state, first.durable, first.note = State.PAUSED, 2_500_000_000, "why"
    second.removed, second.kind = True, Kind.UPLOAD
    second.path = Path(os.fsdecode(b"/sounds/latin-\xfc.wav"))
    journal.save([first, second])
    journal.set_limit(50_000)
    journal.close()

    journal = Journal(tmp_path / "transfers.db")
    assert journal.rows("here") == [first, second]
    assert journal.limit() == 50_000
    journal.set_limit(None)
    assert journal.limit() is None
    journal.close()


def test_every_server_has_its_own_transfers(journal: Journal) -> None:
    journal.add([row(server="here"), row(server="there")])
    assert [each.server for each in journal.rows("there")] == ["there"]


def test_forgets_and_never_gives_a_key_twice(journal: Journal) -> None:
    first, second = row(), row()
    journal.add([first])
    journal.forget([first.key])
    journal.add([second])
    assert second.key > first.key
    assert journal.rows("here") == [second]


def test_a_second_program_is_sent_away(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(JournalError, match="Another Sonoteca is using the list of transfers"):
        Journal(tmp_path / "transfers.db")
    journal.add([row()])  # and the first goes on


def test_a_list_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "transfers.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(JournalError, match="written by a newer Sonoteca"):
        Journal(tmp_path / "transfers.db")


def test_a_list_of_an_older_program_is_read_on(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "transfers.db", isolation_level=None)
    for statement in OLDEST.split(";"):
        database.execute(statement)
    database.close()
    journal = Journal(tmp_path / "transfers.db")
    [begun] = journal.rows("here")
    assert (begun.kind, begun.name, begun.state) == (Kind.UPLOAD, "a.wav", State.PAUSED)
    assert (begun.path, begun.stamp, begun.url) == (Path("/sounds/a.wav"), "", "")
    begun.stamp = "1:2:3"
    journal.save([begun])
    journal.close()
    journal = Journal(tmp_path / "transfers.db")
    assert journal.rows("here") == [begun]
    journal.close()


def test_what_is_no_list_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "transfers.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(JournalError, match=r"transfers\.db cannot be used"):
        Journal(tmp_path / "transfers.db")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "transfers.db").mkdir()
    with pytest.raises(JournalError, match=r"transfers\.db cannot be used"):
        Journal(tmp_path / "transfers.db")


def test_what_was_saved_survives_a_kill(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from sonoteca_desktop.transfers.journal import Journal
from tests.desktop.test_transfer_journal import row
journal = Journal(Path(sys.argv[1]))
one = row()
journal.add([one])
one.durable = 7
journal.save([one])
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "transfers.db"
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=15)
    assert killed.returncode < 0
    journal = Journal(path)
    assert [each.durable for each in journal.rows("here")] == [7]
    journal.close()


def test_pins_are_kept_for_each_server(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "transfers.db")
    rain, one = Pin("search", "rain"), Pin("sound", "id-1")
    journal.pin("here", [rain, one, rain])
    journal.pin("there", [rain])
    journal.unpin("there", [rain, one])
    journal.unpin("here", [one])
    journal.close()
    again = Journal(tmp_path / "transfers.db")
    assert (again.pins("here"), again.pins("there")) == ([rain], [])
    again.close()
