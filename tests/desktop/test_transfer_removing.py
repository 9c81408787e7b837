"""What came of a cancelled transfer is removed as soon as it can be, and holds nobody up."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sonoteca_desktop.transfers.queue import State
from tests.kit.desk import Desk
from tests.kit.faults import stall

DATA = random.Random(23).randbytes(1_000_000)
HALF = 500_000


def pause_in_the_middle(desk: Desk) -> tuple[int, Path]:
    """A download of which a half is safe, and where that lies."""
    desk.server.script.append(stall(HALF))
    key = desk.fetch(DATA)
    desk.until(lambda: desk[key].done == HALF)
    desk.queue.pause(key)
    desk.until(lambda: not desk.queue.busy)
    [part] = desk.sounds.glob("*.part")
    return key, part


def test_one_that_cannot_be_removed_does_not_stop_the_others(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    key, part = pause_in_the_middle(desk)
    part.unlink()
    part.mkdir()  # which no file is removed as
    desk.queue.cancel(key)
    desk.until(lambda: "Cannot remove the part file" in caplog.text)
    for number in range(3):
        other = desk.fetch(DATA[number + 1 :], f"{number}.wav")
        desk.until_state(other, State.DONE)


def test_a_part_file_on_a_drive_that_is_away_is_removed_when_it_is_back(desk: Desk) -> None:
    key, part = pause_in_the_middle(desk)
    away = desk.sounds.rename(desk.sounds.with_name("away"))
    desk.queue.cancel(key)
    desk.until(lambda: not desk.queue.snapshot())
    desk.restart()
    away.rename(desk.sounds)
    assert part.exists()
    desk.restart()
    desk.until(lambda: not part.exists())
