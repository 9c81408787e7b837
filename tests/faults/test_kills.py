"""A server that is killed again and again, and the checker that would see what it had lost."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.checker import Checker, Verdict
from tests.faults.kills import kill_again_and_again
from tests.faults.ledger import GONE, THERE, Ledger, Step, Thing
from tests.faults.load import Hand, Load, delete, edit, put, trash, upload
from tests.kit.http import serve


def run(folder: Path, kills: int) -> None:
    seed = random.SystemRandom().getrandbits(32)
    done = kill_again_and_again(folder, kills=kills, seed=seed)
    assert done.verdict.faults == [], done.table()
    assert done.kills == kills
    for what in ("uploads", "objects put"):
        assert done.ledger.answered[what], done.table()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_kills_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    run(tmp_path, 10)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_two_hundred_kills_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    run(tmp_path, 200)


def sql(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        assert connection.execute(statement).rowcount >= 1
        connection.commit()


def named_blob(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        (key,) = connection.execute("SELECT blob FROM objects").fetchone()
    return folder / "blobs" / key[-2:] / key


def drop_blob(folder: Path) -> None:
    named_blob(folder).unlink()


def cut_blob(folder: Path) -> None:
    os.truncate(named_blob(folder), 20)


def bring_back(folder: Path) -> None:
    sql(folder, "UPDATE sounds SET trashed = NULL WHERE trashed IS NOT NULL")


def bring_back_object(folder: Path) -> None:
    sql(
        folder,
        "INSERT INTO objects (repository, oid, size, blob, crc32, put, created, peaks_state) "
        "SELECT 2, (SELECT value FROM facts WHERE name = 'test-oid'), size, blob, crc32, 1, "
        "created, 'none' FROM objects WHERE put = 1 LIMIT 1",
    )


def lose_sound(folder: Path) -> None:
    sql(folder, "DELETE FROM sounds WHERE trashed IS NULL")


def lose_edit(folder: Path) -> None:
    sql(folder, """UPDATE sounds SET doc = replace(doc, '"edited', '"not edited')""")


def leave_parts(folder: Path) -> None:
    for number in range(3):
        (folder / "incoming" / str(number)).touch()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (drop_blob, "is missing"),
        (cut_blob, "bytes instead of"),
        (bring_back, "was answered as “gone”"),
        (bring_back_object, "object"),
        (lose_sound, "is “gone”"),
        (lose_edit, "not edited"),
        (leave_parts, "temporary files"),
    ],
)
def test_the_checker_sees_what_is_wrong(
    tmp_path: Path, damage: Callable[[Path], None], words: str, claim_errors: Callable[[str], None]
) -> None:
    ledger, verdict = Ledger(), Verdict()
    with serve(tmp_path) as server:
        hand = Hand(server, ledger, seed=1)
        for play in (upload, trash, upload, edit, upload, put, delete, put):
            play(hand)
        assert sum(ledger.answered.values()) == 8
        Checker(server, tmp_path, ledger, verdict).check(everything=True)
        assert verdict.faults == []
    gone = next(t for t in ledger.things.values() if t.kind == "object" and t.state == GONE)
    sql(tmp_path, f"INSERT INTO facts (name, value) VALUES ('test-oid', '{gone.name}')")
    with serve(tmp_path) as server:
        damage(tmp_path)
        Checker(server, tmp_path, ledger, verdict).check(everything=True)
    assert any(words in fault for fault in verdict.faults), verdict.faults
    if damage in (drop_blob, cut_blob):
        claim_errors("stored bytes are damaged")  # by the server, when they are asked for


def test_clients_tell_what_they_should_not_have_seen(tmp_path: Path) -> None:
    ledger = Ledger()

    def breaks(_hand: Hand) -> None:
        raise ValueError("odd")

    with serve(tmp_path) as server, Load(server, ledger, seed=1, threads=1, plays=[breaks]):
        pass
    assert ledger.faults == ["a client broke: ValueError('odd')"]


def test_what_was_not_answered_may_have_happened_or_not() -> None:
    thing = Thing("object", "name", "name")
    thing.steps = [Step(THERE, 1.0, 2.0), Step(GONE, 3.0, 4.0), Step(THERE, 5.0)]
    seen = [thing.possible(moment) for moment in (0.5, 1.5, 2.5, 3.5, 4.5, time.time())]
    both = {GONE, THERE}
    assert seen == [{GONE}, both, {THERE}, both, {GONE}, both]
