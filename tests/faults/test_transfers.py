"""Transfers that are killed at either end, again and again: they arrive, and little goes twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.transfers import kill_again_and_again


def run(folder: Path, kills: int) -> None:
    seed = random.SystemRandom().getrandbits(32)
    done = kill_again_and_again(folder, kills=kills, seed=seed)
    assert done.faults == [], done.table()
    assert done.killed == kills
    assert done.arrived >= 2, done.table()  # one each way at least


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_kills_of_either_end_cost_little(tmp_path: Path) -> None:
    run(tmp_path, 10)


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_two_hundred_kills_of_either_end_cost_little(tmp_path: Path) -> None:
    run(tmp_path, 200)
