"""A server that is killed again and again, and the checker that would see what it had lost."""

from __future__ import annotations

import os
import random
import shutil
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


def named_blob(folder: Path) -> Path:
    """The blob of an object that was put."""
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        (key,) = connection.execute("SELECT blob FROM objects WHERE put = 1").fetchone()
    return folder / "blobs" / str(key)[-2:] / str(key)


def drop_blob(folder: Path) -> None:
    named_blob(folder).unlink()


def cut_blob(folder: Path) -> None:
    os.truncate(named_blob(folder), 20)


def sql(statement: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
            assert connection.execute(statement).rowcount >= 1
            connection.commit()

    return run


def go_back(folder: Path) -> None:
    shutil.copy(folder / "earlier.sqlite", folder / "catalog.sqlite")


def leave_parts(folder: Path) -> None:
    for number in range(3):
        (folder / "incoming" / str(number)).touch()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ledger]:
    """A library that was worked with, what was answered, and its catalogue of earlier on."""
    folder, ledger = tmp_path_factory.mktemp("used"), Ledger()
    for plays in ((upload, upload, upload, put, put), (trash, edit, delete)):
        if ledger.things:
            shutil.copy(folder / "catalog.sqlite", folder / "earlier.sqlite")
        with serve(folder) as server:
            hand = Hand(server, ledger, seed=1)
            hand.mine = list(ledger.things.values())
            for play in plays:
                play(hand)
    assert sum(ledger.answered.values()) == 8
    return folder, ledger


def faults_of(used: tuple[Path, Ledger], folder: Path, damage: Callable[[Path], None]) -> list[str]:
    shutil.copytree(used[0], folder, dirs_exist_ok=True)
    verdict = Verdict()
    damage_first = damage is not leave_parts  # which a start would sweep away
    if damage_first:
        damage(folder)
    with serve(folder) as server:
        if not damage_first:
            damage(folder)
        Checker(server, folder, used[1].as_of(time.time()), verdict).check(everything=True)
    return verdict.faults


def test_the_checker_finds_nothing_where_nothing_is_wrong(
    used: tuple[Path, Ledger], tmp_path: Path
) -> None:
    assert faults_of(used, tmp_path, lambda _folder: None) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (drop_blob, "is missing"),
        (cut_blob, "bytes instead of"),
        (sql("UPDATE sounds SET trashed = NULL WHERE trashed IS NOT NULL"), "answered as “gone”"),
        (sql("UPDATE sounds SET trashed = '2026-01-01T00:00:00Z'"), "is “gone”"),
        (sql("UPDATE sounds SET doc = replace(doc, '\"edited', '\"not edited')"), "not edited"),
        (go_back, "object "),
        (go_back, "sound "),
        (leave_parts, "temporary files"),
    ],
)
def test_the_checker_sees_what_is_wrong(
    used: tuple[Path, Ledger],
    tmp_path: Path,
    damage: Callable[[Path], None],
    words: str,
    claim_errors: Callable[[str], None],
) -> None:
    faults = faults_of(used, tmp_path, damage)
    assert any(words in fault for fault in faults), faults
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
    ledger = Ledger(things={thing.name: thing})
    assert ledger.as_of(0.5).things == {}
    moments = (1.5, 2.5, 3.5, 4.5, 5.5)
    seen = [ledger.as_of(moment).things["name"].possible() for moment in moments]
    both = {GONE, THERE}
    assert seen == [both, {THERE}, both, {GONE}, both]
